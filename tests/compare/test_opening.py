"""The same archive at several places: unpacked once, told at each of them."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from bench import run

from ci_toolkit.compare.walk import compare
from ci_toolkit.images.limits import Limits

NOISE = os.urandom(300 << 10)


def packed(place: Path, program: str, secret: bytes) -> bytes:
    """A compressed tar archive, with one file that is told by SECRET, and one that makes it large."""
    place.mkdir(parents=True)
    (place / "secret").write_bytes(secret)
    (place / "noise").write_bytes(NOISE)
    archive = run("tar", "-c", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "secret", "noise", cwd=place)
    return run(program, "-c", stdin=archive)


def trees(tmp_path: Path, program: str, copies: int) -> tuple[Path, Path]:
    made = []
    for side in ("a", "b"):
        tree = tmp_path / f"tree-{side}"
        tree.mkdir()
        content = packed(tmp_path / f"{program}-{side}", program, side.encode())
        for number in range(copies):
            (tree / f"{number}.packed").write_bytes(content)
            os.utime(tree / f"{number}.packed", (0, 0))
        os.utime(tree, (0, 0))
        made.append(tree)
    return made[0], made[1]


@pytest.mark.parametrize("program", ["zstd", "gzip", "xz", "bzip2"])
def test_each_copy_names_what_differs_in_it(tmp_path: Path, program: str) -> None:
    found = compare(*trees(tmp_path, program, 3)).differences
    assert {one.path for one in found if one.path[-1] == "secret"} == {
        (f"{number}.packed", "secret") for number in range(3)
    }
    of_copy = [[replace(one, path=one.path[1:]) for one in found if one.path[0] == f"{n}.packed"] for n in range(3)]
    assert of_copy[0] == of_copy[1] == of_copy[2]
    assert len(of_copy[0]) > 1


def test_copies_are_not_unpacked_again(tmp_path: Path) -> None:
    """Told by a limit that lets through two archives and no more."""
    compared = compare(*trees(tmp_path, "zstd", 4), limits=replace(Limits(), decompressed=3 * len(NOISE)))
    assert compared.skipped == ()


def test_a_copy_that_differs_in_one_byte_is_looked_into(tmp_path: Path) -> None:
    a, b = trees(tmp_path, "zstd", 1)
    (a / "other.packed").write_bytes((a / "0.packed").read_bytes())
    (b / "other.packed").write_bytes(packed(tmp_path / "other", "zstd", b"x"))
    found = {one.path: one.after for one in compare(a, b).differences if one.path[-1:] == ("secret",)}
    assert len(found) == 2
    assert found["0.packed", "secret"] != found["other.packed", "secret"]


def test_what_could_not_be_read_is_said_of_each_copy(tmp_path: Path) -> None:
    a, b = trees(tmp_path, "gzip", 2)
    for tree in (a, b):
        for path in tree.iterdir():
            cut = run("gzip", "-d", "-c", path)[: -(100 << 10)]
            path.write_bytes(run("gzip", "-n", "-c", stdin=cut))
            os.utime(path, (0, 0))
    skipped = compare(a, b).skipped
    assert {one.path[0] for one in skipped} == {"0.packed", "1.packed"}
    assert len({one.reason for one in skipped}) == 1
