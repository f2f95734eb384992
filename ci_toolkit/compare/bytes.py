"""Where two images differ, byte by byte, and which of those bytes are accounted for."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from ci_toolkit.compare.scan import AT_ONCE, Scan, count_differing, unequal
from ci_toolkit.compare.scanning import Scanning
from ci_toolkit.compare.spans import Span, bounded
from ci_toolkit.images.data import Data, Run
from ci_toolkit.images.format import Same
from ci_toolkit.images.limits import MIB

_BLOCK_MIN: Final = 4096
# Blocks grow with the image, so that no more than about this many have to be remembered.
_BLOCKS_MAX: Final = 1 << 20
# Less than a scan reads, since these buffers are made for each pair of files.
_READ_AT_ONCE: Final = 1 << 17
_RECENT_MAX: Final = 1024
# What is read to spare waiting, of one content and in all: most are smaller, as kernels are, or differ before.
_LOOKED_AT: Final = 16 * MIB
_LOOKED_AT_IN_ALL: Final = 64 * MIB


class Changes:
    """The differing bytes of two images, found in one pass; `claim` takes away those that something explains.

    A byte beyond the end of the shorter image differs. `total` counts them all, `first` is the first one's offset.

    The pass goes on in other processes, where there are any, until somebody asks for what only it can tell; from then
    on its UnreadableError is raised by each question. To be closed.
    """

    def __init__(self, a: Data, b: Data) -> None:
        self._a, self._b = a, b
        self._size = max(a.size, b.size)
        self._shared = min(a.size, b.size)
        self._block = _BLOCK_MIN
        while self._size // self._block > _BLOCKS_MAX:
            self._block *= 2
        # The numbers of the blocks that differ, and what is left to claim of each.
        self._numbers, self._counts = array("Q"), array("Q")
        self._total = 0
        self._first: int | None = None
        # Of blocks that were claimed in part: where claimed spans begin and end, in turn. The bytes are read again
        # when they are claimed: to remember which of them differ would take as much memory as the images have.
        self._claimed: dict[int, list[int]] = {}
        # Where the bytes lie that were claimed of late: begin and end of each span.
        self._recent: list[tuple[int, int]] = []
        # The next block, itself included, in which something is left: hostile containers claim the same bytes over
        # and over again.
        self._following = array("Q")
        self._may_look_at = _LOOKED_AT_IN_ALL
        self._postponed: list[Callable[[], None]] = []
        self._scanning: Scanning | None = Scanning(a, b, self._shared, self._block)
        if not self._scanning.goes_on:
            self._wait()

    @property
    def total(self) -> int:
        self._wait()
        return self._total

    @property
    def first(self) -> int | None:
        self._wait()
        return self._first

    def any(self) -> bool:
        """Tell whether any byte differs, as soon as that is known."""
        if self._shared < self._size:
            return True
        return self._scanning.has_found() if self._scanning is not None else self._total > 0

    def close(self) -> None:
        """End what other processes still do."""
        if self._scanning is not None:
            self._scanning.close()

    def of(self, a: Data, b: Data) -> bool:
        """Tell whether two data lie in these very images."""
        return a.root is self._a.root and b.root is self._b.root

    def hold(self, data: Data) -> bool:
        """Tell whether DATA lies in one of these images."""
        return data.root is self._a.root or data.root is self._b.root

    def same(self, a: Data, b: Data) -> Same | None:
        """Return what tells of a span whether it lies in no block that differs; None if A and B do not lie alike.

        Only who asks that waits for the pass; it is quick where one span after the other is in one place.
        """
        if not self.of(a, b) or a.runs != b.runs or len(a.runs) != 1 or a.runs[0].offset is None:
            return None
        base, block = a.runs[0].offset, self._block
        low = high = 0

        def same(offset: int, length: int) -> bool:
            nonlocal low, high
            begin = base + offset
            if begin < low or begin + length > high:
                self._wait()
                numbers = self._numbers
                index = bisect_left(numbers, begin // block)
                low = (numbers[index - 1] + 1) * block if index else 0
                high = numbers[index] * block if index < len(numbers) else self._size
            return begin + length <= high

        return same

    def differs(self, runs: Sequence[Run]) -> bool:
        """Tell whether a byte in RUNS differs, whoever claimed it; hardly more is read than the blocks at the ends."""
        soon = self._differs_soon(runs) if self._scanning is not None else None
        if soon is not None:
            return soon
        self._wait()
        for run in runs:
            if run.offset is None:
                continue
            end = run.offset + run.length
            index = bisect_left(self._numbers, run.offset // self._block)
            while index < len(self._numbers) and (base := self._numbers[index] * self._block) < end:
                low, high = max(run.offset, base), min(end, base + self._block, self._size)
                if high - low == self._block or self._count(low, high):
                    return True
                index += 1
        return False

    def claim(self, runs: Iterable[Run]) -> int:
        """Return how many differing bytes lie in RUNS that nobody has claimed yet; from now on they are claimed."""
        self._wait()
        return sum(self._claim(run.offset, run.offset + run.length) for run in runs if run.offset is not None)

    def afterwards(self, claim: Callable[[], None]) -> None:
        """Call CLAIM, which claims bytes, when the pass is over: before any other claim, unless that came earlier."""
        if self._scanning is None:
            claim()
        else:
            self._postponed.append(claim)

    def recent(self, limit: int) -> tuple[Span, ...]:
        """Return the spans, at most LIMIT, that hold the bytes claimed since the last call."""
        if not self._recent:
            return ()
        found = bounded(((low, high - low) for low, high in self._recent), limit)
        self._recent.clear()
        return found

    def left(self, runs: Iterable[Run]) -> list[Span]:
        """Return the spans (offset, length) of RUNS, in whole blocks, in which unclaimed differing bytes lie."""
        self._wait()
        spans: list[Span] = []
        for run in runs:
            if run.offset is None:
                continue
            for index, low, high in self._blocks(run.offset, run.offset + run.length):
                if not self._is_whole(index, low, high) and not any(
                    self._count(*span) for span in self._free(index, low, high)
                ):
                    continue
                if spans and sum(spans[-1]) == low:
                    spans[-1] = (spans[-1][0], spans[-1][1] + high - low)
                else:
                    spans.append((low, high - low))
        return spans

    def _wait(self) -> None:
        """Wait for the end of the pass, unless it has come."""
        if self._scanning is None:
            return
        found = self._scanning.result()
        self._scanning = None
        self._add_longer(found)
        self._numbers, self._counts, self._first = found.numbers, found.counts, found.first
        self._total = sum(found.counts)
        self._following = array("Q", range(len(found.numbers) + 1))
        postponed, self._postponed = self._postponed, []
        for claim in postponed:
            claim()

    def _differs_soon(self, runs: Sequence[Run]) -> bool | None:
        """Tell whether RUNS differ without waiting for the pass; None if that would mean to read much."""
        assert self._scanning is not None
        known = [self._scanning.differs(run.offset, run.offset + run.length) for run in runs if run.offset is not None]
        if True in known:
            return True
        if None not in known:
            return False
        left = min(_LOOKED_AT, self._may_look_at)
        for run in runs:
            if run.offset is None:
                continue
            length = min(left, run.length)
            if length <= 0 or run.offset + length > self._shared:
                return None
            left -= length
            self._may_look_at -= length
            if next(unequal(self._a, self._b, run.offset, run.offset + length), None) is not None:
                return True
            if length < run.length:
                return None
        return False

    def _add_longer(self, found: Scan) -> None:
        """Add what only the longer one has: it differs, whatever it is, need not be read, and may be one large hole."""
        start = self._shared
        if found.first is None and start < self._size:
            found.first = start
        while start < self._size:
            end = min(start // self._block * self._block + self._block, self._size)
            found.add(start // self._block, end - start)
            start = end

    def _claim(self, start: int, end: int) -> int:
        total = 0
        index = self._unclaimed(bisect_left(self._numbers, start // self._block))
        length = 1
        while index < len(self._numbers):
            if length > 1 and self._is_row(index, length, start, end):
                total += self._claim_row(index, length)
                index, length = self._unclaimed(index + length), 2 * length
                continue
            low, high = self._within(index, start, end)
            if low >= high:
                break
            is_whole = self._is_whole(index, low, high)
            total += self._claim_row(index, 1) if is_whole else self._claim_part(index, low, high)
            # Rows are tried in ever longer ones: what is looked at in vain is no more than what was claimed before.
            index, length = self._unclaimed(index + 1), 2 if is_whole else 1
        return total

    def _is_row(self, index: int, length: int, start: int, end: int) -> bool:
        """Tell whether LENGTH blocks follow each other, lie wholly between START and END, and all have something left.

        So a kernel's ten thousand blocks are claimed in a few steps.
        """
        stop, numbers = index + length, self._numbers
        return (
            stop <= len(numbers)
            and numbers[stop - 1] - numbers[index] == length - 1
            and start <= numbers[index] * self._block
            and min((numbers[stop - 1] + 1) * self._block, self._size) <= end
            and 0 not in self._counts[index:stop]
        )

    def _claim_row(self, index: int, length: int) -> int:
        """Claim all that is left in LENGTH whole blocks that follow each other."""
        stop = index + length
        total = sum(self._counts[index:stop])
        self._counts[index:stop] = array("Q", bytes(self._counts.itemsize * length))
        self._following[index:stop] = array("Q", (stop,)) * length
        if self._claimed:
            for number in range(index, stop):
                self._claimed.pop(number, None)
        base = self._numbers[index] * self._block
        self._note(base, min(base + length * self._block, self._size))
        return total

    def _claim_part(self, index: int, low: int, high: int) -> int:
        count = self._take(index, low, high)
        self._counts[index] -= count
        if count:
            self._note(low, high)
        if self._counts[index] == 0:
            self._claimed.pop(index, None)
            self._following[index] = index + 1
        return count

    def _note(self, low: int, high: int) -> None:
        """Remember where claimed bytes lie, not so exactly where they are scattered."""
        if self._recent and self._recent[-1][0] <= low <= self._recent[-1][1]:
            self._recent[-1] = self._recent[-1][0], max(high, self._recent[-1][1])
            return
        self._recent.append((low, high))
        if len(self._recent) > _RECENT_MAX:
            found = bounded(((low, high - low) for low, high in self._recent), _RECENT_MAX // 2)
            self._recent = [(offset, offset + length) for offset, length in found]

    def _take(self, index: int, low: int, high: int) -> int:
        """Claim a part of a block."""
        count = sum(self._count(*span) for span in self._free(index, low, high))
        bounds = self._claimed.setdefault(index, [])
        first, last = bisect_left(bounds, low), bisect_right(bounds, high)
        # An odd place lies inside a span that was claimed before, or touches it: both become one.
        bounds[first:last] = ([] if first % 2 else [low]) + ([] if last % 2 else [high])
        return count

    def _free(self, index: int, low: int, high: int) -> list[Span]:
        """Return the spans (begin, end) between LOW and HIGH of a block that nobody has claimed."""
        bounds = self._claimed.get(index, ())
        place = bisect_right(bounds, low)
        edges = [*([] if place % 2 else [low]), *bounds[place : bisect_left(bounds, high)], high]
        return [(edges[i], edges[i + 1]) for i in range(0, len(edges) - 1, 2)]

    def _count(self, low: int, high: int) -> int:
        """Count the differing bytes between LOW and HIGH."""
        return max(0, high - max(low, self._shared)) + sum(
            count_differing(one, other) for _, one, other in unequal(self._a, self._b, low, min(high, self._shared))
        )

    def _is_whole(self, index: int, low: int, high: int) -> bool:
        base = self._numbers[index] * self._block
        return low == base and high == min(base + self._block, self._size)

    def _blocks(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Yield (index, first byte, end) of the blocks between START and END with something left, cut to them."""
        index = self._unclaimed(bisect_left(self._numbers, start // self._block))
        while index < len(self._numbers):
            low, high = self._within(index, start, end)
            if low >= high:
                return
            yield index, low, high
            index = self._unclaimed(index + 1)

    def _within(self, index: int, start: int, end: int) -> Span:
        """Return where the part of a block between START and END begins and ends."""
        base = self._numbers[index] * self._block
        return max(start, base), min(end, base + self._block, self._size)

    def _unclaimed(self, index: int) -> int:
        """Return the first block from INDEX on that is not wholly claimed; the way there is shorter the next time."""
        following = self._following
        while following[index] != index:
            following[index] = following[following[index]]
            index = following[index]
        return index


def first_difference(a: Data, b: Data) -> int | None:
    """Return the first offset at which two data differ, None where they are equal; holes on both sides are not read."""
    shared = min(a.size, b.size)
    offset = 0
    # Nearly all files are this small, and equal.
    if a.size == b.size <= AT_ONCE and a.read_at(0, shared) == b.read_at(0, shared):
        return None
    one, other = (bytearray(min(shared, _READ_AT_ONCE)) for _ in range(2))
    while offset < shared:
        skip = min(a.hole_until(offset), b.hole_until(offset))
        if skip > offset:
            offset = skip
            continue
        length = min(a.read_into(one, offset), b.read_into(other, offset))
        # Beyond LENGTH, both may have what was equal before; to cut that off costs a copy.
        if one != other and one[:length] != other[:length]:
            return offset + _first(one, other, length)
        offset += length
    return None if a.size == b.size else shared


def _first(x: bytearray, y: bytearray, length: int) -> int:
    low, high = 0, length
    while high - low > 1:
        middle = (low + high) // 2
        if x[low:middle] != y[low:middle]:
            high = middle
        else:
            low = middle
    return low
