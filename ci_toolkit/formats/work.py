"""What a writer works with: the disk, a directory that is thrown away, and somebody who hears how far it is."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from ci_toolkit.formats.source import Disk
from ci_toolkit.formats.table import FORMATS, Format
from ci_toolkit.formats.tree import Tree, root

_EVERY_SECONDS: Final = 5.0
_MB: Final = 1_000_000


class Progress:
    """Counts bytes, and says every few seconds how many of TOTAL are done."""

    def __init__(self, name: str, total: int, say: Callable[[str], None]) -> None:
        self._name, self._total, self._say = name, total, say
        self._done = 0
        self._told = time.monotonic()

    def __call__(self, size: int) -> None:
        self._done += size
        now = time.monotonic()
        if now - self._told >= _EVERY_SECONDS:
            self._told = now
            share = min(99, 100 * self._done // max(1, self._total))
            self._say(f"  {self._name}: {self._done // _MB} of {self._total // _MB} MB, {share} %")


@dataclass(kw_only=True)
class Work:
    """The conversions of one DISK; `directory` lies where the results will be, and `parts` are those that are made."""

    disk: Disk
    directory: Path
    say: Callable[[str], None]
    parts: dict[str, Path] = field(default_factory=dict)

    @cached_property
    def tree(self) -> Tree:
        """The files of the root file system. Raises UnreadableError where there is none."""
        return root(self.disk)

    def part(self, name: str) -> Path:
        """Return the disk in the format NAME, which is made where no other needed it before."""
        if name not in self.parts:
            self.make(next(one for one in FORMATS if one.name == name))
        return self.parts[name]

    def make(self, wanted: Format) -> Path:
        """Return what is made of the disk, in `directory`. Raises UnreadableError, HostError."""
        if wanted.name not in self.parts:
            target = self.directory / f"{self.disk.name}{wanted.suffix}"
            if wanted.directory:
                target.mkdir()
            wanted.load()(self, target)
            self.parts[wanted.name] = target
        return self.parts[wanted.name]

    def progress(self, name: str, total: int | None = None) -> Progress:
        """Return what counts the bytes of the disk, or TOTAL, that are done for NAME."""
        return Progress(name, self.disk.held if total is None else total, self.say)
