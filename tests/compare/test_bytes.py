"""Differing bytes, against cmp and against a model that looks at one byte after the other."""

import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from truths import cmp, opened, sparse

from ci_toolkit.compare.bytes import Changes, first_difference
from ci_toolkit.compare.scan import differing
from ci_toolkit.images.data import Data, Memory, Run, stored, whole

BLOCK = 4096
KIB, MIB = 1 << 10, 1 << 20
NOISE = bytes(range(1, 256)) * 4113


Make = Callable[[Path], Path]


def dense(data: bytes) -> Make:
    return lambda path: sparse(path, len(data), (0, data))


def holed(size: int, *pieces: tuple[int, bytes]) -> Make:
    return lambda path: sparse(path, size, *pieces)


PAIRS = {
    "both empty": (dense(b""), dense(b"")),
    "one empty": (dense(b""), dense(NOISE[:5000])),
    "equal": (dense(NOISE), dense(NOISE)),
    "the first byte": (dense(b"a" + NOISE), dense(b"b" + NOISE)),
    "the last byte": (dense(NOISE + b"a"), dense(NOISE + b"b")),
    "both sides of a block's border": (
        dense(bytes(2 * BLOCK)),
        holed(2 * BLOCK, (BLOCK - 1, b"xy")),
    ),
    "every byte": (dense(NOISE), dense(bytes(len(NOISE)))),
    "a head": (dense(NOISE[:70_000]), dense(NOISE[:90_001])),
    "a head that ends with a block": (dense(NOISE[: 256 * KIB]), dense(NOISE[: 256 * KIB + 1])),
    "a head of one piece and a half": (dense(NOISE[: 200 * KIB]), dense(NOISE[: 256 * KIB])),
    "another head": (dense(b"x" + NOISE[1:70_000]), dense(NOISE[:90_001])),
    "data in a hole": (holed(3 * MIB), holed(3 * MIB, (2 * MIB + 77, b"x"))),
    "two holes at different places": (
        holed(4 * MIB, (0, NOISE), (3 * MIB, b"same")),
        holed(4 * MIB, (2 * MIB, NOISE), (3 * MIB, b"same")),
    ),
    "zeros against a hole": (dense(bytes(MIB)), holed(MIB)),
    "a hole behind the end": (dense(NOISE[: 256 * KIB]), holed(2 * MIB, (0, NOISE[: 256 * KIB]))),
    "a hole behind nothing": (dense(b""), holed(MIB)),
    "a longer hole": (holed(MIB + 1), holed(2 * MIB)),
}


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_bytes_are_counted_as_cmp_counts_them(tmp_path: Path, pair: tuple[Make, Make], swapped: bool) -> None:
    a, b = (make(tmp_path / name) for make, name in zip(reversed(pair) if swapped else pair, "ab", strict=True))
    with opened(a, b) as (one, other):
        changes = Changes(one, other)
        assert (changes.total, changes.first) == cmp(a, b)
        assert first_difference(one, other) == changes.first
        assert changes.claim([*one.runs, *other.runs]) == changes.total
        assert changes.left([*one.runs, *other.runs]) == []


def test_what_one_image_has_more_is_counted_without_being_read(tmp_path: Path) -> None:
    size = 1 << 40
    try:
        a, b = sparse(tmp_path / "a", 5000, (0, b"x")), sparse(tmp_path / "b", size, (0, b"y"))
    except OSError as error:
        pytest.skip(f"no file of {size} bytes: {error.strerror}")
    with opened(a, b) as (one, other):
        changes = Changes(one, other)
        assert (changes.total, changes.first) == (1 + size - 5000, 0)
        assert changes.claim([Run(0, 9000, 0)]) == 1 + 9000 - 5000
        assert changes.claim([Run(0, size, 0)]) == size - 9000


class Read(Memory):
    """Bytes that count how often they were read."""

    times: list[int] = []  # noqa: RUF012  one list for all of them is what is wanted

    def read_at(self, offset: int, length: int) -> bytes:
        self.times.append(length)
        return super().read_at(offset, length)


