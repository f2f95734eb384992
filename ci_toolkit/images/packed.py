"""Contents that are stored compressed, block by block: unpacked when they are read, and where they lie in the image."""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data, whole
from ci_toolkit.images.limits import MIB, Budget

PLAIN: Final = ""
# Files that share a block are mostly read one after the other.
_KEPT: Final = 16 * MIB


class Unpacked:
    """A root of bytes that are unpacked from those at `place` of the image."""

    def __init__(self, place: Data) -> None:
        self.place = place


class Block(NamedTuple):
    """`size` bytes at `offset` of the image, which `method` unpacks to at most `length`."""

    offset: int
    size: int
    method: str
    length: int


class Piece(NamedTuple):
    """`length` bytes of a content from `start` on: those that `block` holds, unpacked, from `skip` on."""

    start: int
    length: int
    block: Block
    skip: int = 0


# Unpacks the bytes of one block; raises UnreadableError.
Unpacker = Callable[[Block, bytes], bytes]


class Blocks:
    """The blocks of one image, unpacked; the last ones are kept."""

    def __init__(self, data: Data, unpack: Unpacker, budget: Budget) -> None:
        self.data = data
        self._unpack = unpack
        self._budget = budget
        self._kept: OrderedDict[Block, bytes] = OrderedDict()
        self._held = 0

    def get(self, block: Block) -> bytes:
        """Return what BLOCK holds. Raises UnreadableError when it is damaged or too much was unpacked already."""
        found = self._kept.get(block)
        if found is not None:
            self._kept.move_to_end(block)
            return found
        raw = self.data.read_at(block.offset, block.size)
        if len(raw) < block.size:
            raise UnreadableError(f"a block lies beyond byte {self.data.size}, the end")
        if block.method == PLAIN:
            return raw
        self._budget.stream()
        found = self._unpack(block, raw)
        if len(found) > block.length:
            raise UnreadableError(f"the block at byte {block.offset} holds more than it says")
        self._budget.decompress(len(found))
        self._keep(block, found)
        return found

    def _keep(self, block: Block, found: bytes) -> None:
        self._kept[block] = found
        self._held += len(found)
        while self._held > _KEPT and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._held -= len(oldest)


class Packed(Unpacked):
    """The root of one content: its pieces, in order and without overlaps; what lies between them is zeros."""

    def __init__(self, blocks: Blocks, pieces: Sequence[Piece], size: int) -> None:
        self.size = size
        self.pieces = tuple(pieces)
        super().__init__(_place(blocks.data, self.pieces))
        self._blocks = blocks
        self._starts = [piece.start for piece in pieces]

    def read_at(self, offset: int, length: int) -> bytes:
        found = bytearray(length)
        self.read_into(memoryview(found), offset)
        return bytes(found)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        position = offset
        end = offset + len(buffer)
        for piece in self._between(offset, end):
            if piece.start > position:
                buffer[position - offset : piece.start - offset] = bytes(piece.start - position)
                position = piece.start
            start = piece.skip + position - piece.start
            length = min(end, piece.start + piece.length) - position
            held = self._blocks.get(piece.block)[start : start + length]
            if len(held) < length:
                raise UnreadableError(f"the block at byte {piece.block.offset} holds less than the file has")
            buffer[position - offset : position - offset + length] = held
            position += length
        if position < end:
            buffer[position - offset :] = bytes(end - position)

    def _between(self, offset: int, end: int) -> Iterator[Piece]:
        index = max(0, bisect_right(self._starts, offset) - 1)
        for number in range(index, len(self.pieces)):
            piece = self.pieces[number]
            if piece.start >= end:
                return
            if piece.start + piece.length > offset:
                yield piece


def content(blocks: Blocks, pieces: Sequence[Piece], size: int) -> Data:
    """Return SIZE bytes made of PIECES, in order of start; where all are stored as they are, in the image itself.

    Raises UnreadableError for pieces that overlap or lie beyond the end.
    """
    if all(piece.block.method == PLAIN for piece in pieces):
        if any(piece.skip + piece.length > piece.block.size for piece in pieces):
            raise UnreadableError("a block holds less than the file has")
        return blocks.data.scattered(
            ((piece.start, piece.length, piece.block.offset + piece.skip) for piece in pieces), size
        )
    return whole(Packed(blocks, pieces, size)).scattered(
        ((piece.start, piece.length, piece.start) for piece in pieces), size
    )


def origin(data: Data) -> Data:
    """Return where DATA lies in the image: itself, or what it is unpacked from."""
    return _unpacked_from(data) or data


def pieces_of(data: Data | None) -> int:
    """Count the pieces that DATA is put together from, which to compare or claim it means to go through."""
    if data is None:
        return 0
    return len(data.runs) + (len(data.root.pieces) if isinstance(data.root, Packed) else 0)


def is_alike(a: Data, b: Data) -> bool:
    """Tell whether A and B are made in one way of the bytes where they lie, so that equal bytes mean equal contents."""
    if a.size != b.size or a.runs != b.runs or (_unpacked_from(a) is None) != (_unpacked_from(b) is None):
        return False
    if isinstance(a.root, Packed) and isinstance(b.root, Packed):
        return a.root.pieces == b.root.pieces and a.root.place.runs == b.root.place.runs
    return _unpacked_from(a) is None


def _unpacked_from(data: Data) -> Data | None:
    return data.root.place if isinstance(data.root, Unpacked) else None


def is_packed_alike(a: Data, b: Data) -> bool:
    """Tell whether A and B are unpacked in one way from as many bytes, wherever they lie, and from few.

    Then equal bytes there mean equal contents, and need not be unpacked.
    """
    if not (isinstance(a.root, Packed) and isinstance(b.root, Packed) and a.runs == b.runs):
        return False
    # The end of a small file may lie in a large block with others, which is kept unpacked.
    if not a.root.place.size == b.root.place.size <= a.size:
        return False
    return list(_recipe(a.root.pieces)) == list(_recipe(b.root.pieces))


def _recipe(pieces: Sequence[Piece]) -> Iterator[tuple[int, int, int, int, str, int, bool]]:
    """Yield all that matters of PIECES but where their blocks lie."""
    last: Block | None = None
    for start, length, block, skip in pieces:
        yield start, length, skip, block.size, block.method, block.length, block == last
        last = block


def _place(data: Data, pieces: Sequence[Piece]) -> Data:
    """Put together the blocks of PIECES, each once where it is used several times in a row."""
    spans: list[tuple[int, int, int]] = []
    size = 0
    last: Block | None = None
    for piece in pieces:
        if piece.block != last:
            spans.append((size, piece.block.size, piece.block.offset))
            size += piece.block.size
        last = piece.block
    return data.scattered(spans, size)
