"""One pass over two images: which blocks differ, and in how many bytes."""

import errno
import os
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from typing import Final

from ci_toolkit.compare.spans import Span
from ci_toolkit.images.data import Data, Nested, OpenFile, Root

# Read into buffers that are used again and again: fresh memory would cost more than the comparison.
AT_ONCE: Final = 1 << 18
_SMALL: Final = 4096

# Offset, bytes of the first and of the second one: what is not equal, piece by piece.
Pieces = Iterator[tuple[int, bytes | memoryview, bytes | memoryview]]


@dataclass(slots=True)
class Scan:
    """The numbers of the blocks that differ, ascending, how many bytes differ in each, and the first one's offset."""

    numbers: "array[int]" = field(default_factory=lambda: array("Q"))
    counts: "array[int]" = field(default_factory=lambda: array("Q"))
    first: int | None = None

    def add(self, number: int, count: int) -> None:
        """Add COUNT differing bytes of a block, the last one so far or a later one."""
        if self.numbers and self.numbers[-1] == number:
            self.counts[-1] += count
        else:
            self.numbers.append(number)
            self.counts.append(count)


def scan(pieces: Pieces, block: int, found: Scan) -> None:
    """Count what differs in PIECES, which ascend and come after all that FOUND has, and add it to FOUND.

    They begin and, but for the last of all, end at multiples of AT_ONCE; BLOCK is a power of two, 4 KiB or more. Raises
    UnreadableError.
    """
    step = min(block, AT_ONCE)
    for offset, one, other in pieces:
        count = _counter()
        if found.first is None:
            mask = differing(one, other)
            found.first = offset + len(mask) - len(mask.lstrip(b"\0"))
        for start in range(0, len(one), step):
            x, y = bytes(one[start : start + step]), bytes(other[start : start + step])
            if x != y:
                found.add((offset + start) // block, count(x, y))


def merged(scans: Iterable[Scan], blocks: int) -> Scan:
    """Return what several scans have found, of which each has seen other stripes of so many BLOCKS, as one."""
    rows: list[tuple[int, Scan, slice]] = []
    result = Scan()
    for found in scans:
        if found.first is not None:
            result.first = found.first if result.first is None else min(result.first, found.first)
        start = 0
        while start < len(found.numbers):
            stripe = found.numbers[start] // blocks
            end = bisect_left(found.numbers, (stripe + 1) * blocks, start)
            rows.append((stripe, found, slice(start, end)))
            start = end
    for _, found, row in sorted(rows, key=itemgetter(0)):
        result.numbers.extend(found.numbers[row])
        result.counts.extend(found.counts[row])
    return result


def count_differing(x: bytes, y: bytes) -> int:
    """Return in how many bytes two contents of one length differ."""
    return _counter()(x, y)


@cache
def _counter() -> Callable[[bytes, bytes], int]:
    # Ten times as fast as operations on large integers, and two builds of a kernel's image differ in 100 MB and more.
    from rapidfuzz.distance import Hamming

    return Hamming.distance


def differing(x: bytes | memoryview, y: bytes | memoryview) -> bytes:
    """Return a byte for each position of the longer one: zero where both are equal."""
    shared = min(len(x), len(y))
    # One operation on large integers is far faster than a loop over bytes.
    mask = (int.from_bytes(x[:shared], "little") ^ int.from_bytes(y[:shared], "little")).to_bytes(shared, "little")
    return mask + b"\xff" * (max(len(x), len(y)) - shared)


def unequal(a: Data, b: Data, start: int, end: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (offset, bytes of A, bytes of B) of the pieces between START and END that are not equal."""
    if end - start <= _SMALL:
        one, other = a.read_at(start, end - start), b.read_at(start, end - start)
        if one != other:
            yield start, one, other
        return
    x, y = (bytearray(min(end - start, AT_ONCE)) for _ in range(2))
    for offset, length in steps(a, b, start, end):
        views = memoryview(x)[:length], memoryview(y)[:length]
        a.read_into(views[0], offset)
        b.read_into(views[1], offset)
        if x != y:
            one, other = bytes(views[0]), bytes(views[1])
            # Beyond LENGTH, both may have what was there before.
            if one != other:
                yield offset, one, other


def steps(a: Data, b: Data, start: int, end: int) -> Iterator[Span]:
    """Yield (offset, length) of what is to be compared between START and END, without what is a hole in both.

    None goes across a multiple of AT_ONCE, so that they stay aligned to the blocks that are counted.
    """
    holes = _Holes(a.root), _Holes(b.root)
    offset = start
    while offset < end:
        here = min(hole.next_data(offset) for hole in holes)
        offset = max(offset, here // AT_ONCE * AT_ONCE)
        length = min(AT_ONCE - offset % AT_ONCE, end - offset)
        if length <= 0:
            return
        yield offset, length
        offset += length


class _Holes:
    """Finds the holes of a sparse file or disk, in ascending order."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._data = 0
        self._hole = 0

    def next_data(self, offset: int) -> int:
        """Return where the first byte from OFFSET on lies that is in no hole; beyond the end for none."""
        if isinstance(self._root, Nested):
            return self._root.data.hole_until(offset)
        if not isinstance(self._root, OpenFile):
            return offset
        if offset >= self._hole:
            try:
                self._data = os.lseek(self._root.fd, offset, os.SEEK_DATA)
                self._hole = os.lseek(self._root.fd, self._data, os.SEEK_HOLE)
            except OSError as error:
                # There is nothing but a hole up to the end; or the file system cannot say.
                self._data = self._hole = 1 << 63 if error.errno == errno.ENXIO else offset
        return max(offset, self._data)
