"""Spans and pieces of an image."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.compare.spans import bounded, gathered, relative, united
from ci_toolkit.images.data import stored

spans = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=8)


@settings(deadline=None)
@given(spans)
def test_united_spans_hold_the_same_places_each_once(given_spans: list[tuple[int, int]]) -> None:
    found = [place for offset, length in united(given_spans) for place in range(offset, offset + length)]
    assert found == sorted({place for offset, length in given_spans for place in range(offset, offset + length)})


@settings(deadline=None)
@given(spans, st.integers(1, 10))
def test_spans_that_are_too_many_become_fewer_by_their_smallest_gaps(
    given_spans: list[tuple[int, int]], limit: int
) -> None:
    found = bounded(given_spans, limit)
    places = {place for offset, length in given_spans for place in range(offset, offset + length)}
    held = {place for offset, length in found for place in range(offset, offset + length)}
    assert places <= held
    pieces = united(given_spans)
    assert len(found) == min(limit, len(pieces))
    gaps = sorted(after[0] - sum(before) for before, after in pairwise(pieces))
    assert len(held - places) == sum(gaps[: max(0, len(pieces) - limit)])


def test_bytes_are_gathered_as_far_as_the_image_goes() -> None:
    data = stored(b"0123456789").window(2, 4)
    found = gathered(data, [(0, 2), (8, 5), (20, 3)])
    assert found.read_at(0, found.size) == b"0189"


def test_places_are_counted_from_the_containers_beginning() -> None:
    image = stored(b"0123456789" * 2)
    there, here = (image.window(start, 10) for start in (0, 10))
    pieces = [(0, 2, 4), (5, 2, 6)]
    assert relative(there, there.scattered(pieces, 8)) == relative(here, here.scattered(pieces, 8))
    assert relative(there, there.scattered(pieces, 8)) == [(2, 4), (3, None), (2, 6), (1, None)]
    assert relative(there, there.scattered([(0, 2, 4)], 2)) != relative(here, here.scattered([(0, 2, 5)], 2))
