"""Where the bytes of f2fs' files lie: in the inode, in blocks as they are, or in compressed clusters."""

from collections.abc import Iterator
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import packed
from ci_toolkit.images.data import Data
from ci_toolkit.images.filesystems.compressors import unpack
from ci_toolkit.images.filesystems.f2fs_nodes import COMPRESSED_CLUSTER, INLINE_DATA, Inode, Nodes, Piece
from ci_toolkit.images.filesystems.f2fs_superblock import BLOCK
from ci_toolkit.images.filesystems.spans import Span
from ci_toolkit.images.limits import Budget
from ci_toolkit.images.packed import PLAIN, Block

# By the numbers that inodes have. Number 3 is LZO with runs of zeros, which only the kernel writes.
_METHODS: Final = {0: "lzo", 1: "lz4", 2: "zstd"}
# The length of what follows, its checksum, and room for more.
_CLUSTER_HEADER: Final = 24


class Contents:
    """Finds the bytes of files; `ends` are what follows them in their last blocks, `reserved` what lies beyond."""

    def __init__(self, data: Data, nodes: Nodes, budget: Budget) -> None:
        self._data = data
        self._nodes = nodes
        self._blocks = packed.Blocks(data, _unpack, budget)
        self.ends: list[Span] = []
        self.reserved: list[Span] = []

    def content(self, inode: Inode) -> Data:
        """Return the bytes of INODE, holes included. Raises UnreadableError."""
        if inode.inline & INLINE_DATA:
            start, room = inode.inline_span
            held = self._data.window(inode.place + start, min(inode.size, room))
            return held.scattered(((0, held.size, 0),), inode.size)
        pieces = list(self._nodes.pieces(inode))
        if inode.is_compressed:
            return packed.content(self._blocks, list(_clusters(pieces, inode)), inode.size)
        self._end(pieces, inode.size)
        return self._data.scattered(
            ((piece.start * BLOCK, piece.length * BLOCK, piece.block * BLOCK) for piece in pieces), inode.size
        )

    def _end(self, pieces: list[Piece], size: int) -> None:
        for piece in reversed(pieces):
            used = size - piece.start * BLOCK
            if used <= 0:
                self.reserved.append((piece.block * BLOCK, piece.length * BLOCK))
                continue
            if used < piece.length * BLOCK:
                self.ends.append((piece.block * BLOCK + used, piece.length * BLOCK - used))
            return


def _clusters(pieces: list[Piece], inode: Inode) -> Iterator[packed.Piece]:
    """Yield the parts of a file in which some clusters may be compressed."""
    unit = 1 << inode.cluster_log
    single = [
        (start, piece.block if piece.block == COMPRESSED_CLUSTER else piece.block + start - piece.start)
        for piece in pieces
        for start in range(piece.start, piece.start + piece.length)
    ]
    index = 0
    while index < len(single):
        start, block = single[index]
        index += 1
        if block != COMPRESSED_CLUSTER:
            length = min(BLOCK, inode.size - start * BLOCK)
            if length > 0:
                yield packed.Piece(start * BLOCK, length, Block(block * BLOCK, BLOCK, PLAIN, BLOCK))
            continue
        held = []
        while index < len(single) and single[index][0] < start + unit:
            held.append(single[index][1])
            index += 1
        yield _cluster(start, held, inode)


def _cluster(start: int, held: list[int], inode: Inode) -> packed.Piece:
    unit = 1 << inode.cluster_log
    method = _METHODS.get(inode.compression)
    if method is None:
        raise UnreadableError(f"it is compressed by method {inode.compression}, which is not read")
    if not held or start % unit:
        raise UnreadableError("a compressed cluster is damaged")
    if held != list(range(held[0], held[0] + len(held))):
        raise UnreadableError("a compressed cluster lies in several places, which is not read")
    block = Block(held[0] * BLOCK, len(held) * BLOCK, method, unit * BLOCK)
    length = min(unit * BLOCK, inode.size - start * BLOCK)
    if length <= 0:
        raise UnreadableError("a compressed cluster lies beyond the end of its file")
    return packed.Piece(start * BLOCK, length, block)


def _unpack(block: Block, raw: bytes) -> bytes:
    length = int.from_bytes(raw[:4], "little")
    if not 0 < length <= len(raw) - _CLUSTER_HEADER:
        raise UnreadableError(f"the compressed cluster at byte {block.offset} is damaged")
    return unpack(block.method, raw[_CLUSTER_HEADER : _CLUSTER_HEADER + length], block.length)
