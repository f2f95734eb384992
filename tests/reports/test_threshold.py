"""When a report is worth a new comment."""

from dataclasses import replace

import pytest
import situations

from ci_toolkit.errors import UsageError
from ci_toolkit.reports.change import Change, Packages
from ci_toolkit.reports.report import Report
from ci_toolkit.reports.threshold import is_crossed, parse

GOOD = situations.first_build()


def grown(before: int, after: int) -> Report:
    change = Change(commit=None, before=before, after=after, same_bits=False, packages=Packages())
    return replace(GOOD, changes=(change,))


@pytest.mark.parametrize(("text", "percent"), [("", None), (" ", None), ("0", 0.0), ("1.5", 1.5), ("2 %", 2.0)])
def test_a_threshold_is_a_number_of_percent(text: str, percent: float | None) -> None:
    assert parse(text) == percent


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf", "1e999", "%", "1,5"])
def test_another_threshold_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="comment-threshold"):
        parse(text)


def test_without_a_threshold_every_report_is_worth_a_comment() -> None:
    assert is_crossed(GOOD, None)


@pytest.mark.parametrize("report", [situations.five_causes(), situations.failed()], ids=["different", "failed"])
def test_what_is_not_good_is_always_worth_one(report: Report) -> None:
    assert is_crossed(report, 100)


def test_the_first_build_is_not_worth_one_by_itself() -> None:
    assert not is_crossed(GOOD, 0)


@pytest.mark.parametrize(
    ("before", "after", "crossed"), [(1000, 1010, False), (1000, 990, False), (1000, 1011, True), (0, 1, True)]
)
def test_a_size_crosses_in_both_directions(before: int, after: int, crossed: bool) -> None:
    assert is_crossed(grown(before, after), 1) is crossed


def test_another_package_is_worth_one_whatever_its_size() -> None:
    assert is_crossed(situations.identical(), 100)


def test_one_of_several_baselines_is_enough() -> None:
    same, other = grown(1000, 1000), grown(1000, 1020)
    assert is_crossed(replace(GOOD, changes=(*same.changes, *other.changes)), 1)
    assert not is_crossed(replace(GOOD, changes=(*same.changes, *same.changes)), 1)
