"""Diffs of texts, against the word of diff."""

import re
import subprocess
from html import unescape
from pathlib import Path

import pytest
from bench import PATH, changed
from html_page import Page

from ci_toolkit.compare.difference import Content, Difference, Field
from ci_toolkit.reports.html import diffs

LINES = [f"line {number}" for number in range(60)]


def told_by_diff(directory: Path, before: str, after: str) -> list[str]:
    """The lines that diff(1) shows, with their signs."""
    for name, text in (("a", before), ("b", after)):
        (directory / name).write_text(text, encoding="utf-8")
    argv = ("diff", "--unified=2", directory / "a", directory / "b")
    told = subprocess.run(argv, capture_output=True, check=False, text=True, env={"PATH": PATH, "LC_ALL": "C.UTF-8"})
    assert told.returncode == 1
    return [line for line in told.stdout.splitlines()[2:] if not line.startswith("@@")]


def shown(difference: Difference) -> list[str]:
    text = diffs.of(difference)
    Page(text)
    lines = re.findall(r"<(?:del|ins|span)>(.*?)</(?:del|ins|span)>", text)
    return [unescape(re.sub("</?mark>", "", line)) for line in lines if not line.startswith("@ line")]


def edited(edits: dict[int, str | None]) -> str:
    lines = [edits.get(number, line) for number, line in enumerate(LINES)]
    return "".join(f"{line}\n" for line in lines if line is not None)


@pytest.mark.parametrize(
    "edits",
    [{0: "first"}, {30: "other"}, {59: "last"}, {30: None}, {30: "a\nb\nc"}, {5: "x", 40: "y"}, {30: "<b>&amp;</b>"}],
    ids=str,
)
def test_the_lines_are_those_of_diff(tmp_path: Path, edits: dict[int, str | None]) -> None:
    before, after = edited({}), edited(edits)
    expected = [f"{line[0]} {line[1:]}" for line in told_by_diff(tmp_path, before, after)]
    assert shown(changed("etc/conf", before.encode(), after.encode())) == expected


def test_where_the_lines_are_is_told() -> None:
    text = diffs.of(changed("etc/conf", edited({}).encode(), edited({30: "other"}).encode()))
    assert "<span>@ line 29</span>" in text


def test_the_words_that_changed_within_a_line_are_marked() -> None:
    text = diffs.of(changed("stamp", b"built at 07:13:04 UTC\n", b"built at 07:16:55 UTC\n"))
    assert "<del>- built at 07:<mark>13:04</mark> UTC</del>" in text
    assert "<ins>+ built at 07:<mark>16:55</mark> UTC</ins>" in text


def test_lines_without_anything_in_common_are_not_marked() -> None:
    assert "mark" not in diffs.of(changed("id", b"0f9a1f7a\n", b"5be0f2c2\n"))


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("etc/shadow", b"root:a\n", b"root:b\n"),
        ("etc/app.conf", b"token=a\n", b"token=b\n"),
        ("bin/app", b"\x7fELF\0\1\n", b"\x7fELF\0\2\n"),
        ("cache", b"text\1\n", b"text\2\n"),
        ("latin", b"\xe9\n", b"\xe8\n"),
        ("empty", b"", b"\n"),
    ],
    ids=str,
)
def test_secrets_and_what_is_no_text_have_no_diff(path: str, before: bytes, after: bytes) -> None:
    assert diffs.of(changed(path, before, after)) == ""


def test_a_difference_of_anything_but_contents_has_no_diff() -> None:
    assert diffs.of(Difference(path=("a",), field=Field.MODE, container="ext4", before=1, after=2)) == ""


def test_contents_that_are_equal_as_far_as_they_were_kept_have_no_diff() -> None:
    content = Content(size=1 << 30, sha256="0" * 64, head=b"same\n")
    assert diffs.of(Difference(path=("a",), field=Field.CONTENT, container="", before=content, after=content)) == ""


def test_long_texts_and_long_lines_are_cut() -> None:
    before, after = ("".join(f"{side}{n}\n" for n in range(5_000)) for side in "ab")
    lines = shown(changed("big", before.encode(), after.encode()))
    assert (len(lines), lines[-1]) == (81, "…")
    text = diffs.of(changed("minified", b"x" * 100_000 + b"1", b"x" * 100_000 + b"2"))
    assert len(text) < 1_000
    assert "x2" in text.replace("<mark>", "")


def test_hostile_lines_are_text() -> None:
    text = diffs.of(changed("x", b"</pre><script>alert(1)</script>\n", "\u202eevil\x1b[2J\n".encode()))
    page = Page(text)
    assert set(page.shape) == {"pre", "del", "ins"}
    assert r"\u202eevil\x1b[2J" in page.text


def test_what_a_program_printed_is_text_with_the_colours_of_a_diff() -> None:
    page = Page(diffs.foreign("--- a\n+++ b\n@@ -1 +1 @@\n-<b>\n+\x1b[31mx\n" + "more\n" * 1000))
    assert page.of("del") == ["--- a", "-<b>"]
    assert page.of("ins") == ["+++ b", r"+\x1b[31mx"]
    assert len(page.of("span")) < 500
