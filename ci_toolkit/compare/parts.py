"""Where on a disk its partitions lie: what a picture of it needs."""

from dataclasses import dataclass
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Kind
from ci_toolkit.images.read import describe

# More than a picture could show.
PARTS_SHOWN: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A partition: its step in the paths of differences, what it holds, and its place in bytes."""

    name: str
    format: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """One of two disks; `parts` in the order of the table, the first PARTS_SHOWN of them.

    A file system without a partition table is one part whose name is "".
    """

    size: int
    parts: tuple[Part, ...]


def outline(container: Container, data: Data) -> Disk | None:
    """Return the parts of CONTAINER, which lies in DATA; None where it is no disk and no file system."""
    if not container.transparent:
        return None
    entries = [entry for entry in container.entries if entry.kind is Kind.PARTITION]
    parts = [part for part in map(_part, entries[:PARTS_SHOWN]) if part is not None]
    if not entries:
        parts = [Part(name="", format=container.format, offset=0, size=data.size)]
    return Disk(size=data.size, parts=tuple(parts))


def _part(entry: Entry) -> Part | None:
    if entry.data is None or not entry.data.runs or entry.data.runs[0].offset is None:
        return None
    try:
        held = describe(entry.data)
    except UnreadableError:
        held = "data"
    return Part(name=entry.path, format=held, offset=entry.data.runs[0].offset, size=entry.data.size)
