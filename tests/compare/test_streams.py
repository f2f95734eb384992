"""Initrds made of several packed archives: what both have is not unpacked, and everything else is."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from bench import run
from specimens import loaded

from ci_toolkit.compare.bytes import first_difference
from ci_toolkit.compare.streams import without_common_parts
from ci_toolkit.compare.walk import compare
from ci_toolkit.images.limits import Budget, Limits


def packed(directory: Path, *, padded: bool = True, **files: bytes) -> bytes:
    """A cpio archive of FILES, packed by zstd, and padded with zeros as most parts of an initrd are."""
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_bytes(content)
        os.utime(directory / name, (0, 0))
    archive = run("cpio", "-o", "-H", "newc", "--reproducible", stdin="\n".join(files).encode(), cwd=directory)
    stream = run("zstd", "-c", stdin=archive)
    return stream + bytes(4 + -len(stream) % 4) if padded else stream


@pytest.fixture(params=["padded", "one side padded", "touching"])
def pair(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """Three parts, of which the second differs; the first and the third are large when they are unpacked."""
    padded = {"padded": "ab", "one side padded": "a", "touching": ""}[request.param]
    common = packed(tmp_path / "common", padded=request.param == "padded", modules=bytes(1 << 20) + os.urandom(1000))
    last = packed(tmp_path / "last", firmware=bytes(1 << 20) + os.urandom(1000))
    images = []
    for name in ("a", "b"):
        part = packed(tmp_path / f"part-{name}", padded=name in padded, shadow=name.encode(), passwd=b"same")
        image = tmp_path / name
        image.write_bytes(common + part + last)
        images.append(image)
    return images[0], images[1]


def test_what_differs_is_named_and_nothing_else(pair: tuple[Path, Path]) -> None:
    assert {one.path[-1] for one in compare(*pair).differences if one.path} == {"shadow"}


def test_a_part_that_both_have_is_not_unpacked(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """Told by a limit that lets through the second part alone."""
    boots = []
    for image in pair:
        boot = tmp_path / f"boot-{image.name}"
        boot.mkdir()
        os.utime(image.rename(boot / "initrd"), (0, 0))
        os.utime(boot, (0, 0))
        boots.append(boot)
    compared = compare(*boots, limits=replace(Limits(), decompressed=64 << 10))
    assert compared.skipped == ()
    assert {one.path[-1] for one in compared.differences if one.path} == {"initrd", "shadow"}


def test_parts_in_another_number_are_all_unpacked(pair: tuple[Path, Path], tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.write_bytes(pair[0].read_bytes() + packed(tmp_path / "added", hostname=b"x"))
    assert {one.path[-1] for one in compare(pair[0], more).differences if one.path} == {"hostname"}


def test_what_follows_the_last_part_is_not_lost(pair: tuple[Path, Path]) -> None:
    for image, tail in zip(pair, (b"first", b"other"), strict=True):
        image.write_bytes(image.read_bytes() + tail)
    compared = compare(*pair)
    assert "shadow" in {one.path[-1] for one in compared.differences if one.path}
    assert any(one.before != one.after and not one.path for one in compared.differences[1:])


@pytest.mark.parametrize(("before", "after"), [(False, True), (True, False), (True, True)])
def test_the_blocks_of_what_both_have_are_gone_through_once(tmp_path: Path, before: bool, after: bool) -> None:
    """Told by a limit that lets through the 64 blocks of the common parts on one side alone, wherever they lie."""
    first, last = (
        packed(tmp_path / "first", one=os.urandom(8 << 20)),
        packed(tmp_path / "last", two=os.urandom(8 << 20)),
    )
    one = packed(tmp_path / "one", shadow=b"x")
    other = packed(tmp_path / "other", shadow=os.urandom(999))
    a, b = (loaded(first * before + part + last * after) for part in (one, other))
    found = without_common_parts(a, b, Budget(Limits(streams=200 if before and after else 100)), first_difference)
    assert [data.read_at(0, data.size).rstrip(b"\0") for data in found] == [one.rstrip(b"\0"), other.rstrip(b"\0")]


def test_all_that_follows_the_first_part_may_be_the_same_whatever_it_is(tmp_path: Path) -> None:
    one, other = packed(tmp_path / "one", shadow=b"x"), packed(tmp_path / "other", shadow=os.urandom(999))
    a, b = (loaded(part + packed(tmp_path / f"last-{len(part)}", firmware=b"x") + b"no frame") for part in (one, other))
    found = without_common_parts(a, b, Budget(Limits()), first_difference)
    assert [data.read_at(0, data.size) for data in found] == [one.rstrip(b"\0"), other.rstrip(b"\0")]


def test_frames_that_both_have_may_be_followed_by_others(tmp_path: Path) -> None:
    """A frame that begins no archive belongs to the part before it, which then is another one."""
    parts = [packed(tmp_path / str(number), padded=False, name=b"%d" % number) for number in range(3)]
    more = run("zstd", "-c", stdin=b"no archive")
    a, b = loaded(b"".join(parts)), loaded(parts[0] + parts[1] + more + parts[2])
    one, other = without_common_parts(a, b, Budget(Limits()), first_difference)
    assert (one.read_at(0, one.size), other.read_at(0, other.size)) == (parts[1], parts[1] + more)
