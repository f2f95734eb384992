"""The metadata blocks of squashfs, and the tables of ids, fragments and extended attributes made of them."""

import struct
from functools import lru_cache
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import text
from ci_toolkit.images.filesystems.squashfs_superblock import NOTHING, Superblock
from ci_toolkit.images.limits import Budget
from ci_toolkit.images.packed import PLAIN, Block, Blocks

METADATA: Final = 8192
STORED: Final = 1 << 24

_PLAIN_METADATA: Final = 0x8000
_KEPT: Final = 512
_FRAGMENT: Final = struct.Struct("<QII")
_XATTR_ID: Final = struct.Struct("<QII")
_XATTR_HEADER: Final = struct.Struct("<QII")
_PREFIXES: Final = {0: "user.", 1: "trusted.", 2: "security."}
_OUT_OF_LINE: Final = 0x100
_VALUE_MAX: Final = 1 << 16
# About the memory that an attribute takes beside its name and value.
_ATTRIBUTE: Final = 128

Span = tuple[int, int]


class Metadata:
    """Reads on from any place in a row of metadata blocks."""

    def __init__(self, blocks: Blocks, superblock: Superblock) -> None:
        self._size = superblock.size

        @lru_cache(maxsize=_KEPT)
        def load(position: int) -> tuple[bytes, int]:
            if not 0 <= position <= superblock.size - 2:
                raise UnreadableError(f"a metadata block at byte {position}, beyond the end")
            header = int.from_bytes(blocks.data.read_at(position, 2), "little")
            size = header & ~_PLAIN_METADATA
            method = PLAIN if header & _PLAIN_METADATA else superblock.method
            end = position + 2 + size
            if not 0 < size <= METADATA or end > superblock.size:
                raise UnreadableError(f"the metadata block at byte {position} is damaged")
            return blocks.get(Block(position + 2, size, method, METADATA)), end

        self._load = load

    def at(self, position: int, within: int) -> "Cursor":
        """Return a cursor at byte WITHIN of the block that begins at POSITION."""
        return Cursor(self, position, within)

    def load(self, position: int) -> tuple[bytes, int]:
        """Return the block at POSITION and where the next one begins. Raises UnreadableError."""
        return self._load(position)


class Cursor:
    """A place in a row of metadata blocks; `take` moves it."""

    def __init__(self, metadata: Metadata, position: int, within: int) -> None:
        self._metadata = metadata
        self._first = position
        self._position = position
        self._block, self._next = metadata.load(position)
        self._within = within

    def take(self, length: int) -> bytes:
        """Return the next LENGTH bytes. Raises UnreadableError when there are fewer."""
        found = self._block[self._within : self._within + length]
        self._within += len(found)
        if len(found) == length:
            return found
        parts = [found]
        length -= len(found)
        while length:
            # Only the last block of a table may be short.
            if self._within < METADATA:
                raise UnreadableError("a table of the squashfs is cut")
            self._position = self._next
            self._block, self._next = self._metadata.load(self._position)
            part = self._block[:length]
            self._within = len(part)
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def span(self) -> Span:
        """Where the blocks read so far lie: offset and length."""
        return self._first, self._next - self._first


