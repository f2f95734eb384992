"""Two ext4 file systems at once: of an inode that is the same in both, with its content, not much is made."""

import struct
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Kind, text
from ci_toolkit.images.filesystems import ext4, ext4_xattrs
from ci_toolkit.images.filesystems.ext4 import FileSystem
from ci_toolkit.images.filesystems.ext4_blocks import EXTENT_MAGIC, WRITTEN_MAX
from ci_toolkit.images.filesystems.ext4_inodes import FLAG_EXTENTS, FLAG_INLINE_DATA
from ci_toolkit.images.filesystems.tree import Below
from ci_toolkit.images.format import Same
from ci_toolkit.images.limits import Budget, Entries

# Of an inode: mode, size, links, flags; the extents' magic, count and depth, and the first one; attribute block, high
# bits of the size and of the attribute block. Then how much of it follows the first 128 bytes, before attributes.
_GLANCE: Final = struct.Struct("<H2xI18xH4xI4xHH2xH4xIHHI40xII6xH")
_EXTRA: Final = struct.Struct("<H")
_BASE: Final = 128
_CONTENT: Final = 40
_KINDS: Final = {0o100000: Kind.FILE, 0o040000: Kind.DIRECTORY, 0o120000: Kind.SYMLINK}

# Path and inode.
_Name = tuple[str, int]


class _Plain(NamedTuple):
    """An inode that is read at a glance: where it is among the entries, where its record lies, and its content, if any.

    `blocks` is what its map has to be accounted for.
    """

    entry: Entry
    place: int
    record: int
    start: int | None
    blocks: int

    def content(self, system: FileSystem) -> Data:
        return system.data.window(self.start or 0, self.entry.size)


class _Moment(NamedTuple):
    """How far the walk over the first one has come."""

    place: int
    directories: int
    skipped: int
    blocks: int
    entries: Entries


def read(a: Data, b: Data, same: Same | None, budget: Budget) -> tuple[Container, Container]:
    """Read two file systems; SAME tells of a span whether it is the same in both, None where that is not known.

    An entry that both share is the same in all that is compared, and has but a name, a kind, a size and a target.
    Raises UnreadableError as `ext4.read` does.
    """
    if same is None:
        return ext4.read(a, budget), ext4.read(b, budget)
    return _Pair(a, same, budget).containers(b)


