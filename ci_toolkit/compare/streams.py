"""What two compressed streams have in common, which need not be unpacked."""

from collections.abc import Callable

from ci_toolkit.images.archives import zstd_frames
from ci_toolkit.images.archives.padding import zeros
from ci_toolkit.images.data import Data
from ci_toolkit.images.limits import Budget

# Returns the first offset at which two data differ, None where they are equal.
Difference = Callable[[Data, Data], int | None]
_Span = tuple[int, int]


def without_common_parts(a: Data, b: Data, budget: Budget, difference: Difference) -> tuple[Data, Data]:
    """Return two zstd streams without the parts that both have in one place; what follows the last part stays,
    unless that is the same as well.

    An initrd is a row of archives, each packed by itself, of which mostly one differs: equal streams unpack to equal
    bytes. Raises UnreadableError for a damaged stream.
    """
    frames = _Frames(a, b, budget, difference)
    # Mostly it is the first part that differs, and all that follows is the same, whatever it is.
    ends = (
        zstd_frames.first_part_end(a, budget, frames.first_end),
        zstd_frames.first_part_end(b, budget, frames.second_end),
    )
    begins = ends[0] + zeros(a, ends[0]), ends[1] + zeros(b, ends[1])
    rests = a.window(begins[0], a.size - begins[0]), b.window(begins[1], b.size - begins[1])
    if rests[0].size == rests[1].size > 0:
        budget.read(rests[0].size)
        if difference(*rests) is None:
            return a.window(0, ends[0]), b.window(0, ends[1])
    one, one_end = zstd_frames.parts(a, budget, frames.first_end)
    other, other_end = zstd_frames.parts(b, budget, frames.second_end)
    if len(one) != len(other) or len(one) < 2:
        return a, b
    differ = [not frames.are_same(x, y) for x, y in zip(one, other, strict=True)]
    if all(differ) or not any(differ):
        return a, b
    rest = (one_end, a.size - one_end), (other_end, b.size - other_end)
    return a.gathered([*_kept(one, differ), rest[0]]), b.gathered([*_kept(other, differ), rest[1]])


class _Frames:
    """The frames of two streams: where the second one has the same bytes next, its frame ends as the first one's.

    Each is gone through once, however often its end is asked for.
    """

    def __init__(self, a: Data, b: Data, budget: Budget, difference: Difference) -> None:
        self._a, self._b = a, b
        self._budget = budget
        self._difference = difference
        self._first: list[_Span] = []
        # Where those end that were asked for, by where they begin.
        self._first_ends: dict[int, int] = {}
        self._second_ends: dict[int, int] = {}
        self._same: set[tuple[_Span, _Span]] = set()

    def first_end(self, start: int) -> int:
        """Return where the frame of A at START ends; to be asked in order, and before the one of B that is its like."""
        if start not in self._first_ends:
            end = self._first_ends[start] = zstd_frames.frame_end(self._a, start, self._budget)
            self._first.append((start, end - start))
        return self._first_ends[start]

    def second_end(self, start: int) -> int:
        """Return where the frame of B at START ends; to be asked in order."""
        if start not in self._second_ends:
            self._second_ends[start] = self._found_end(start)
        return self._second_ends[start]

    def _found_end(self, start: int) -> int:
        passed = len(self._second_ends)
        if passed < len(self._first):
            frame = self._first[passed]
            here = start, frame[1]
            if sum(here) <= self._b.size and self._read(frame, here):
                self._budget.stream()
                self._same.add((frame, here))
                return sum(here)
        return zstd_frames.frame_end(self._b, start, self._budget)

    def are_same(self, x: _Span, y: _Span) -> bool:
        """Tell whether two parts have the same bytes, which was seen already where each is one frame."""
        return x[1] == y[1] and ((x, y) in self._same or self._read(x, y))

    def _read(self, x: _Span, y: _Span) -> bool:
        self._budget.read(x[1])
        return self._difference(self._a.window(*x), self._b.window(*y)) is None


def _kept(parts: list[_Span], differ: list[bool]) -> list[_Span]:
    return [part for part, differs in zip(parts, differ, strict=True) if differs]
