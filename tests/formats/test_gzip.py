"""gzip streams by several threads, unpacked by gzip."""

import random

import pytest
from bench import run

from ci_toolkit.formats import gzip

NOISE = random.Random(5).randbytes(1 << 20)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_500_000])
@pytest.mark.parametrize("level", [gzip.STORED, gzip.LEVEL])
def test_gzip_unpacks_what_was_packed(size: int, level: int) -> None:
    content = (NOISE + b"text " * 600_000)[:size]
    packed = b"".join(gzip.compressed([content], level))
    assert run("gzip", "--decompress", "--stdout", stdin=packed) == content


def test_neither_threads_nor_pieces_change_a_byte() -> None:
    content = (NOISE[:100_000] + b"text " * 60_000) * 10
    pieces = [content[start : start + 70_001] for start in range(0, len(content), 70_001)]
    found = {b"".join(gzip.compressed(one, threads=threads)) for one in ([content], pieces) for threads in (1, 2, 5)}
    assert len(found) == 1


def test_it_is_nearly_as_small_as_what_gzip_makes() -> None:
    content = b"".join(b"%d bottles of beer\n" % number for number in range(200_000))
    ours = len(b"".join(gzip.compressed([content])))
    assert ours < 1.02 * len(run("gzip", "--stdout", "-6", stdin=content))


def test_the_header_tells_no_time_and_no_system() -> None:
    assert next(iter(gzip.compressed([]))) == bytes.fromhex("1f8b08000000000000ff")