class _Pair:
    """Two file systems, of which the first one is read first, and SAME is not asked before that is done.

    Where all below a directory is alike, the other one is not walked there: it has what the first one has.
    """

    def __init__(self, data: Data, same: Same, budget: Budget) -> None:
        self._one = FileSystem(data, budget)
        self._budget = budget
        self._same = same
        self._before: list[Entry] = []
        self._after: list[Entry] = []
        # Of the first one's entries: those read at a glance; then those of them that are the same in both, which may
        # turn out to be shared; and which do, by their places.
        self._plain: dict[_Name, _Plain] = {}
        self._alike: dict[_Name, _Plain] = {}
        self._shared = bytearray()
        # What the first one's directories name, and when the walk came into each and left it.
        self._named: dict[_Name, list[_Name]] = {}
        self._directories: list[_Plain] = []
        self._walked: dict[_Name, tuple[_Moment, _Moment]] = {}
        # Before each entry and after the last, how many came that are not alike.
        self._unlike: list[int] = []

    def containers(self, b: Data) -> tuple[Container, Container]:
        one = self._one
        for entry in one.walk(self._visit_one):
            self._before.append(entry)
        other = self._other = FileSystem(b, self._budget)
        # An inode that lies elsewhere, or whose number means another place, is another one.
        is_one_shape = _shape(one) == _shape(other)
        self._compare(is_one_shape)
        for entry in other.walk(self._visit_other if is_one_shape else other.visit):
            self._after.append(entry)
        if not (_are_distinct(self._before) and _are_distinct(self._after)):
            # Entries of one name are paired in their order, whatever they are.
            self._shared = bytearray(len(self._before))
            self._after = [self._completed(entry, other) for entry in self._after]
        before = [
            entry if is_shared else self._completed(entry, one)
            for entry, is_shared in zip(self._before, self._shared, strict=True)
        ]
        return one.container(before), other.container(self._after)

    def _visit_one(self, path: str, number: int) -> tuple[Entry, Below[int] | None]:
        plain = self._glanced(path, number)
        if plain is None:
            return self._one.visit(path, number)
        entry = self._accounted(self._one, plain)
        self._plain[path, number] = plain
        return entry, Below(number, self._below_one(number, plain)) if entry.kind is Kind.DIRECTORY else None

    def _glanced(self, path: str, number: int) -> _Plain | None:
        """Return an inode of the first one, if it is simple enough to be read at a glance."""
        one = self._one
        record, raw = one.inodes.record(number)
        (
            mode, low, links, flags, magic, count, depth, logical, length, first_high, first,
            attributes, high, attributes_high,
        ) = _GLANCE.unpack_from(raw)  # fmt: skip
        kind = _KINDS.get(mode & 0o170000)
        if kind is None or (links > 1 and kind is not Kind.DIRECTORY):
            return None
        if attributes or attributes_high or _has_attributes(raw):
            return None
        size, place = low | high << 32, len(self._before)
        if kind is Kind.SYMLINK:
            if size >= ext4.FAST_LINK or flags & (FLAG_EXTENTS | FLAG_INLINE_DATA):
                return None
            target = text(raw[_CONTENT : _CONTENT + size])
            return _Plain(Entry(path, kind, size, target=target, inode=number), place, record, None, 0)
        if flags & (FLAG_EXTENTS | FLAG_INLINE_DATA) != FLAG_EXTENTS or magic != EXTENT_MAGIC or depth:
            return None
        entry = Entry(path, kind, size, inode=number)
        if not count and not size:
            return _Plain(entry, place, record, None, 1)
        block = one.superblock.block_size
        start = (first | first_high << 32) * block
        if count != 1 or logical or length > WRITTEN_MAX or size > length * block or start + size > one.data.size:
            return None
        return _Plain(entry, place, record, start, 1 + length)

    def _below_one(self, number: int, plain: _Plain) -> Iterator[_Name]:
        """Yield what a directory of the first one names, and remember it for the other."""
        path = plain.entry.path
        begin = self._now()
        self._directories.append(plain)
        data = plain.content(self._one)
        self._one.directories.append(data)
        names: list[_Name] = []
        try:
            for found in self._one.named(path, data):
                names += found
                yield from found
        except UnreadableError as error:
            self._one.skipped.append((path, error.message))
            return
        self._named[path, number] = names
        self._walked[path, number] = begin, self._now()

    def _now(self) -> _Moment:
        return _Moment(
            place=len(self._before),
            directories=len(self._directories),
            skipped=len(self._one.skipped),
            blocks=self._one.maps.left,
            entries=self._budget.entries(),
        )

    def _compare(self, is_one_shape: bool) -> None:
        """Find out which of the first one's entries are the same in the other, if that IS of ONE SHAPE."""
        same, size = self._same, self._one.superblock.inode_size
        self._shared = bytearray(len(self._before))
        unlike = bytearray(b"\1") * len(self._before)
        if is_one_shape:
            # One kind after the other: what lies together is asked for together.
            records = [name for name, plain in self._plain.items() if same(plain.record, size)]
            for name in records:
                plain = self._plain[name]
                if plain.start is None or same(plain.start, plain.entry.size):
                    self._alike[name] = plain
                    unlike[plain.place] = 0
        self._unlike = list(accumulate(unlike, initial=0))

    def _visit_other(self, path: str, number: int) -> tuple[Entry, Below[int] | None]:
        plain = self._alike.get((path, number))
        if plain is None:
            return self._other.visit(path, number)
        entry = self._accounted(self._other, plain)
        self._shared[plain.place] = True
        return entry, Below(number, self._below_other(number, plain)) if entry.kind is Kind.DIRECTORY else None

    def _below_other(self, number: int, plain: _Plain) -> Iterator[_Name]:
        """Yield what a directory of the other one names; nothing where all below it was taken from the first one."""
        other, name = self._other, (plain.entry.path, number)
        if name in self._walked and self._take(*self._walked[name]):
            return
        data = plain.content(other)
        if name not in self._named:  # a damaged one
            yield from other.below(plain.entry.path, data)
            return
        other.directories.append(data)
        yield from self._named[name]

    def _take(self, begin: _Moment, end: _Moment) -> bool:
        """Add what the first one has from BEGIN to END to the other one, if all of it is alike and may be added."""
        if self._unlike[begin.place] != self._unlike[end.place] or begin.skipped != end.skipped:
            return False
        other = self._other
        directories = self._directories[begin.directories : end.directories]
        below = [plain.entry.inode for plain in directories[1:] if plain.entry.inode is not None]
        blocks = begin.blocks - end.blocks
        if blocks > other.maps.left or not other.entered.isdisjoint(below):
            return False
        if not self._budget.again(begin.entries, end.entries):
            return False
        other.maps.spend(blocks)
        other.entered.update(below)
        other.directories += [plain.content(other) for plain in directories]
        self._after += self._before[begin.place : end.place]
        self._shared[begin.place : end.place] = b"\1" * (end.place - begin.place)
        return True

    def _accounted(self, system: FileSystem, plain: _Plain) -> Entry:
        """Account for an inode as who reads all of it would, and return its entry."""
        if plain.blocks:
            system.maps.spend(plain.blocks)
        elif plain.entry.target:
            self._budget.attribute(len(plain.entry.target))
        return plain.entry

    def _completed(self, entry: Entry, system: FileSystem) -> Entry:
        """Return all of an entry, of which there is no more than a glance unless it has a mode."""
        if entry.mode is not None or entry.inode is None:
            return entry
        inode = system.inodes.get(entry.inode)
        if entry.kind is Kind.SYMLINK:
            return system.described(entry.path, inode, entry.kind, None, entry.target)
        data = self._plain[entry.path, entry.inode].content(system)
        return system.described(entry.path, inode, entry.kind, data)


def _has_attributes(raw: bytes) -> bool:
    if len(raw) <= _BASE + _EXTRA.size:
        return False
    return raw.startswith(ext4_xattrs.MAGIC, _BASE + _EXTRA.unpack_from(raw, _BASE)[0])


def _shape(system: FileSystem) -> tuple[object, ...]:
    """Return all by which an inode is found and read."""
    return replace(system.superblock, raw=b""), [group.inode_table for group in system.groups]


def _are_distinct(entries: list[Entry]) -> bool:
    return len({entry.path for entry in entries}) == len(entries)
