"""Where the bytes of btrfs' files lie: inline in a tree, in extents as they are, or in compressed ones."""

from collections.abc import Iterator, Sequence
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import packed
from ci_toolkit.images.data import Data
from ci_toolkit.images.filesystems.btrfs_compression import METHODS, unpack
from ci_toolkit.images.filesystems.btrfs_items import EXTENT_DATA, Extent, read_extent
from ci_toolkit.images.filesystems.btrfs_superblock import Superblock
from ci_toolkit.images.filesystems.btrfs_trees import Chunks, Item, Trees
from ci_toolkit.images.filesystems.spans import Span
from ci_toolkit.images.limits import KIB, Budget
from ci_toolkit.images.packed import PLAIN, Block, Piece

# What remembering an extent costs.
_EXTENT_COST: Final = 64
# Of a file that is compressed in part, the other parts are read in pieces of this size.
_PLAIN_BLOCK: Final = 128 * KIB


class Contents:
    """Finds the bytes of files; gathers what belongs to them beside their contents.

    `reserved` are extents that were allocated and never written, `slack` the ends of last sectors, `mirrors` the second
    copies of data.
    """

    def __init__(self, data: Data, superblock: Superblock, trees: Trees, budget: Budget) -> None:
        self._data = data
        self._sector = superblock.sector_size
        self._trees = trees
        self._chunks: Chunks = trees.chunks
        self._budget = budget
        self._blocks = packed.Blocks(data, self._unpack, budget)
        self.reserved: list[Span] = []
        self.slack: list[Span] = []
        self.mirrors: list[Span] = []

    def content(self, root: int, number: int, size: int) -> Data:
        """Return the bytes of inode NUMBER of the tree at ROOT. Raises UnreadableError."""
        pieces: list[Piece] = []
        is_packed = False
        for item in self._trees.find(root, (number, EXTENT_DATA, 0), (number, EXTENT_DATA, (1 << 64) - 1)):
            self._budget.attribute(_EXTENT_COST)
            extent = read_extent(item.key[2], item.raw)
            if extent.reserved:
                self.reserved += [span for span, _ in self._located(extent.address, extent.held)]
            elif extent.compression:
                is_packed = True
                pieces.append(self._compressed(item, extent))
            elif extent.inline or extent.address:
                pieces += self._plain(item, extent)
        if is_packed:
            pieces = [part for piece in pieces for part in _split(piece)]
        found = packed.content(self._blocks, pieces, size)
        self._end(pieces, size)
        return found

    def spans(self, extent: Extent) -> list[Span]:
        """Return where all copies of an extent's bytes lie. Raises UnreadableError."""
        return [span for first, others in self._located(extent.address, extent.held) for span in (first, *others)]

    def _located(self, address: int, length: int) -> Iterator[tuple[Span, list[Span]]]:
        """Yield the pieces that an extent lies in: the first copy of each, and the others."""
        for here, copies in self._chunks.pieces(address, length):
            # A hostile image has extents over thousands of tiny chunks.
            self._budget.attribute(_EXTENT_COST)
            first, *others = ((copy, here) for copy in copies)
            yield first, others

    def _plain(self, item: Item, extent: Extent) -> Iterator[Piece]:
        if extent.inline:
            offset = self._chunks.copies(item.address + extent.offset, extent.held)[0]
            yield Piece(extent.start, extent.length, Block(offset, extent.held, PLAIN, extent.held))
            return
        start = extent.start
        for (offset, length), mirrors in self._located(extent.address + extent.offset, extent.length):
            yield Piece(start, length, Block(offset, length, PLAIN, length))
            self.mirrors += mirrors
            start += length

    def _compressed(self, item: Item, extent: Extent) -> Piece:
        method = METHODS.get(extent.compression)
        if method is None:
            raise UnreadableError(f"an extent is compressed by method {extent.compression}, which is not known")
        address = item.address + extent.offset if extent.inline else extent.address
        first, *others = self._chunks.copies(address, extent.held)
        if not extent.inline:
            self.mirrors += ((other, extent.held) for other in others)
        block = Block(first, extent.held, method, extent.unpacked)
        return Piece(extent.start, extent.length, block, 0 if extent.inline else extent.offset)

    def _end(self, pieces: Sequence[Piece], size: int) -> None:
        """Remember what follows the end of a file in its last sector."""
        if pieces and pieces[-1].block.method == PLAIN and size % self._sector:
            piece = pieces[-1]
            used = size - piece.start
            if 0 < used < piece.length and piece.length % self._sector == 0:
                self.slack.append((piece.block.offset + piece.skip + used, piece.length - used))

    def _unpack(self, block: Block, raw: bytes) -> bytes:
        return unpack(block.method, raw, block.length, self._sector)


def _split(piece: Piece) -> Iterator[Piece]:
    """Yield PIECE in parts that are small enough to be read whole."""
    if piece.block.method != PLAIN:
        yield piece
        return
    for start in range(0, piece.length, _PLAIN_BLOCK):
        length = min(_PLAIN_BLOCK, piece.length - start)
        yield Piece(piece.start + start, length, Block(piece.block.offset + start, length, PLAIN, length))
