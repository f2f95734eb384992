import random
from pathlib import Path

import pytest
from truths import cmp

from fuzz.image import Image, differing


@pytest.mark.parametrize("size", [0, 1, 65_536, 200_000])
def test_differences_are_counted_as_cmp_does(tmp_path: Path, size: int) -> None:
    chance = random.Random(size)
    one = bytearray(chance.randbytes(150_000))
    other = bytearray(one[:size]) + bytes(max(0, size - len(one)))
    for _ in range(min(size, 20)):
        other[chance.randrange(size)] ^= 1 + chance.randrange(255)
    for name, content in (("a", one), ("b", other)):
        (tmp_path / name).write_bytes(content)
    with Image(str(tmp_path / "a")) as a, Image(str(tmp_path / "b")) as b:
        assert differing(a, b) == cmp(tmp_path / "a", tmp_path / "b")


def test_what_is_written_beyond_the_end_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    with Image(str(tmp_path / "a")) as image:
        image.write(2, b"xyz")
        image.write(1 << 63, b"x")
        image.write(-1, b"x")
        assert (image.size, image.read(1 << 63, 5)) == (3, b"")
    assert (tmp_path / "a").read_bytes() == b"abx"
