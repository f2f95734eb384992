"""Blocks packed by the programs and libraries of their formats, unpacked to no more than was asked for."""

import random
import zlib
from collections.abc import Callable

import lz4.block
import pytest
from bench import run

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.filesystems.compressors import unpack

TEXT = b"".join(b"line %d\n" % (number % 700) for number in range(3000))
NOISE = random.Random(1).randbytes(5000)


def packed_lz4(content: bytes) -> bytes:
    return bytes(lz4.block.compress(content, store_size=False))


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.compress,
    "deflate": lambda content: zlib.compress(content, wbits=-15),
    "lzma": lambda content: run("xz", "--format=lzma", "-c", stdin=content),
    "xz": lambda content: run("xz", "-c", stdin=content),
    "zstd": lambda content: run("zstd", "-c", stdin=content),
    "lz4": packed_lz4,
    "lz4-part": packed_lz4,
}


@pytest.mark.parametrize("method", PACKERS)
@pytest.mark.parametrize("content", [TEXT, NOISE, b"x", bytes(50_000)])
def test_blocks_are_unpacked(method: str, content: bytes) -> None:
    raw = PACKERS[method](content)
    assert unpack(method, raw, len(content)) == content
    assert unpack(method, raw, 1 << 17) == content


@pytest.mark.parametrize("method", PACKERS)
def test_no_more_is_unpacked_than_was_asked_for(method: str) -> None:
    raw = PACKERS[method](bytes(1 << 20))
    if method == "lz4":
        with pytest.raises(UnreadableError, match="damaged"):
            unpack(method, raw, 4096)
    else:
        assert unpack(method, raw, 4096) == bytes(4096)


@pytest.mark.parametrize("method", [*PACKERS, "microlzma", "lzo"])
def test_damage_is_refused_or_gives_bytes(method: str) -> None:
    chance = random.Random(2)
    raw = PACKERS.get(method, packed_lz4)(TEXT)
    refused = 0
    for _ in range(60):
        damaged = bytearray(raw[: chance.randrange(1, len(raw) + 1)])
        for _ in range(3):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            assert len(unpack(method, bytes(damaged), len(TEXT))) <= len(TEXT)
        except UnreadableError as error:
            assert error.message
            refused += 1
    assert refused or method in ("microlzma", "lz4-part")
