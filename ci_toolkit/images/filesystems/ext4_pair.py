"""Two ext4 file systems at once: of an inode that is the same in both, with its content, not much is made."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Kind
from ci_toolkit.images.filesystems import ext4, ext4_xattrs
from ci_toolkit.images.filesystems.ext4 import FileSystem
from ci_toolkit.images.filesystems.ext4_blocks import EXTENT_MAGIC, WRITTEN_MAX
from ci_toolkit.images.filesystems.ext4_inodes import FLAG_EXTENTS, FLAG_INLINE_DATA
from ci_toolkit.images.filesystems.tree import Below
from ci_toolkit.images.format import Same
from ci_toolkit.images.limits import Budget

# Of an inode: mode, size, links, flags; of its extents: magic, count, depth, and the first one; attribute block, high
# bits of the size and of the attribute block. Then how much of it follows the first 128 bytes, before attributes.
_GLANCE: Final = struct.Struct("<H2xI18xH4xI4xHH2xH4xIHHI40xII6xH")
_EXTRA: Final = struct.Struct("<H")
_BASE: Final = 128
_KINDS: Final = {0o100000: Kind.FILE, 0o040000: Kind.DIRECTORY}

# Path and inode.
_Name = tuple[str, int]


class _Alike(NamedTuple):
    """An inode that is the same on both sides, and where its content of `entry.size` bytes lies."""

    entry: Entry
    start: int
    blocks: int


def read(a: Data, b: Data, same: Same | None, budget: Budget) -> tuple[Container, Container]:
    """Read two file systems; SAME tells of a span whether it is the same in both, None where that is not known.

    An entry that both share is the same in all that is compared, and has but a name, a kind and a size. Raises
    UnreadableError as `ext4.read` does.
    """
    if same is None:
        return ext4.read(a, budget), ext4.read(b, budget)
    return _Pair(a, same, budget).containers(b)


class _Pair:
    """Two file systems, of which the first one is read first."""

    def __init__(self, data: Data, same: Same, budget: Budget) -> None:
        self._one = FileSystem(data, budget)
        self._budget = budget
        self._same = same
        # What may turn out to be shared, and what does.
        self._alike: dict[_Name, _Alike] = {}
        self._shared: set[_Name] = set()
        self._named: dict[_Name, list[_Name]] = {}

    def containers(self, b: Data) -> tuple[Container, Container]:
        before = list(self._one.walk(self._visit_one))
        other = self._other = FileSystem(b, self._budget)
        # An inode that lies elsewhere, or whose number means another place, is another one.
        is_one_shape = _shape(self._one) == _shape(other)
        after = list(other.walk(self._visit_other if is_one_shape else other.visit))
        if not (_are_distinct(before) and _are_distinct(after)):
            # Entries of one name are paired in their order, whatever they are.
            self._shared.clear()
        return self._one.container(self._completed(before, self._one)), other.container(self._completed(after, other))

    def _visit_one(self, path: str, number: int) -> tuple[Entry, Below[int] | None]:
        one = self._one
        place, raw = one.inodes.record(number)
        (
            mode, low, links, flags, magic, count, depth, logical, length, first_high, first,
            attributes, high, attributes_high,
        ) = _GLANCE.unpack_from(raw)  # fmt: skip
        kind = _KINDS.get(mode & 0o170000)
        block = one.superblock.block_size
        size, start = low | high << 32, (first | first_high << 32) * block
        is_plain = (
            kind is not None
            and (kind is Kind.DIRECTORY or links <= 1)
            and flags & (FLAG_EXTENTS | FLAG_INLINE_DATA) == FLAG_EXTENTS
            and (magic, count, depth, logical) == (EXTENT_MAGIC, 1, 0, 0)
            and length <= WRITTEN_MAX
            and size <= length * block
            and start + size <= one.data.size
            and not attributes
            and not attributes_high
            and not _has_attributes(raw)
        )
        if kind is None or not is_plain or not self._same(place, len(raw)) or not self._same(start, size):
            return one.visit(path, number)
        alike = _Alike(Entry(path=path, kind=kind, size=size, inode=number), start, 1 + length)
        self._alike[path, number] = alike
        return self._taken(one, number, alike, self._noted((path, number), alike))

    def _visit_other(self, path: str, number: int) -> tuple[Entry, Below[int] | None]:
        alike = self._alike.get((path, number))
        if alike is None:
            return self._other.visit(path, number)
        self._shared.add((path, number))
        return self._taken(self._other, number, alike, self._named.get((path, number)))

    def _taken(
        self, system: FileSystem, number: int, alike: _Alike, named: Iterable[_Name] | None
    ) -> tuple[Entry, Below[int] | None]:
        entry, start, blocks = alike
        system.maps.spend(blocks)
        if entry.kind is Kind.FILE:
            return entry, None
        return entry, Below(number, system.below(entry.path, system.data.window(start, entry.size), named))

    def _noted(self, directory: _Name, alike: _Alike) -> Iterator[_Name]:
        """Yield what the first one's DIRECTORY names, and keep it for the other, unless it is damaged."""
        names: list[_Name] = []
        for name in self._one.named(directory[0], self._one.data.window(alike.start, alike.entry.size)):
            names.append(name)
            yield name
        self._named[directory] = names

    def _completed(self, entries: Iterable[Entry], system: FileSystem) -> Iterable[Entry]:
        """Make all of those entries that the other side does not share."""
        for entry in entries:
            number = entry.inode
            if entry.mode is not None or number is None or (entry.path, number) in self._shared:
                yield entry
                continue
            data = system.data.window(self._alike[entry.path, number].start, entry.size)
            yield system.described(entry.path, system.inodes.get(number), entry.kind, data)


def _has_attributes(raw: bytes) -> bool:
    if len(raw) <= _BASE + _EXTRA.size:
        return False
    place = _BASE + _EXTRA.unpack_from(raw, _BASE)[0]
    return raw[place : place + len(ext4_xattrs.MAGIC)] == ext4_xattrs.MAGIC


def _shape(system: FileSystem) -> tuple[object, ...]:
    """Return all by which an inode is found and read."""
    return replace(system.superblock, raw=b""), [group.inode_table for group in system.groups]


def _are_distinct(entries: list[Entry]) -> bool:
    return len({entry.path for entry in entries}) == len(entries)
