"""Two builds at once, of which the second fetches no package: it waits while the first fetches, and gets the files.

mkosi locks its package cache (flock(2)) while a package manager runs. As each of the two has a cache of its own, they
do not wait for each other; the second one's is locked from here as long as the first one's is being filled. A mkosi
that takes no such lock (before 26) is not kept waiting, and may fetch a package twice.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_LOOK_SECONDS: Final = 0.2
# How long nothing may come in until a package manager that runs is taken to be installing; before the first file, it
# reads its lists.
_SETTLES_SECONDS: Final = 3.0


@dataclass(kw_only=True)
class Watch:
    """Tells whether a package manager is filling the cache `packages`, open as `descriptor`."""

    packages: Path
    descriptor: int
    locked_since: float | None = None
    size: int = 0
    grew: float = 0.0

    def is_filling(self, now: float) -> bool:
        """Look, at NOW on some clock of seconds."""
        if _lock(self.descriptor):
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
            self.locked_since = None
            return False
        if self.locked_since is None:
            self.locked_since = now
        size = total(self.packages)
        if size != self.size:
            self.size, self.grew = size, now
        return now - max(self.locked_since, self.grew) < _SETTLES_SECONDS


class Turns:
    """While its context is open, the build with the cache SECOND has to wait for the one with the cache FIRST.

    Both are directories of this machine; SHARE copies what the second lacks; FIRST_IS_OVER tells the end of waiting.
    """

    def __init__(self, *, first: Path, second: Path, share: Callable[[], None], first_is_over: threading.Event) -> None:
        self._first = first
        self._second = second
        self._share = share
        self._first_is_over = first_is_over
        self._over = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._keep)
        self._shared = -1

    def __enter__(self) -> Self:
        self._bring()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _keep(self) -> None:
        first = os.open(self._first, os.O_RDONLY | os.O_DIRECTORY)
        second = os.open(self._second, os.O_RDONLY | os.O_DIRECTORY)
        try:
            watch, waits = Watch(packages=self._first, descriptor=first), False
            while not self._first_is_over.is_set() and not self._over.wait(_LOOK_SECONDS):
                if watch.is_filling(time.monotonic()):
                    waits = waits or _lock(second)
                elif waits:
                    self._bring()
                    fcntl.flock(second, fcntl.LOCK_UN)
                    waits = False
            if waits:
                self._bring()
        finally:  # which unlocks
            os.close(second)
            os.close(first)

    def _bring(self) -> None:
        """Copy what is new; where that cannot be, the second build fetches it."""
        size = total(self._first)
        if size != self._shared:
            self._share()
            self._shared = size


def total(directory: Path) -> int:
    """Return the bytes of all files below DIRECTORY; one that goes meanwhile counts or not."""
    return sum(_sizes(directory))


def _sizes(directory: Path) -> Iterator[int]:
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _sizes(Path(entry.path))
                else:
                    yield entry.stat(follow_symlinks=False).st_size
    except OSError:
        return


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