def test_what_is_claimed_again_is_not_read_again() -> None:
    changes = Changes(whole(Read(bytes(3 * BLOCK))), whole(Read(b"x" * 3 * BLOCK)))
    assert changes.claim([Run(0, 2 * BLOCK, 100)]) == 2 * BLOCK
    Read.times.clear()
    for _ in range(5):
        assert changes.claim([Run(0, 2 * BLOCK, 100), Run(0, BLOCK, 200)]) == 0
    assert Read.times == []
    assert changes.claim([Run(0, 200, 0)]) == 100
    assert sum(Read.times) == 2 * 100


def test_what_is_remembered_of_claims_is_far_smaller_than_the_images() -> None:
    size = 8 * MIB
    changes = Changes(stored(bytes(size)), stored(b"x" * size))
    runs = [Run(0, 100, start + 50) for start in range(0, size, BLOCK)]
    tracemalloc.start()
    try:
        assert changes.claim(runs) == 100 * len(runs)
        remembered, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert remembered < size / 8


def test_bytes_of_another_place_are_not_the_images() -> None:
    a, b = stored(b"one"), stored(b"two")
    changes = Changes(a, b)
    assert changes.of(a.window(1, 1), b)
    assert not changes.of(b, a)
    assert not changes.of(a, stored(b"two"))


def test_holes_are_neither_claimed_nor_different() -> None:
    changes = Changes(stored(b"one"), stored(b"two"))
    hole = [Run(0, 3, None)]
    assert changes.claim(hole) == 0
    assert not changes.differs(hole)
    assert changes.left(hole) == []
    assert changes.claim([Run(0, 3, 0)]) == 3


def test_nothing_is_left_in_a_part_of_a_block_that_does_not_differ() -> None:
    a = bytes(BLOCK)
    changes = Changes(stored(a), stored(b"x" + a[1:]))
    assert changes.left([Run(0, BLOCK - 512, 512)]) == []
    assert changes.left([Run(0, 512, 0)]) == [(0, 512)]


@settings(deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=40))
def test_the_mask_has_a_byte_for_each_position(x: bytes, y: bytes) -> None:
    mask = differing(x, y)
    assert [bool(byte) for byte in mask] == [x[i : i + 1] != y[i : i + 1] for i in range(max(len(x), len(y)))]


SIZE = 5 * BLOCK
sizes = st.integers(0, SIZE) | st.sampled_from((0, BLOCK, 2 * BLOCK, SIZE))
spans = st.tuples(st.integers(0, SIZE), st.integers(1, BLOCK) | st.integers(1, SIZE))
edits = st.lists(st.tuples(st.integers(0, SIZE), st.integers(1, 600) | st.just(SIZE)), max_size=5)


def edited(size: int, edits: list[tuple[int, int]]) -> bytes:
    """Zeros in which each of EDITS (offset, length) sets every other byte."""
    data = bytearray(size)
    for offset, length in edits:
        for place in range(offset, min(offset + length, size), 2):
            data[place] = 1
    return bytes(data)


