"""Two streams decompressed at once: pieces that are the same in both, at the same place, are kept once."""

from bisect import bisect_right

from ci_toolkit.images.archives.spool import Spool
from ci_toolkit.images.data import Data
from ci_toolkit.images.format import Same


class Beside(Spool):
    """A file without a name beside a `first` one, which is written at the same time by another thread."""

    def __init__(self, first: Spool) -> None:
        super().__init__()
        self.first = first
        # Where the spans begin and end, in turn, that the first one has.
        self._bounds: list[int] = []
        self._buffer = bytearray()

    def write(self, piece: bytes) -> None:
        start, end = self.size, self.size + len(piece)
        if not self._first_has(piece, start, end):
            super().write(piece)
            return
        if self._bounds and self._bounds[-1] == start:
            self._bounds[-1] = end
        else:
            self._bounds += start, end
        self.skip(len(piece))

    def shares(self, offset: int, length: int) -> bool:
        """Tell whether the first one has the same LENGTH bytes from OFFSET on, for certain."""
        place = bisect_right(self._bounds, offset)
        return place % 2 == 1 and offset + length <= self._bounds[place]

    def read_at(self, offset: int, length: int) -> bytes:
        found = bytearray(length)
        self.read_into(memoryview(found), offset)
        return bytes(found)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        position, end = offset, offset + len(buffer)
        while position < end:
            place = bisect_right(self._bounds, position)
            until = min(end, self._bounds[place]) if place < len(self._bounds) else end
            part = buffer[position - offset : until - offset]
            if place % 2:
                self.first.read_into(part, position)
            else:
                super().read_into(part, position)
            position = until

    def _first_has(self, piece: bytes, start: int, end: int) -> bool:
        if not self.first.has(end):
            return False
        if len(self._buffer) != len(piece):
            self._buffer = bytearray(len(piece))
        self.first.read_into(memoryview(self._buffer), start)
        return self._buffer == piece


def same(a: Data, b: Data) -> Same | None:
    """Return what tells of a span of B whether A has the same bytes there, if B was written beside A."""
    root = b.root
    if not isinstance(root, Beside) or root.first is not a.root or not len(a.runs) == len(b.runs) == 1:
        return None
    base = b.runs[0].offset
    if base is None or base != a.runs[0].offset:
        return None
    return lambda offset, length: root.shares(base + offset, length)
