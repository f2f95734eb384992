"""Several reports in one comment."""

from dataclasses import replace

import hostile
import pytest
import sample_reports
import situations

from ci_toolkit.forges.deliver import COMMENT_LIMIT_CHARACTERS, length
from ci_toolkit.reports import joined, markdown
from ci_toolkit.reports.report import Report
from tests.reports.test_markdown import check_is_inert

GOOD, BAD, FAILED = situations.identical(), situations.five_causes(), situations.failed()


def many(number: int) -> list[Report]:
    kinds = (GOOD, BAD, FAILED, situations.ten_thousand())
    return [replace(kinds[index % len(kinds)], title=f"images/{index:03}") for index in range(number)]


def test_one_report_is_told_as_it_always_is() -> None:
    assert joined.render([BAD], 60_000) == markdown.render(BAD, 60_000)


def test_several_have_one_table_and_are_folded_with_the_bad_ones_first() -> None:
    text = joined.render([GOOD, replace(GOOD, variant="arm64"), BAD, FAILED])
    lines = text.splitlines()
    assert lines[0] == "### ❌ 2 of 4 images are not as they should be · 2.5 GB"
    assert lines[2] == "commit `3d962cd2a1b5`"
    rows = [line.split(" | ")[0] for line in lines if line.startswith("| `examples/")][:4]
    assert rows == ["| `examples/leaky`", "| `examples/debian`", "| `examples/debian`", "| `examples/debian, arm64`"]
    summaries = [line for line in lines if line.startswith("<summary>") and "<code>" in line]
    assert summaries == [
        "<summary>❌ <code>examples/leaky</code></summary>",
        "<summary>❌ <code>examples/debian</code></summary>",
        "<summary>✅ <code>examples/debian</code></summary>",
        "<summary>✅ <code>examples/debian, arm64</code></summary>",
    ]
    assert text.count("<details>") == text.count("</details>")


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 7, 40, 100])
def test_a_matrix_of_any_size_fits_and_says_what_was_cut(number: int) -> None:
    text = joined.render(many(number), COMMENT_LIMIT_CHARACTERS, length)
    assert length(text) <= COMMENT_LIMIT_CHARACTERS
    assert text.count("<details>") == text.count("</details>")
    shown = text.count("<summary>❌ <code>") + text.count("<summary>✅ <code>")
    assert shown == number or f"the details of {number - shown} image" in text
    assert all(f"| `images/{index:03}` |" in text for index in range(number))


def test_reports_of_two_commits_name_none_above_all() -> None:
    assert GOOD.job is not None
    other = replace(GOOD, job=replace(GOOD.job, commit="5" * 40))
    assert joined.render([GOOD, other]).splitlines()[2].startswith("| image | SHA-256 |")


@pytest.mark.parametrize("name", hostile.NAMES, ids=lambda name: ascii(name)[:24])
def test_hostile_names_are_text(name: str) -> None:
    reports = [hostile.built(name), hostile.failed(name), sample_reports.identical()]
    text = joined.render(reports)
    # Our own <code> around a title is the one more piece of HTML.
    lines = [line for line in text.splitlines() if not (line.startswith("<summary>") and "<code>" in line)]
    titles = [line for line in text.splitlines() if line.startswith("<summary>") and "<code>" in line]
    check_is_inert("\n".join(lines).replace("<details>\n\n", "\n"))
    assert len(titles) == 3
    for line in titles:
        inside = line.partition("<code>")[2].partition("</code></summary>")[0]
        assert "<" not in inside and ">" not in inside