class Lookup:
    """A table of COUNT records of one size, found by their number: `start` is where its first block lies."""

    def __init__(self, blocks: Blocks, metadata: Metadata, table: int, count: int, size: int) -> None:
        self.count = count
        self._metadata = metadata
        self._size = size
        self._per_block = METADATA // size
        self._index = blocks.data.read_at(table, 8 * -(-count // self._per_block)) if count else b""
        if len(self._index) < 8 * -(-count // self._per_block):
            raise UnreadableError("an index of the squashfs is cut")
        self.start = self._block(0) if count else table

    def get(self, number: int) -> bytes:
        """Return record NUMBER. Raises UnreadableError when there is none."""
        if number >= self.count:
            raise UnreadableError(f"record {number} of a table with {self.count}")
        block, within = divmod(number, self._per_block)
        return self._metadata.at(self._block(block), within * self._size).take(self._size)

    def _block(self, number: int) -> int:
        return int.from_bytes(self._index[8 * number : 8 * number + 8], "little")


class Tables:
    """All tables of one squashfs but the inodes and directories."""

    def __init__(self, blocks: Blocks, superblock: Superblock, metadata: Metadata, budget: Budget) -> None:
        self._metadata = metadata
        self._superblock = superblock
        self._budget = budget
        fragments = superblock.fragments if superblock.fragment_table != NOTHING else 0
        self.ids = Lookup(blocks, metadata, superblock.id_table, superblock.ids, 4)
        self.fragments = Lookup(blocks, metadata, superblock.fragment_table, fragments, _FRAGMENT.size)
        self.exports: Lookup | None = None
        if superblock.export_table != NOTHING:
            self.exports = Lookup(blocks, metadata, superblock.export_table, superblock.inodes, 8)
        self.xattrs: Lookup | None = None
        self.xattr_start = NOTHING
        if superblock.xattr_table != NOTHING:
            header = blocks.data.read_at(superblock.xattr_table, _XATTR_HEADER.size)
            if len(header) < _XATTR_HEADER.size:
                raise UnreadableError("the table of extended attributes is cut")
            self.xattr_start, count, _ = _XATTR_HEADER.unpack(header)
            place = superblock.xattr_table + _XATTR_HEADER.size
            self.xattrs = Lookup(blocks, metadata, place, count, _XATTR_ID.size)
        self._id = lru_cache(maxsize=_KEPT)(self._read_id)

    def id(self, number: int) -> int:
        """Return the user or group of index NUMBER. Raises UnreadableError."""
        return self._id(number)

    def fragment(self, number: int) -> Block:
        """Return the block of fragment NUMBER. Raises UnreadableError."""
        start, size, _ = _FRAGMENT.unpack(self.fragments.get(number))
        return data_block(self._superblock, start, size, self._superblock.block_size)

    def attributes(self, number: int) -> tuple[tuple[str, bytes], ...]:
        """Return the extended attributes of index NUMBER. Raises UnreadableError."""
        if self.xattrs is None:
            raise UnreadableError("there is no table of extended attributes")
        reference, count, _ = _XATTR_ID.unpack(self.xattrs.get(number))
        cursor = self._xattr_at(reference)
        found = []
        for _ in range(count):
            kind, length = struct.unpack("<HH", cursor.take(4))
            prefix = _PREFIXES.get(kind & 0xFF, f"{kind & 0xFF}.")
            name = prefix + text(cursor.take(length))
            value = self._value(cursor)
            if kind & _OUT_OF_LINE:
                if len(value) != 8:
                    raise UnreadableError("an extended attribute is damaged")
                value = self._value(self._xattr_at(int.from_bytes(value, "little")))
            self._budget.attribute(_ATTRIBUTE + len(name) + len(value))
            found.append((name, value))
        return tuple(sorted(found))

    def _xattr_at(self, reference: int) -> Cursor:
        return self._metadata.at(self.xattr_start + (reference >> 16), reference & 0xFFFF)

    def _value(self, cursor: Cursor) -> bytes:
        length = int.from_bytes(cursor.take(4), "little")
        if length > _VALUE_MAX:
            raise UnreadableError(f"an extended attribute of {length} bytes")
        return cursor.take(length)

    def _read_id(self, number: int) -> int:
        return int.from_bytes(self.ids.get(number), "little")


def data_block(superblock: Superblock, offset: int, size: int, length: int) -> Block:
    """Return a block of contents; a bit of SIZE says whether it is stored as it is."""
    plain = bool(size & STORED)
    size &= STORED - 1
    if size > superblock.block_size or offset + size > superblock.size:
        raise UnreadableError(f"a data block of {size} bytes at byte {offset}")
    return Block(offset, size, PLAIN if plain else superblock.method, length)
