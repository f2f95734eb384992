"""Which blocks a fork of an XFS inode lies in: extents in the inode, or a tree of them."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.filesystems.xfs_inodes import BTREE, EXTENTS, Fork
from ci_toolkit.images.filesystems.xfs_superblock import Superblock
from ci_toolkit.images.limits import Budget

_EXTENT: Final = struct.Struct(">QQ")
EXTENT_SIZE: Final = 16
_MAGICS: Final = (b"BMAP", b"BMA3")
_LONG_HEADER: Final = 24
_LONG_HEADER_5: Final = 72
UUID_AT: Final = 40
CRC_AT: Final = 64
_LEVEL_MAX: Final = 9
# What remembering an extent costs.
_EXTENT_COST: Final = 64


class Piece(NamedTuple):
    """LENGTH blocks of a file from block START on; OFFSET is the byte where they lie, `written` whether they count."""

    start: int
    length: int
    offset: int
    written: bool


class BlockMap:
    """Follows the maps of one file system, and remembers where the blocks of the maps themselves begin."""

    def __init__(self, data: Data, superblock: Superblock, budget: Budget) -> None:
        self._data = data
        self._superblock = superblock
        self._budget = budget
        self._left = superblock.blocks + 1024
        self._header = _LONG_HEADER_5 if superblock.is_v5 else _LONG_HEADER
        self.map_blocks: list[int] = []

    def pieces(self, fork: Fork) -> list[Piece]:
        """Return the pieces of FORK in order. Raises UnreadableError."""
        if fork.form == EXTENTS:
            if fork.extents * EXTENT_SIZE > len(fork.raw):
                raise UnreadableError(f"{fork.extents} extents are said to lie in {len(fork.raw)} bytes")
            return list(self._extents(fork.raw, 0, fork.extents))
        if fork.form == BTREE:
            return list(self._root(fork.raw))
        raise UnreadableError(f"a fork is of form {fork.form}")

    def _root(self, raw: bytes) -> Iterator[Piece]:
        level, count = struct.unpack_from(">HH", raw) if len(raw) >= 4 else (0, 0)
        room = (len(raw) - 4) // 16
        if not 0 < level <= _LEVEL_MAX or not 0 < count <= room:
            raise UnreadableError("an extent tree is damaged")
        for (block,) in struct.iter_unpack(">Q", raw[4 + 8 * room : 4 + 8 * (room + count)]):
            yield from self._node(block, level - 1)

    def _node(self, block: int, level: int) -> Iterator[Piece]:
        size = self._superblock.block_size
        place = self._superblock.offset(block)
        # No block belongs to two maps, so all of them together are no more than there are blocks.
        self._left -= 1
        if self._left < 0:
            raise UnreadableError("the extent trees have more blocks than the file system")
        raw = self._data.read_at(place, size)
        magic, own_level, count = struct.unpack_from(">4sHH", raw)
        room = (size - self._header) // 16
        if magic != _MAGICS[self._superblock.is_v5] or own_level != level or count > room:
            raise UnreadableError("an extent tree is damaged")
        self.map_blocks.append(place)
        if level == 0:
            yield from self._extents(raw, self._header, count)
            return
        start = self._header + 8 * room
        for (below,) in struct.iter_unpack(">Q", raw[start : start + 8 * count]):
            yield from self._node(below, level - 1)

    def _extents(self, raw: bytes, start: int, count: int) -> Iterator[Piece]:
        for high, low in _EXTENT.iter_unpack(raw[start : start + count * EXTENT_SIZE]):
            self._budget.attribute(_EXTENT_COST)
            block = (high & 0x1FF) << 43 | low >> 21
            length = low & 0x1FFFFF
            offset = self._superblock.offset(block)
            within = block & (1 << self._superblock.group_log) - 1
            if within + length > self._superblock.group_size(block >> self._superblock.group_log):
                raise UnreadableError(f"{length} blocks from block {block} on lie beyond the end of their group")
            yield Piece(high >> 9 & (1 << 54) - 1, length, offset, not high >> 63)

    def located(self, pieces: list[Piece], size: int) -> Data:
        """Return SIZE bytes of the file that PIECES are; what was never written is a hole. Raises UnreadableError."""
        block = self._superblock.block_size
        return self._data.scattered(
            ((piece.start * block, piece.length * block, piece.offset) for piece in pieces if piece.written), size
        )
