"""Places in an image: pieces of it put together, and where they lie within their container."""

from collections.abc import Iterable
from itertools import pairwise

from ci_toolkit.images.data import Data, Run

# Offset and length.
Span = tuple[int, int]


def united(spans: Iterable[Span]) -> list[Span]:
    """Return SPANS in order, those that overlap as one."""
    found: list[Span] = []
    for offset, length in sorted(spans):
        if found and offset < sum(found[-1]):
            start, before = found[-1]
            found[-1] = start, max(before, offset + length - start)
        else:
            found.append((offset, length))
    return found


def bounded(spans: Iterable[Span], limit: int) -> tuple[Span, ...]:
    """Return SPANS in order, at most LIMIT of them: those that nearly touch become one."""
    found = united(spans)
    if len(found) <= limit:
        return tuple(found)
    gaps = sorted(range(1, len(found)), key=lambda index: found[index][0] - sum(found[index - 1]))
    kept = [0, *sorted(gaps[len(found) - limit :]), len(found)]
    return tuple((found[first][0], sum(found[end - 1]) - found[first][0]) for first, end in pairwise(kept))


def gathered(data: Data, spans: Iterable[Span]) -> Data:
    """Return the bytes of an image at SPANS of its root, as far as it goes."""
    runs = []
    position = 0
    for offset, length in spans:
        here = max(0, min(length, data.root.size - offset))
        if here:
            runs.append(Run(position, here, offset))
            position += here
    return Data(data.root, tuple(runs), position)


def relative(container: Data, data: Data) -> list[tuple[int, int | None]]:
    """Return the runs of DATA (length, offset), counted from where CONTAINER begins."""
    base = container.runs[0].offset or 0 if container.runs else 0
    return [(run.length, None if run.offset is None else run.offset - base) for run in data.runs]
