"""Contents that many entries share, counted by what their reading is charged."""

import os
from pathlib import Path

import pytest
from bench import run
from specimens import loaded
from truths import cmp, sparse

from ci_toolkit.compare.comparison import Verdict
from ci_toolkit.compare.contents import digest
from ci_toolkit.compare.difference import Content, Field
from ci_toolkit.compare.once import Once
from ci_toolkit.compare.walk import compare
from ci_toolkit.images.limits import MIB, BeyondLimitError, Budget, Limits


def test_a_large_content_is_compared_and_kept_once() -> None:
    one, other = loaded(bytes(MIB) + b"1"), loaded(bytes(MIB) + b"2")
    once = Once(Budget(Limits(read=one.size * 3)))
    for _ in range(5):
        assert once.first(one, other) == MIB
        assert [once.keep(data).sha256 for data in (one, other)] == [digest(one), digest(other)]


def test_other_contents_are_read_as_far_as_the_budget_goes() -> None:
    data = loaded(bytes(3 * MIB))
    once = Once(Budget(Limits(read=2 * MIB)))
    assert once.first(data.window(0, MIB), data.window(MIB, MIB)) is None
    assert once.first(data.window(0, MIB), data.window(2 * MIB, MIB)) is None
    with pytest.raises(BeyondLimitError):
        once.first(data.window(1, MIB), data.window(MIB, MIB))


def test_two_partitions_are_of_one_place_only_where_both_sides_are() -> None:
    data, other = loaded(bytes(MIB)), loaded(bytes(MIB))
    once = Once(Budget(Limits()))
    assert once.is_new(data.window(0, 512), other.window(0, 512))
    assert not once.is_new(data.window(0, 512), other.window(0, 512))
    assert once.is_new(data.window(0, 512), other.window(0, 1024))
    assert once.is_new(data.window(0, 512), loaded(bytes(MIB)))


def test_hard_links_to_a_large_file_cost_as_much_as_one(tmp_path: Path) -> None:
    """With tar's word for what is a link, and cmp's for where they differ; read for each link it would be 3 GiB."""
    for name, byte in (("a", b"1"), ("b", b"2")):
        root = tmp_path / f"{name}.tree"
        root.mkdir()
        (root / "large").write_bytes(bytes(MIB) + byte)
        for number in range(1000):
            os.link(root / "large", root / f"link{number:03}")
        (tmp_path / name).write_bytes(run("tar", "-c", "--sort=name", "-C", root, "."))
    assert run("tar", "-tvf", tmp_path / "a").count(b" link to ./large") == 1000
    found = compare(tmp_path / "a", tmp_path / "b", limits=Limits(read=16 * MIB))
    assert found.verdict is Verdict.DIFFERENT
    assert not found.skipped
    contents = [one for one in found.differences if one.field is Field.CONTENT and one.path]
    assert len(contents) == 1001
    assert {one.first_offset for one in contents} == {MIB}
    assert {one.before.sha256 for one in contents if isinstance(one.before, Content)} == {
        run("sha256sum", tmp_path / "a.tree/large").split()[0].decode()
    }


def test_hard_links_to_a_file_in_many_pieces_are_compared_as_far_as_the_budget_goes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        root = tmp_path / f"{name}.tree"
        root.mkdir()
        sparse(root / "pieces", 400 << 13, *((number << 13, b"x" * 4096) for number in range(400)))
        for number in range(100):
            os.link(root / "pieces", root / f"pieces{number:03}")
        (root / "zzz").write_text(name)
        (tmp_path / name).write_bytes(run("tar", "-c", "--sparse", "--sort=name", "-C", root, "."))
    dense, limited = (compare(tmp_path / "a", tmp_path / "b", limits=Limits(read=size * MIB)) for size in (1024, 16))
    assert not dense.skipped
    assert 0 < len(limited.skipped) < 101
    assert all("contents come to more than" in one.reason for one in limited.skipped)
    assert limited.differing_bytes == dense.differing_bytes == cmp(tmp_path / "a", tmp_path / "b")[0]
