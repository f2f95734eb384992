"""Blocks packed by the lz4 library, unpacked in part."""

import random

import lz4.block
import pytest

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.filesystems import lz4_block

TEXT = b"".join(b"line %d\n" % (number % 700) for number in range(3000))
NOISE = random.Random(1).randbytes(5000)


@pytest.mark.parametrize("content", [TEXT, NOISE, b"ab" * 9999, bytes(70_000), b""])
def test_an_lz4_block_is_unpacked_up_to_any_byte(content: bytes) -> None:
    raw = bytes(lz4.block.compress(content, store_size=False))
    for limit in (0, 1, 17, 300, len(content) // 2, len(content), len(content) + 9):
        assert lz4_block.unpack(raw, limit) == content[:limit]
    assert lz4_block.unpack(raw + bytes(50), len(content)) == content


def test_an_lz4_match_before_the_first_byte_is_refused() -> None:
    with pytest.raises(UnreadableError, match="damaged"):
        lz4_block.unpack(b"\x10a\x05\x00\x00", 100)
