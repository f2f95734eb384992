"""Which blocks an inode's content lies in: extents of ext4, indirect blocks of ext2 and ext3."""

import struct
import sys
from array import array
from collections.abc import Iterator
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.filesystems.ext4_superblock import Superblock

# (first logical block, number of blocks, first physical block)
Piece = tuple[int, int, int]

EXTENT_MAGIC: Final = 0xF30A
_EXTENT_HEADER: Final = struct.Struct("<HHHHI")
_EXTENT: Final = struct.Struct("<IHHI")
_INDEX: Final = struct.Struct("<IIHH")
# Longer lengths mark blocks that are reserved but read as zeros.
WRITTEN_MAX: Final = 32768
_DEPTH_MAX: Final = 5


class BlockMap:
    """Follows the maps of one file system, and remembers the blocks that hold the maps themselves.

    No block belongs to two files, so all maps together cannot name more blocks than there are: a damaged
    or hostile image that does is given up. Every map costs one more, since there may be more inodes than blocks. `left`
    is what they may still name.
    """

    def __init__(self, data: Data, superblock: Superblock) -> None:
        self._data = data
        self._size = superblock.block_size
        self.left = 2 * superblock.blocks + superblock.inodes + 1024
        self.map_blocks: list[int] = []

    def extents(self, root: bytes) -> list[Piece]:
        """Return the pieces of an extent tree whose ROOT is the inode's 60 bytes. Raises UnreadableError."""
        magic, count, _, depth, _ = _EXTENT_HEADER.unpack_from(root)
        # Nearly all files are empty or in one piece.
        if magic == EXTENT_MAGIC and depth == 0 and count <= 1:
            self.spend(1)
            if not count:
                return []
            logical, length, high, low = _EXTENT.unpack_from(root, 12)
            if length > WRITTEN_MAX:
                return []
            self.spend(length)
            return [(logical, length, low | high << 32)]
        return list(self._node(root, _DEPTH_MAX))

    def indirect(self, root: bytes, blocks: int) -> list[Piece]:
        """Return the pieces of BLOCKS blocks mapped by the inode's 15 pointers. Raises UnreadableError."""
        self.spend(1)
        pointers = struct.unpack("<15I", root)
        pieces: list[Piece] = []
        self._direct(pieces, 0, pointers[:12])
        logical = 12
        for depth, pointer in enumerate(pointers[12:], 1):
            if logical >= blocks:
                break
            self._tree(pieces, logical, pointer, depth, blocks)
            logical += (self._size // 4) ** depth
        return pieces

    def _node(self, raw: bytes, depth_max: int) -> Iterator[Piece]:
        magic, count, _, depth, _ = _EXTENT_HEADER.unpack_from(raw)
        if magic != EXTENT_MAGIC or depth > depth_max or 12 * (count + 1) > len(raw):
            raise UnreadableError("an extent tree is damaged")
        self.spend(1)
        for start in range(12, 12 * (count + 1), 12):
            if depth:
                _, low, high, _ = _INDEX.unpack_from(raw, start)
                yield from self._node(self._map_block(low | high << 32), depth - 1)
            else:
                logical, length, high, low = _EXTENT.unpack_from(raw, start)
                if length <= WRITTEN_MAX:
                    self.spend(length)
                    yield logical, length, low | high << 32

    def _tree(self, pieces: list[Piece], logical: int, pointer: int, depth: int, blocks: int) -> None:
        if pointer == 0:
            return
        pointers = array("I")
        pointers.frombytes(self._map_block(pointer))
        if sys.byteorder == "big":
            pointers.byteswap()
        if depth == 1:
            self._direct(pieces, logical, pointers)
            return
        span = (self._size // 4) ** (depth - 1)
        for index, below in enumerate(pointers):
            if below and logical + index * span < blocks:
                self._tree(pieces, logical + index * span, below, depth - 1, blocks)

    def _direct(self, pieces: list[Piece], logical: int, pointers: "array[int] | tuple[int, ...]") -> None:
        self.spend(len(pointers) - pointers.count(0))
        for index, block in enumerate(pointers, logical):
            if block == 0:
                continue
            if pieces:
                first, length, physical = pieces[-1]
                if first + length == index and physical + length == block:
                    pieces[-1] = (first, length + 1, physical)
                    continue
            pieces.append((index, 1, block))

    def _map_block(self, block: int) -> bytes:
        raw = self._data.read_at(block * self._size, self._size)
        if len(raw) < self._size:
            raise UnreadableError(f"block {block} lies beyond the end of the file system")
        self.map_blocks.append(block)
        self.spend(1)
        return raw

    def spend(self, blocks: int) -> None:
        """Account for BLOCKS more that a map names. Raises UnreadableError."""
        self.left -= blocks
        if self.left < 0:
            raise UnreadableError("the block maps name more blocks than the file system has")
