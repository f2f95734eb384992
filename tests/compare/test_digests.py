"""Digests made beside the walk: sha256sum's own, in their places in the end."""

from pathlib import Path

import pytest
from bench import changed, run
from specimens import loaded

from ci_toolkit.compare.contents import keep
from ci_toolkit.compare.difference import Content, Difference, Field
from ci_toolkit.compare.digests import Digests
from ci_toolkit.compare.walk import compare
from ci_toolkit.images.data import OpenFile, alone, whole
from ci_toolkit.images.limits import MIB, Budget, Limits


def test_large_files_have_the_digests_that_sha256sum_prints(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(4):
            (tmp_path / name / f"{number}").write_bytes(bytes(3 * MIB) + name.encode() + bytes([number]))
    found = {one.path: one for one in compare(tmp_path / "a", tmp_path / "b").differences if one.field is Field.CONTENT}
    assert len(found) == 4
    for path, one in found.items():
        for side, value in (("a", one.before), ("b", one.after)):
            assert isinstance(value, Content)
            assert value.sha256 == run("sha256sum", tmp_path / side / path[0]).decode().split()[0]


def test_nobody_waits_for_digests_that_nobody_wants(tmp_path: Path) -> None:
    """Small ones and all that must be unpacked are read to the end even so: a damaged one is not to be missed."""
    (tmp_path / "large").write_bytes(bytes(2 * MIB))
    with (tmp_path / "large").open("rb") as file:
        large = whole(OpenFile(file.fileno(), 2 * MIB, "large"))
        digests = Digests(wanted=False)
        assert digests.of(large) == ""
        assert digests.of(alone(large)) == run("sha256sum", tmp_path / "large").decode().split()[0]
        assert digests.of(loaded(b"small")) == run("sha256sum", stdin=b"small").decode().split()[0]
        digests.close()


def test_a_content_that_cannot_be_read_in_the_end_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "cut"
    path.write_bytes(bytes(2 * MIB))
    digests = Digests()
    said: list[tuple[tuple[str, ...], str]] = []
    with path.open("rb") as file:
        data = whole(OpenFile(file.fileno(), 3 * MIB, "cut"))
        content = keep(loaded(b"kept"), Budget(Limits()), lambda _: digests.of(data))
        cut = Difference(path=("cut",), field=Field.CONTENT, container="tar", before=content, after=None)
        found = digests.settled(cut, lambda path, reason: said.append((path, reason)))
        digests.close()
    assert found.before is None
    assert said == [(("cut",), "cut: ends at byte 2097152, 1048576 bytes early")]


def test_differences_without_large_contents_stay_as_they_are() -> None:
    digests = Digests()
    difference = changed("etc/hostname", b"one", b"two")
    assert digests.settled(difference, lambda *_: pytest.fail()) is difference
    digests.close()
