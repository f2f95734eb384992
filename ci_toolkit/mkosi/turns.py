"""Two builds at once, of which the second fetches no package and has another clock.

It waits while the first one fetches, gets the files, and stays some seconds behind: what writes the time of the build
into a file writes two times.

mkosi locks its package cache (flock(2)) while a package manager runs. As each of the two has a cache of its own, they
do not wait for each other; the second one's is locked from here until the first one's call of the same number has
fetched what it needs. A mkosi that takes no such lock (before 26) is not kept waiting, and may fetch a package twice;
for a package manager whose words are not known, the second build waits until the first is over.
"""

import fcntl
import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ci_toolkit.errors import ToolkitError
from ci_toolkit.mkosi.words import CALL, STEP

# How far behind the first build the second one's calls of its package manager are kept. A build that writes minutes of
# UTC alone may still write the same; the zone of the second build varies those of local time.
LAG_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1

# mkosi's first line after the package lists were fetched; a tools tree has lists of its own before.
_HAS_LISTS: Final = re.compile(r"\s*‣\s*(\[\S+\]\s*)?Building (?!\S*tools\b)\S+ image")
_PATH: Final = re.compile(r"/\S+")
# How apt, pacman, dnf and zypper tell that all is there.
_IS_THERE: Final = re.compile(
    r"Need to get 0 B|Fetched \d|checking keyring\.\.\.|\( *\d+/\d+\) (checking keys in keyring|[Ii]nstalling)"
    r"|Running transaction|Checking for file conflicts"
)


@dataclass(kw_only=True)
class Calls:
    """What the lines of a build tell of its package manager, in seconds of the monotonic clock.

    `begun` is how often it was called, `there` since when each call but maybe the last has all its packages, `steps`
    when mkosi began with what it names.
    """

    has_lists: bool = False
    begun: int = 0
    there: list[float] = field(default_factory=list)
    steps: dict[str, float] = field(default_factory=dict)

    def hear(self, line: str) -> None:
        """Take LINE of what mkosi writes."""
        if step := STEP.match(line):
            # Paths are those of one of the two builds, and names in them may be drawn.
            self.steps.setdefault(_PATH.sub("", step["step"]), time.monotonic())
        if not self.has_lists:
            self.has_lists = _HAS_LISTS.match(line) is not None
        elif CALL.match(line):
            self.fetched()
            self.begun += 1
        elif _IS_THERE.match(line):
            self.fetched()

    def fetched(self) -> None:
        """Take it that no call is fetching any more."""
        self.there += [time.monotonic()] * (self.begun - len(self.there))

    def lag(self, behind: "Calls") -> float | None:
        """Return by how many seconds BEHIND was later in the step where it was least; None where they share none."""
        both = self.steps.keys() & behind.steps.keys()
        return min((behind.steps[step] - self.steps[step] for step in both), default=None)


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
        if _is_free(first):
            calls.fetched()
        return begun < len(calls.there) and time.monotonic() - calls.there[begun] > LAG_SECONDS


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
