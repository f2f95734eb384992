"""Contents in compressed blocks, put together by hand with zlib."""

import zlib

import pytest
from specimens import budget, loaded, spans

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits
from ci_toolkit.images.packed import PLAIN, Block, Blocks, Packed, Piece, content, is_alike, is_packed_alike, origin

FIRST, SECOND = bytes(range(200)), b"second" * 50
PACKED = zlib.compress(FIRST), zlib.compress(SECOND)
IMAGE = b"head" + PACKED[0] + PACKED[1] + b"plain bytes"
BLOCKS = (
    Block(4, len(PACKED[0]), "zlib", len(FIRST)),
    Block(4 + len(PACKED[0]), len(PACKED[1]), "zlib", len(SECOND)),
    Block(len(IMAGE) - 11, 11, PLAIN, 11),
)


def unpack(_block: Block, raw: bytes) -> bytes:
    return zlib.decompress(raw)


def blocks(limits: Budget | None = None, image: bytes = IMAGE) -> Blocks:
    return Blocks(loaded(image), unpack, limits or budget())


def mixed(where: Blocks) -> Data:
    pieces = (Piece(0, 100, BLOCKS[0], 50), Piece(120, 300, BLOCKS[1]), Piece(420, 5, BLOCKS[2], 6))
    return content(where, pieces, 430)


EXPECTED = FIRST[50:150] + bytes(20) + SECOND + b"bytes" + bytes(5)


def test_blocks_holes_and_plain_bytes_are_put_together() -> None:
    data = mixed(blocks())
    assert data.read_at(0, 430) == EXPECTED
    for start in range(0, 430, 37):
        for length in (1, 40, 200):
            assert data.read_at(start, length) == EXPECTED[start : start + length]
    assert data.hole_until(100) == 120
    buffer = bytearray(430)
    assert data.root.size == 430
    data.root.read_into(memoryview(buffer), 0)
    assert buffer == EXPECTED


def test_plain_pieces_lie_in_the_image_itself() -> None:
    where = blocks()
    data = content(where, (Piece(0, 5, BLOCKS[2]), Piece(10, 5, BLOCKS[2], 6)), 15)
    assert data.root is where.data.root
    assert data.read_at(0, 15) == b"plain" + bytes(5) + b"bytes"
    assert origin(data) is data
    with pytest.raises(UnreadableError, match="less than the file has"):
        content(where, (Piece(0, 6, BLOCKS[2], 6),), 6)


def test_a_content_lies_where_its_blocks_do() -> None:
    where = blocks()
    there = origin(mixed(where))
    assert there.root is where.data.root
    assert there.read_at(0, 1000) == IMAGE[4:]
    twice = content(where, (Piece(0, 10, BLOCKS[0]), Piece(10, 10, BLOCKS[0], 50)), 20)
    assert spans(origin(twice)) == [(4, len(PACKED[0]))]


def test_contents_are_alike_that_take_the_same_from_the_same_blocks() -> None:
    def whole(skip: int, length: int = 100) -> Data:
        return content(blocks(), (Piece(0, length, BLOCKS[0], skip),), length)

    plain = content(blocks(), (Piece(0, 5, BLOCKS[2]),), 5)
    assert is_alike(whole(0), whole(0))
    assert not is_alike(whole(0), whole(1))
    assert not is_alike(whole(0), whole(0, 99))
    assert not is_alike(content(blocks(), (Piece(0, 5, BLOCKS[0]),), 5), plain)
    assert is_alike(plain, content(blocks(), (Piece(0, 5, BLOCKS[2]),), 5))


def test_contents_are_packed_alike_wherever_their_blocks_lie() -> None:
    def pair(*places: int, image: bytes = PACKED[1] * 3, skip: int = 0, size: int = 300) -> Data:
        pieces = [
            Piece(number * 100, 100, Block(place * len(PACKED[1]), len(PACKED[1]), "zlib", size), skip)
            for number, place in enumerate(places)
        ]
        return content(blocks(image=image), pieces, 100 * len(places))

    there = pair(0, 1, 2)
    assert origin(there).size <= there.size
    assert is_packed_alike(there, pair(2, 0, 1))
    assert not is_packed_alike(there, pair(0, 1, 2, skip=1))
    assert not is_packed_alike(there, pair(0, 1, 2, size=299))
    assert not is_packed_alike(there, pair(0, 1))
    # Of one block twice the bytes lie there once, so equal bytes would not tell these two apart.
    assert not is_packed_alike(pair(0, 0, 1), pair(0, 1, 1))
    assert is_packed_alike(pair(0, 0, 1), pair(1, 1, 0))
    small = content(blocks(), (Piece(0, 5, BLOCKS[0]),), 5)
    assert not is_packed_alike(small, small)
    plain = content(blocks(), (Piece(0, 5, BLOCKS[2]),), 5)
    assert not is_packed_alike(plain, plain)


def test_a_block_is_unpacked_once_while_it_is_kept() -> None:
    count = 0

    def counted(block: Block, raw: bytes) -> bytes:
        nonlocal count
        count += 1
        return unpack(block, raw)

    where = Blocks(loaded(IMAGE), counted, budget())
    for _ in range(5):
        assert where.get(BLOCKS[0]) == FIRST
    assert count == 1


def test_what_is_unpacked_is_charged() -> None:
    data = mixed(blocks(Budget(Limits(decompressed=len(FIRST)))))
    assert data.read_at(0, 100) == EXPECTED[:100]
    with pytest.raises(BeyondLimitError, match="more than 200 bytes"):
        data.read_at(0, 430)
    with pytest.raises(BeyondLimitError, match="parts"):
        mixed(blocks(Budget(Limits(streams=1)))).read_at(0, 430)


def test_blocks_that_hold_more_or_less_than_they_say_are_refused() -> None:
    where = blocks()
    with pytest.raises(UnreadableError, match="more than it says"):
        where.get(BLOCKS[0]._replace(length=199))
    data = content(where, (Piece(0, 250, BLOCKS[0]._replace(length=300)),), 250)
    with pytest.raises(UnreadableError, match="less than the file has"):
        data.read_at(0, 250)


def test_pieces_that_overlap_or_lie_beyond_the_end_are_refused() -> None:
    with pytest.raises(UnreadableError, match="overlap"):
        content(blocks(), (Piece(0, 100, BLOCKS[0]), Piece(50, 100, BLOCKS[0])), 150)
    with pytest.raises(UnreadableError, match="was asked for"):
        Packed(blocks(), (Piece(0, 10, Block(len(IMAGE) - 5, 10, "zlib", 10)),), 10)
    with pytest.raises(UnreadableError, match="beyond byte"):
        blocks().get(Block(len(IMAGE) - 5, 10, "zlib", 10))
