"""Comments as they were looked at and found good. `python -m tests.reports.expected` writes them again."""

from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from situations import SITUATIONS

from ci_toolkit.forges.deliver import COMMENT_LIMIT_CHARACTERS, length
from ci_toolkit.reports import joined

EXPECTED = Path(__file__).parent / "expected"
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_comment_is_what_was_found_good(name: str) -> None:
    text = joined.render(SITUATIONS[name](), COMMENT_LIMIT_CHARACTERS, length)
    assert text.encode() == (EXPECTED / f"{name}.md").read_bytes()


def test_every_expected_comment_is_of_a_situation() -> None:
    assert {path.stem for path in EXPECTED.glob("*.md")} == set(SITUATIONS)


def test_every_expected_comment_has_a_picture_that_the_document_shows() -> None:
    """`python -m tests.reports.pictures` draws them."""
    document = (ROOT / "docs" / "comment.md").read_text(encoding="utf-8")
    pictures = {path.stem: path.stat().st_size for path in (ROOT / "docs" / "comment").glob("*.png")}
    assert set(pictures) == set(SITUATIONS)
    assert max(pictures.values()) < 150_000
    assert all(f"(comment/{name}.png)" in document for name in SITUATIONS)


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_comment_fits_and_begins_with_the_verdict(name: str) -> None:
    text = (EXPECTED / f"{name}.md").read_text(encoding="utf-8")
    assert len(text.encode("utf-16-le")) // 2 <= COMMENT_LIMIT_CHARACTERS
    heads = (
        "✅ Reproducible · ",
        "✅ Built · ",
        "❌ Not reproducible: ",
        "❌ Not built: ",
        "❌ Reproducible, but it did not",
        "❌ 2 of 4 ",
    )
    assert text.startswith(tuple(f"### {head}" for head in heads))
    assert text.count("<details>") == text.count("</details>")
    kinds = [token.type for token in MarkdownIt("gfm-like").parse(text)]
    assert kinds.count("table_open") == sum(line.startswith("| --") for line in text.splitlines())


def test_what_a_comment_of_ten_thousand_differences_leaves_out_is_said() -> None:
    text = (EXPECTED / "ten-thousand-differences.md").read_text(encoding="utf-8")
    assert "Not reproducible: 10,000 differences, 5 causes, 3,982 unexplained" in text
    assert len(text) > 20_000
    assert "more path" in text