@settings(deadline=None)
@given(
    sizes, sizes, edits, edits, st.lists(st.tuples(st.sampled_from(("claim", "left", "differs")), spans), max_size=12)
)
def test_claims_are_those_of_a_model_that_looks_at_every_byte(
    a_size: int,
    b_size: int,
    a_edits: list[tuple[int, int]],
    b_edits: list[tuple[int, int]],
    steps: list[tuple[str, tuple[int, int]]],
) -> None:
    a, b = edited(a_size, a_edits), edited(b_size, b_edits)
    differ = {place for place in range(max(len(a), len(b))) if a[place : place + 1] != b[place : place + 1]}
    changes = Changes(stored(a), stored(b))
    assert changes.total == len(differ)
    assert changes.first == min(differ, default=None)
    unclaimed = set(differ)
    for step, (offset, length) in steps:
        runs = [Run(0, length, offset)]
        here = set(range(offset, offset + length))
        if step == "claim":
            taken = unclaimed & here
            assert changes.claim(runs) == len(taken)
            spans = changes.recent(limit=2)
            assert len(spans) <= min(2, len(taken))
            assert (
                taken
                <= {place for start, size in spans for place in range(start, start + size)}
                <= {*range(min(taken, default=0) // BLOCK * BLOCK, SIZE + BLOCK)}
            )
            unclaimed -= here
        elif step == "left":
            found = [set(range(start, start + size)) for start, size in changes.left(runs)]
            assert all(unclaimed & span for span in found)
            assert unclaimed & here <= set().union(*found) <= here
        else:
            assert changes.differs(runs) == bool(set(differ) & here)


rows = st.tuples(st.integers(0, 40 * BLOCK), st.integers(0, 40 * BLOCK)).map(sorted)


@settings(deadline=None)
@given(st.sets(st.integers(0, 39)), st.lists(rows, max_size=8))
def test_blocks_in_a_row_are_claimed_as_one_after_the_other(equal: set[int], steps: list[list[int]]) -> None:
    """At once, and block by block."""
    a = bytes(40 * BLOCK + 7)
    b = bytearray(b"\1" * len(a))
    for number in equal:
        b[number * BLOCK : (number + 1) * BLOCK] = bytes(BLOCK)
    at_once, in_pieces = (Changes(stored(a), stored(bytes(b))) for _ in range(2))
    for start, end in [*steps, [0, len(a)]]:
        edges = [start, *(place for place in range(0, len(a), BLOCK) if start < place < end), end]
        pieces = sum(in_pieces.claim([Run(0, high - low, low)]) for low, high in pairwise(edges))
        assert at_once.claim([Run(0, end - start, start)]) == pieces
        assert at_once.recent(limit=50) == in_pieces.recent(limit=50)
        assert at_once.left([Run(0, len(a), 0)]) == in_pieces.left([Run(0, len(a), 0)])
    assert at_once.left([Run(0, len(a), 0)]) == []


def placed(data: bytes, cuts: list[int]) -> Data:
    """DATA cut at CUTS and scattered over other bytes in reverse order; pieces of zeros are holes."""
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [(start, data[start:end]) for start, end in pairwise(edges)]
    shuffled = b"".join(piece + b"between" for _, piece in reversed(pieces))
    places, position = {}, len(shuffled)
    for start, piece in pieces:
        position -= len(piece) + len(b"between")
        places[start] = position
    kept = [(start, len(piece), places[start]) for start, piece in pieces if any(piece)]
    return stored(shuffled).scattered(kept, len(data))


cuts = st.lists(st.integers(1, SIZE), max_size=6)


@settings(deadline=None, max_examples=40)
@given(sizes, sizes, edits, edits, cuts, cuts)
def test_the_first_difference_is_cmps_wherever_the_pieces_lie(
    tmp_path_factory: pytest.TempPathFactory,
    a_size: int,
    b_size: int,
    a_edits: list[tuple[int, int]],
    b_edits: list[tuple[int, int]],
    a_cuts: list[int],
    b_cuts: list[int],
) -> None:
    directory = tmp_path_factory.mktemp("cmp")
    contents = edited(a_size, a_edits), edited(b_size, b_edits)
    files = [sparse(directory / name, len(data), (0, data)) for name, data in zip("ab", contents, strict=True)]
    a, b = placed(contents[0], a_cuts), placed(contents[1], b_cuts)
    assert first_difference(a, b) == cmp(*files)[1]


def test_holes_on_both_sides_are_not_read() -> None:
    size = 1 << 60
    a, b = (stored(b"xy").scattered([(size - 2, 1, place)], size) for place in (0, 0))
    assert first_difference(a, b) is None
    assert first_difference(a, stored(b"xy").scattered([(size - 2, 1, 1)], size)) == size - 2
