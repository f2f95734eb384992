"""The contents of EROFS: in whole blocks, behind their inodes, in chunks, compressed, or cut from a packed inode."""

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.filesystems import compressors, erofs_inodes, erofs_maps
from ci_toolkit.images.filesystems.erofs_inodes import FLAT_INLINE, NOWHERE, Inode
from ci_toolkit.images.filesystems.erofs_superblock import Superblock
from ci_toolkit.images.limits import Budget
from ci_toolkit.images.packed import PLAIN, Block, Blocks, Packed, Piece, content

_METHODS: Final = ("lz4-part", "microlzma", "deflate", "zstd")
_INDEXES: Final = 0x20
_48BIT: Final = 0x40
_CHUNK_BITS_MAX: Final = 40
# About the memory that one block of a file takes.
_PIECE: Final = 128


class Contents:
    """Finds what inodes hold."""

    def __init__(self, data: Data, superblock: Superblock, budget: Budget) -> None:
        self.blocks = Blocks(data, self._unpack, budget)
        # The packed inode's pieces, and where each begins; those of files are cut from them.
        self._packed: Sequence[Piece] = ()
        self._packed_starts: list[int] = []
        self._superblock = superblock
        self._budget = budget
        self._devices = (1 << superblock.devices.bit_length()) - 1

    def get(self, inode: Inode) -> tuple[Data, int]:
        """Return the content of INODE, and where its index in the metadata ends. Raises UnreadableError."""
        pieces, end = self._pieces(inode)
        return content(self.blocks, pieces, inode.size), end

    def keep_packed(self, inode: Inode) -> tuple[Data, int]:
        """Do the same for the packed inode, which from now on the ends of others are cut from."""
        pieces, end = self._pieces(inode)
        self._packed = pieces
        self._packed_starts = [piece.start for piece in pieces]
        return content(self.blocks, pieces, inode.size), end

    def _pieces(self, inode: Inode) -> tuple[list[Piece], int]:
        match inode.layout:
            case _ if not inode.size:
                return [], inode.end
            case erofs_inodes.FLAT_PLAIN | erofs_inodes.FLAT_INLINE:
                return list(self._flat(inode)), inode.end
            case erofs_inodes.CHUNKED:
                return self._chunked(inode)
            case _:
                return self._compressed(inode)

    def _flat(self, inode: Inode) -> Iterator[Piece]:
        block = self._superblock.block
        is_inline = inode.layout == FLAT_INLINE
        tail = (inode.size - 1) // block * block if is_inline else inode.size
        if tail and inode.block != NOWHERE:
            yield _plain(0, tail, inode.block * block)
        if is_inline:
            yield from self._behind(inode, tail, inode.size - tail)

    def _behind(self, inode: Inode, start: int, length: int) -> Iterator[Piece]:
        """Yield the file's last bytes, which stand in the metadata behind the inode."""
        if inode.end + length > inode.metadata.size:
            raise UnreadableError("the end of a file lies beyond the end of the file system")
        if isinstance(inode.metadata.root, Packed):
            pieces = inode.metadata.root.pieces
            yield from _cut(pieces, [piece.start for piece in pieces], inode.end, length, start)
        else:
            yield _plain(start, length, inode.end)

    def _chunked(self, inode: Inode) -> tuple[list[Piece], int]:
        bits = self._superblock.block.bit_length() - 1 + (inode.chunks & 0x1F)
        if bits > _CHUNK_BITS_MAX:
            raise UnreadableError(f"chunks of 2^{bits} bytes")
        has_indexes = bool(inode.chunks & _INDEXES)
        unit = 8 if has_indexes else 4
        place = -(-inode.end // unit) * unit
        count = -(-inode.size >> bits)
        if place + count * unit > inode.metadata.size:
            raise UnreadableError("the index of a file in chunks lies beyond the end")
        raw = inode.metadata.read_at(place, count * unit)
        self._budget.attribute(len(raw))
        mask = 0xFFFF_FFFF_FFFF if inode.chunks & _48BIT else 0xFFFF_FFFF
        found = []
        for number, fields in enumerate(struct.iter_unpack("<HHI" if has_indexes else "<I", raw)):
            where = (fields[-1] | (fields[0] << 32 if has_indexes else 0)) & mask
            if where == mask:
                continue
            if has_indexes and fields[1] & self._devices:
                raise UnreadableError("the file lies on another device, which is not here")
            self._budget.attribute(_PIECE)
            start = number << bits
            found.append(_plain(start, min(1 << bits, inode.size - start), where * self._superblock.block))
        return found, place + len(raw)

    def _compressed(self, inode: Inode) -> tuple[list[Piece], int]:
        if inode.metadata is not self.blocks.data and not isinstance(inode.metadata.root, Packed):
            raise UnreadableError("a compressed file whose inode is in a box that is not")
        found = erofs_maps.read_map(inode, self._superblock.block, self._budget)
        pieces: list[Piece] = []
        for extent in found.extents:
            self._budget.attribute(_PIECE)
            pieces += self._extent(extent)
        if found.fragment is not None:
            start, offset = found.fragment.start, found.fragment.offset
            pieces += _cut(self._packed, self._packed_starts, offset, inode.size - start, start)
        return pieces, found.end

    def _extent(self, extent: erofs_maps.Extent) -> Iterator[Piece]:
        if extent.algorithm != erofs_maps.PLAIN:
            if extent.algorithm >= len(_METHODS):
                raise UnreadableError(f"a file is compressed by number {extent.algorithm}, which nobody knows")
            method = _METHODS[extent.algorithm]
            yield Piece(extent.start, extent.length, Block(extent.offset, extent.size, method, extent.length))
            return
        block = Block(extent.offset, extent.size, PLAIN, extent.size)
        skip = extent.start % self._superblock.block if extent.interlaced else 0
        right = min(extent.length, extent.size - skip)
        yield Piece(extent.start, right, block, skip)
        if right < extent.length:
            if not extent.interlaced:
                raise UnreadableError("a block holds less than the file has")
            yield Piece(extent.start + right, extent.length - right, block)

    def _unpack(self, block: Block, raw: bytes) -> bytes:
        if self._superblock.is_padded:
            raw = raw.lstrip(b"\0")
        if not raw:
            raise UnreadableError(f"the block at byte {block.offset} is empty")
        return compressors.unpack(block.method, raw, block.length)


def _plain(start: int, length: int, offset: int) -> Piece:
    return Piece(start, length, Block(offset, length, PLAIN, length))


def _cut(pieces: Sequence[Piece], starts: list[int], offset: int, length: int, start: int) -> Iterator[Piece]:
    """Yield LENGTH bytes from OFFSET on of a content made of PIECES, as bytes from START on of another one."""
    end = offset + length
    for number in range(max(0, bisect_right(starts, offset) - 1), len(pieces)):
        piece = pieces[number]
        low, high = max(offset, piece.start), min(end, piece.start + piece.length)
        if piece.start >= end:
            break
        if low < high:
            yield Piece(start + low - offset, high - low, piece.block, piece.skip + low - piece.start)
