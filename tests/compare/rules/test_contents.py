"""Questions about two contents, against diff and cmp."""

import shutil
import subprocess
from pathlib import Path

import pytest
from bench import KEPT, PATH, changed, differs
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.rules import contents


def told(program: str, *argv: str | Path) -> list[str]:
    """The lines of a program that says by its exit code whether two files differ."""
    found = shutil.which(program, path=PATH)
    if found is None:
        pytest.skip(f"{program} is not installed")
    completed = subprocess.run([found, *argv], capture_output=True, check=False, env={"LC_ALL": "C.UTF-8"})
    assert completed.returncode in (0, 1), completed.stderr
    return completed.stdout.decode().splitlines()


def test_only_kept_contents_are_whole() -> None:
    assert contents.whole(changed("a", b"one", b"two")) == (b"one", b"two")
    assert contents.whole(changed("a", b"one", b"x" * (KEPT + 1))) is None
    assert contents.whole(changed("a", b"x" * (KEPT + 1), b"one")) is None
    assert contents.whole(differs("a", Field.PRESENCE, None, "file")) is None
    assert contents.both(differs("a", Field.MODE, 1, 2)) is None


def test_both_contents_begin_with_one_magic() -> None:
    difference = changed("a", b"\x7fELF one", b"\x7fELF two")
    assert contents.starts(difference, b"MZ", b"\x7fELF")
    assert not contents.starts(difference, b"MZ")
    assert not contents.starts(changed("a", b"MZ one", b"\x7fELF two"), b"MZ", b"\x7fELF")
    assert not contents.starts(differs("a", Field.TARGET, "MZ", "MZ2"), b"MZ")


def test_texts_are_utf_8_without_zeros_and_targets_of_links() -> None:
    assert contents.texts(changed("a", "ä".encode(), "ö".encode())) == ("ä", "ö")
    assert contents.texts(differs("a", Field.TARGET, "one", "two")) == ("one", "two")
    assert contents.texts(changed("a", b"\xff", b"x")) is None
    assert contents.texts(changed("a", b"a\0", b"x")) is None


letters = st.lists(st.sampled_from(("one", "two", "three")), min_size=6, max_size=6)


@settings(deadline=None, max_examples=25)
@given(letters, letters)
def test_the_lines_that_differ_are_those_that_diff_changes(
    tmp_path_factory: pytest.TempPathFactory, one: list[str], other: list[str]
) -> None:
    # Numbered, so that diff cannot pair a line with another than the one at its place.
    before, after = (
        "".join(f"{number} {word}\n" for number, word in enumerate(words)).encode() for words in (one, other)
    )
    if before == after:
        return
    directory = tmp_path_factory.mktemp("diff")
    for name, content in (("a", before), ("b", after)):
        (directory / name).write_bytes(content)
    lines = told("diff", directory / "a", directory / "b")
    removed, added = ([line[2:] for line in lines if line.startswith(sign)] for sign in "<>")
    assert contents.changed_lines(changed("x", before, after)) == tuple(zip(removed, added, strict=True))


def test_texts_of_unlike_or_too_many_lines_have_no_pairs() -> None:
    assert contents.changed_lines(changed("a", b"one\n", b"one\ntwo\n")) is None
    many = b"\n" * contents.LINES_COMPARED
    assert contents.changed_lines(changed("a", many, b"x" + many)) is None
    assert contents.changed_lines(changed("a", many[1:], b"x" + many[1:])) == (("", "x"),)


def test_differing_places_are_those_of_cmp(tmp_path: Path) -> None:
    before = bytes(range(256)) * 64
    after = bytearray(before)
    for place in (0, 4095, 4096, 9000, len(before) - 1):
        after[place] ^= 0xFF
    (tmp_path / "a").write_bytes(before)
    (tmp_path / "b").write_bytes(after)
    found = [int(line.split()[0]) - 1 for line in told("cmp", "--verbose", tmp_path / "a", tmp_path / "b")]
    difference = changed("x", before, bytes(after))
    assert contents.differs_only_at(difference, [range(place, place + 1) for place in found])
    for missing in found:
        assert not contents.differs_only_at(difference, [range(p, p + 1) for p in found if p != missing])


def test_what_lies_behind_the_kept_head_must_not_differ() -> None:
    head = bytes(KEPT)
    near = changed("x", head + b"end", b"x" + head[1:] + b"end")
    far = changed("x", head + b"end", b"x" + head[1:] + b"END")
    assert contents.differs_only_at(near, [range(1)])
    assert not contents.differs_only_at(far, [range(1)])
    assert not contents.differs_only_at(changed("x", b"one", b"longer"), [range(10)])


def test_what_was_told_of_one_difference_is_not_told_of_another() -> None:
    asked = []

    @contents.remembered
    def size(difference: Difference) -> int:
        asked.append(difference)
        return len(difference.path)

    one, other = changed("a", b"x", b"y"), changed("a", b"x", b"y")
    assert one == other
    assert [size(difference) for difference in (one, one, other, one)] == [1] * 4
    assert list(map(id, asked)) == list(map(id, (one, other, one)))
