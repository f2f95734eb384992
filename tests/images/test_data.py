"""Windows, scattered runs and holes, against the same bytes laid out by hand and by the file system."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import CHUNK, ClosedFile, Data, OpenFile, Run, held, joined, stored, whole

CONTENT = random.Random(1).randbytes(3000)

Pieces = list[tuple[int, int, int]]

# Nothing is kept between runs, and slow machines may be slow.
steady = settings(database=None, deadline=None)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Data]:
    (tmp_path / "file").write_bytes(CONTENT)
    with (tmp_path / "file").open("rb") as stream:
        yield whole(OpenFile(stream.fileno(), len(CONTENT), "file"))


@st.composite
def laid_out(draw: st.DrawFn) -> tuple[Pieces, int]:
    """Pieces in order of their start, with holes between some, and a size that may cut the last ones."""
    pieces = []
    position = 0
    for _ in range(draw(st.integers(0, 6))):
        position += draw(st.integers(0, 40))
        length = draw(st.integers(0, 60))
        pieces.append((position, length, draw(st.integers(0, len(CONTENT) - length))))
        position += length
    return pieces, draw(st.integers(0, position + 50))


def by_hand(pieces: Pieces, size: int, content: bytes = CONTENT) -> bytes:
    found = bytearray(max([size, *(start + length for start, length, _ in pieces)]))
    for start, length, offset in pieces:
        found[start : start + length] = content[offset : offset + length]
    return bytes(found[:size])


@steady
@given(laid_out(), st.integers(0, 500), st.integers(0, 500))
def test_scattered_bytes_are_read_as_if_they_lay_in_a_row(layout: tuple[Pieces, int], offset: int, length: int) -> None:
    expected = by_hand(*layout)
    data = stored(CONTENT).scattered(*layout)
    assert data.size == len(expected)
    assert data.read_at(0, data.size) == expected
    assert data.read_at(offset, length) == expected[offset : offset + length]
    buffer = bytearray(length)
    filled = data.read_into(buffer, offset)
    assert bytes(buffer[:filled]) == expected[offset : offset + length]
    with data.open() as stream:
        stream.seek(offset)
        assert stream.read(length) == expected[offset : offset + length]


@steady
@given(laid_out(), st.data())
def test_what_is_scattered_may_be_scattered_again(layout: tuple[Pieces, int], draw: st.DataObject) -> None:
    outer = stored(CONTENT).scattered(*layout)
    expected = by_hand(*layout)
    first = draw.draw(st.integers(0, outer.size))
    length = draw.draw(st.integers(0, outer.size - first))
    pieces = [(3, length, first)]
    assert outer.scattered(pieces, length + 5).read_at(0, length + 5) == by_hand(pieces, length + 5, expected)
    assert outer.window(first, length).read_at(0, length) == expected[first : first + length]


@steady
@given(laid_out())
def test_runs_cover_everything_and_none_could_be_joined(layout: tuple[Pieces, int]) -> None:
    data = stored(CONTENT).scattered(*layout)
    assert sum(run.length for run in data.runs) == data.size
    for before, after in zip(data.runs, data.runs[1:], strict=False):
        assert before.start + before.length == after.start
        if before.offset is None:
            assert after.offset is not None
        else:
            assert before.offset + before.length != after.offset


@steady
@given(laid_out(), st.integers(0, 400))
def test_a_hole_ends_where_bytes_begin(layout: tuple[Pieces, int], offset: int) -> None:
    data = stored(CONTENT).scattered(*layout)
    if offset < data.size:
        end = data.hole_until(offset)
        assert not any(data.read_at(offset, end - offset))
        inside = [run for run in data.runs if run.start <= offset < run.start + run.length and run.offset is None]
        assert (end > offset) == bool(inside)


def test_joined_parts_have_no_holes() -> None:
    data = stored(CONTENT)
    parts = [data.scattered([(10, 5, 100)], 30), data.window(200, 7), data.scattered([], 50)]
    assert joined(parts).read_at(0, 100) == CONTENT[100:105] + CONTENT[200:207]
    assert joined([]).size == 0


@pytest.mark.parametrize(
    ("pieces", "size"),
    [
        ([(0, 10, 0), (5, 10, 100)], 100),
        ([(10, 10, 0), (0, 5, 100)], 100),
        ([(0, -1, 0)], 100),
        ([(0, 10, len(CONTENT) - 5)], 100),
        ([(0, 10, -5)], 100),
        ([(-5, 10, 0)], 100),
    ],
    ids=["overlap", "disorder", "negative length", "beyond the end", "before the start", "negative start"],
)
def test_senseless_pieces_are_refused(pieces: Pieces, size: int) -> None:
    with pytest.raises(UnreadableError):
        stored(CONTENT).scattered(pieces, size)


@pytest.mark.parametrize(("offset", "length"), [(-1, 5), (0, 3001), (3000, 1), (2, -1)])
def test_a_window_beyond_the_end_is_refused(offset: int, length: int) -> None:
    with pytest.raises(UnreadableError):
        stored(CONTENT).window(offset, length)


def test_a_file_is_read_as_its_bytes(file: Data) -> None:
    assert file.read_at(0, 5000) == CONTENT
    assert file.read_at(2990, 100) == CONTENT[2990:]
    assert file.read_at(3000, 10) == file.read_at(9999, 10) == b""
    buffer = bytearray(100)
    assert file.read_into(buffer, 2950) == 50
    assert bytes(buffer[:50]) == CONTENT[2950:]
    assert file.read_into(buffer, 5000) == 0
    assert b"".join(file.chunks()) == CONTENT


def test_chunks_are_of_one_size_but_for_the_last() -> None:
    data = stored(bytes(CHUNK * 2 + 5))
    assert [len(chunk) for chunk in data.chunks()] == [CHUNK, CHUNK, 5]
    assert list(stored(b"").chunks()) == []


def test_a_file_that_became_shorter_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    closed = whole(ClosedFile(str(tmp_path / "file"), len(CONTENT)))
    with (tmp_path / "file").open("rb") as stream:
        opened = whole(OpenFile(stream.fileno(), len(CONTENT), "the file"))
        os.truncate(tmp_path / "file", 1000)
        for data in (opened, closed):
            assert data.read_at(0, 1000) == CONTENT[:1000]
            with pytest.raises(UnreadableError, match="file: ends at byte 1000, 2000 bytes early"):
                data.read_at(0, 3000)
            with pytest.raises(UnreadableError, match="file: ends at byte 1000, 2000 bytes early"):
                data.read_into(bytearray(3000), 0)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with (tmp_path / "new").open("wb") as stream:
        data = whole(OpenFile(stream.fileno(), 10, "new"))
        with pytest.raises(UnreadableError, match="new: byte 3 could not be read: Bad file descriptor"):
            data.read_at(3, 5)
    with pytest.raises(UnreadableError, match="missing: No such file"):
        whole(ClosedFile(str(tmp_path / "missing"), 10)).read_at(0, 5)


def test_a_file_that_became_a_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableError):
        whole(ClosedFile(str(tmp_path / "pipe"), 10)).read_at(0, 5)


def test_the_stream_seeks_from_every_origin() -> None:
    with stored(CONTENT).open() as stream:
        assert stream.seek(-10, os.SEEK_END) == 2990
        assert stream.read() == CONTENT[2990:]
        stream.seek(100)
        assert stream.seek(20, os.SEEK_CUR) == 120
        assert stream.read(5) == CONTENT[120:125]
        assert stream.seek(9999) == 9999
        assert stream.read() == b""


def test_a_hole_of_any_size_takes_no_memory() -> None:
    data = stored(CONTENT).scattered([(1 << 60, 10, 0)], 1 << 62)
    assert data.runs == (
        Run(0, 1 << 60, None),
        Run(1 << 60, 10, 0),
        Run((1 << 60) + 10, (1 << 62) - (1 << 60) - 10, None),
    )
    assert data.read_at((1 << 60) - 5, 20) == bytes(5) + CONTENT[:10] + bytes(5)
    assert data.hole_until(0) == 1 << 60


@steady
@given(st.binary(max_size=20), st.integers(0, 30), st.integers(0, 30))
def test_what_is_held_reads_as_what_is_stored(content: bytes, offset: int, length: int) -> None:
    assert held(content).read_at(offset, length) == stored(content).read_at(offset, length)
    assert list(held(content).chunks()) == list(stored(content).chunks())
