"""Two builds at once, of which the second fetches no package: it waits while the first fetches, and gets the files.

mkosi locks its package cache (flock(2)) while a package manager runs. As each of the two has a cache of its own, they
do not wait for each other; the second one's is locked from here until the first one's call of the same number has
fetched what it needs. A mkosi that takes no such lock (before 26) is not kept waiting, and may fetch a package twice;
for a package manager whose words are not known, the second build waits until the first is over.
"""

import fcntl
import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ci_toolkit.errors import ToolkitError

_LOOK_SECONDS: Final = 0.1

# mkosi's first line after the package lists were fetched; a tools tree has lists of its own before.
_HAS_LISTS: Final = re.compile(r"\s*‣\s*(\[\S+\]\s*)?Building (?!\S*tools\b)\S+ image")
# How apt, pacman, dnf and zypper begin, and how they tell that all is there.
_BEGINS: Final = re.compile(
    r"Reading package lists\.\.\.|resolving dependencies\.\.\."
    r"|Updating and loading repositories:|Loading repository data"
)
_IS_THERE: Final = re.compile(
    r"Need to get 0 B|Fetched \d|checking keyring\.\.\.|\( *\d+/\d+\) (checking keys in keyring|[Ii]nstalling)"
    r"|Running transaction|Checking for file conflicts"
)


@dataclass(kw_only=True)
class Calls:
    """What the lines of a build tell of its package manager: how often it was called, whether it may be fetching."""

    has_lists: bool = False
    begun: int = 0
    fetching: bool = False

    def hear(self, line: str) -> None:
        """Take LINE of what mkosi writes."""
        if not self.has_lists:
            self.has_lists = _HAS_LISTS.match(line) is not None
        elif _BEGINS.match(line):
            self.begun += 1
            self.fetching = True
        elif _IS_THERE.match(line):
            self.fetching = False

    @property
    def fetched(self) -> int:
        """Of how many calls all packages are there."""
        return self.begun - self.fetching


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A build: its package cache, a directory of this machine, and what is heard of its package manager."""

    packages: Path
    calls: Calls


class Turns:
    """While its context is open, each call of the SECOND build waits for that of the FIRST to have its packages.

    SHARE copies what the second one's cache lacks; FIRST_IS_OVER tells the end of waiting.
    """

    def __init__(self, *, first: Side, second: Side, share: Callable[[], None], first_is_over: threading.Event) -> None:
        self._first = first
        self._second = second
        self._share = share
        self._shared = -1
        self._first_is_over = first_is_over
        self._over = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._keep)

    def __enter__(self) -> Self:
        self._bring()
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _keep(self) -> None:
        first, second = (os.open(side.packages, os.O_RDONLY | os.O_DIRECTORY) for side in (self._first, self._second))
        try:
            while not self._ends():
                fcntl.flock(second, fcntl.LOCK_EX)  # as soon as its package manager has ended
                self._ready.set()
                before = self._second.calls.begun
                while not self._may(before, first) and not self._ends(_LOOK_SECONDS):
                    continue
                self._bring()
                fcntl.flock(second, fcntl.LOCK_UN)
                while self._second.calls.begun == before and not self._ends(_LOOK_SECONDS):
                    continue
        finally:  # which unlocks
            self._ready.set()
            os.close(second)
            os.close(first)

    def _bring(self) -> None:
        """Copy what is new; where that cannot be, the second build fetches it."""
        size = total(self._first.packages)
        if size != self._shared:
            with suppress(ToolkitError):
                self._share()
            self._shared = size

    def _ends(self, seconds: float = 0.0) -> bool:
        return self._first_is_over.is_set() or self._over.wait(seconds)

    def _may(self, begun: int, first: int) -> bool:
        """Tell whether the next call of the second build, which has BEGUN so many, finds its packages.

        FIRST is the first one's cache, whose lock tells that a call has ended, whatever it wrote.
        """
        calls = self._first.calls
        if begun < calls.fetched:
            return True
        if not _is_free(first):
            return False
        calls.fetching = False
        return begun < calls.begun


def total(directory: Path) -> int:
    """Return the bytes of all files below DIRECTORY; one that goes meanwhile counts or not."""
    found = 0
    for place, _, names in os.walk(directory):
        for name in names:
            with suppress(OSError):
                found += Path(place, name).lstat().st_size
    return found


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return True
