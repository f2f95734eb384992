"""Blocks that lzop compressed."""

import random

import pytest
from bench import run
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.filesystems.lzo_block import decompress

_BLOCK = 256 << 10
_CHANCE = random.Random(1)
PAYLOADS = {
    "text": b"".join(b"%d lines and more\n" % number for number in range(3000)),
    "zeros": bytes(200_000),
    "one byte again and again after another": b"a" + b"b" * 70_000,
    "noise and a repetition far back": (noise := _CHANCE.randbytes(40_000)) + noise[:5000] + bytes(3000),
    "few letters": bytes(_CHANCE.choice(b"abc") for _ in range(50_000)),
    "short words": b"the cat sat on the mat, the dog sat on the cat; " * 3,
}


def blocks(payload: bytes, *options: str) -> list[tuple[bytes, int]]:
    """The blocks (compressed, size when not) of a file that lzop wrote from its standard input."""
    raw = run("lzop", "--stdout", "--no-checksum", *options, stdin=payload)
    flags, name = int.from_bytes(raw[17:21], "big"), raw[33]
    position = 34 + name + 4
    assert flags & 0xF00 == 0
    found = []
    while size := int.from_bytes(raw[position : position + 4], "big"):
        held = int.from_bytes(raw[position + 4 : position + 8], "big")
        position += 8 + (4 if flags & 1 else 0)
        found.append((raw[position : position + held], size))
        position += held
    return found


@pytest.mark.parametrize("level", ["-1", "-3", "-9"])
@pytest.mark.parametrize("name", PAYLOADS)
def test_what_lzop_packed_is_unpacked(name: str, level: str) -> None:
    found = b""
    packed = 0
    for block, size in blocks(PAYLOADS[name], level):
        # What grows by compression is stored as it is.
        found += block if len(block) == size else decompress(block, size)
        packed += len(block) < size
    assert found == PAYLOADS[name]
    assert packed


def test_no_more_comes_out_than_was_allowed() -> None:
    ((block, size),) = blocks(PAYLOADS["zeros"])
    with pytest.raises(UnreadableError, match=r"damaged|more than"):
        decompress(block, size - 1)


def test_a_cut_block_is_refused() -> None:
    ((block, size),) = blocks(PAYLOADS["text"])
    for cut in (0, 1, 2, 3, 100, len(block) // 2, len(block) - 1):
        with pytest.raises(UnreadableError):
            decompress(block[:cut], size)


@given(st.binary(max_size=300))
def test_any_bytes_are_unpacked_or_refused(raw: bytes) -> None:
    try:
        assert len(decompress(raw, 5000)) <= 5000
    except UnreadableError as error:
        assert error.message
