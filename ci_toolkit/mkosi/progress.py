"""What a reader of the log is shown of a build: mkosi's steps with their time, and how far its package manager is.

A package manager writes a line or more for each package, thousands in all. They are counted, not shown; the build's own
log has every one. Everything that is not known for such a line is shown as it is.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from ci_toolkit.mkosi.words import CALL, STEP

# How long the reader is left without a word, whether nothing happens or only packages do.
SILENT_SECONDS: Final = 20.0

_UNITS: Final = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_SIZE: Final = r"(?P<number>[\d.,]+) ?(?P<unit>[kKMG]?i?)B"

# How much there is to do, in bytes or in packages.
_BYTES_WANTED: Final = re.compile(rf"Need to get {_SIZE}|Total Download Size: +{_SIZE.replace('?P<', '?P<pacman_')}")
_PACKAGES_WANTED: Final = re.compile(
    r"\d+ upgraded, (?P<apt>\d+) newly installed|Packages \((?P<pacman>\d+)\)| Installing: +(?P<dnf>\d+) packages?"
    r"|(?P<zypper>\d+) new packages? to install"
)
# One package was fetched, with its size where that is told; one was unpacked (dpkg alone tells), one installed.
_FETCHED: Final = re.compile(
    rf"Get:\d+ .*\[{_SIZE}\]| \S+-[^-]+-[^-]+ downloading\.\.\.|Retrieving(?: package)?:? \S+"
    r"|\[ *\d+/\d+\] \S+ +100% \|"
)
_UNPACKED: Final = re.compile(r"Unpacking \S+ \(")
_INSTALLED: Final = re.compile(
    r"Setting up \S+|(?:\( *\d+/\d+\) )?(?:re)?installing \S+|\( *\d+/\d+\) Installing: \S+"
    r"|\[ *\d+/\d+\] Installing \S+|  Installing +: \S+"
)
# The other words for each package and lists of their names; what the scripts in packages cause; mke2fs at work.
_CHATTER: Final = re.compile(
    r"Hit:\d+ |Ign:\d+ |Fetched \d|Selecting previously |Preparing to unpack |\(Reading database "
    r"|/usr/bin/dpkg --|Building dependency tree|Reading state information|Solving dependencies|After this operation"
    r"|\S+ is already the newest version |The following (?:additional|NEW) packages "
    r"|(?:Suggested|Recommended) packages:|Optional dependencies for |Processing triggers for "
    r"|Adding 'diversion of |update-alternatives: (?:using|warning: skip creation) "
    r"|Total Installed Size|looking for conflicting|checking (?:keyring|package integrity|available disk|for file)"
    r"|loading package files|:: (?:Synchronizing|Retrieving|Processing|Proceed)| \S+ downloading\.\.\.$"
    r"|Use of uninitialized value .*Debconf|dpkg-query: no packages found matching base-files"
    r"|no matching (?:password|group) file entry in |add (?:user|group) '[^']*' in /etc/g?shadow\?|(?:pwck|grpck): no"
    r"|Running in chroot, ignoring request|Created symlink |Removed '|Creating (?:user|group) '|Unit \S+ is masked, ign"
    r"|Discarding device blocks|Superblock backups stored |Allocating group tables|Writing inode tables|Writing superb"
)
_LIST_HEAD: Final = re.compile(
    r"The following |(?:Suggested|Recommended) packages:|Optional dependencies for |Superblock backups"
)
_LIST_LINE: Final = re.compile(r"\s+\S")


@dataclass(kw_only=True)
class Progress:
    """How far a build is, told line by line to `show`.

    With `whole`, every line is shown; without, those of package managers are told in one line from time to time.
    """

    show: Callable[[str], None]
    whole: bool = False
    clock: Callable[[], float] = time.monotonic
    step: str = ""
    _began: float = 0.0
    _spoken: float = 0.0
    _in_list: bool = False
    _call: "_Call" = field(default_factory=lambda: _Call())
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._began = self._spoken = self.clock()

    def hear(self, line: str) -> None:
        """Take LINE of what mkosi writes, as it was written."""
        with self._lock:
            if found := STEP.match(line):
                self.step = found["step"].strip()
                self._tell(f"{self._elapsed()} {line}")
            elif self.whole:
                self._tell(line)
            elif self._is_chatter(line):
                self._remind()
            elif line.strip():
                self._tell(line)

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """Tell from time to time what the build is at, also while it says nothing."""
        over = threading.Event()

        def tick() -> None:
            while not over.wait(SILENT_SECONDS / 4):
                with self._lock:
                    self._remind()

        thread = threading.Thread(target=tick, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _is_chatter(self, line: str) -> bool:
        """Tell whether LINE is one of the many for packages, and count it."""
        in_list, self._in_list = self._in_list, False
        if in_list and _LIST_LINE.match(line):
            self._in_list = True
            return True
        if CALL.match(line):  # what the last one did is done
            self._call = _Call()
            return True
        if self._call.count(line):
            return True
        self._in_list = _LIST_HEAD.match(line) is not None
        return _CHATTER.match(line) is not None

    def _remind(self) -> None:
        if self.clock() - self._spoken >= SILENT_SECONDS:
            done = self._call.told()
            self._tell(f"{self._elapsed()}   … {self.step or 'mkosi'}{': ' if done else ''}{done}")

    def _tell(self, line: str) -> None:
        self._spoken = self.clock()
        self.show(line)

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(self.clock() - self._began), 60)
        return f"{minutes:3}:{seconds:02}"


@dataclass(kw_only=True)
class _Call:
    """One call of a package manager: packages and bytes, done and wanted; None where it has not told."""

    packages: int | None = None
    size: int | None = None
    fetched: int = 0
    fetched_bytes: int = 0
    unpacked: int = 0
    installed: int = 0

    def count(self, line: str) -> bool:
        """Count LINE; False where it is about nothing that is counted."""
        if found := _BYTES_WANTED.match(line):
            self.size = _bytes(found["number"], found["unit"]) or _bytes(found["pacman_number"], found["pacman_unit"])
        elif found := _PACKAGES_WANTED.match(line):
            self.packages = int(next(filter(None, found.groups())))
        elif found := _FETCHED.match(line):
            self.fetched += 1
            self.fetched_bytes += _bytes(found["number"], found["unit"])
        elif _UNPACKED.match(line):
            self.unpacked += 1
        elif _INSTALLED.match(line):
            self.installed += 1
        else:
            return False
        return True

    def told(self) -> str:
        """Return how far it is, for people; empty where it has done nothing yet."""
        if self.installed:
            return self._of(self.installed, "installed")
        if self.unpacked:
            return self._of(self.unpacked, "unpacked")
        if self.fetched:
            of = f" of {self.size / 1e6:.1f}" if self.size and self.size >= self.fetched_bytes else ""
            size = f", {self.fetched_bytes / 1e6:.1f}{of} MB" if self.fetched_bytes else ""
            return f"{_packages(self.fetched)} fetched{size}"
        return ""

    def _of(self, done: int, what: str) -> str:
        if self.packages and self.packages >= done:
            return f"{done} of {_packages(self.packages)} {what} ({100 * done // self.packages} %)"
        return f"{_packages(done)} {what}"


def _packages(count: int) -> str:
    return f"{count} package" if count == 1 else f"{count} packages"


def _bytes(number: str | None, unit: str | None) -> int:
    """Return a size that a package manager wrote, in bytes; a comma groups thousands. 0 for none."""
    try:
        return int(float((number or "0").replace(",", "")) * _UNITS[unit or ""])
    except (ValueError, KeyError):
        return 0
