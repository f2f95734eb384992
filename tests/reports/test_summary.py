from dataclasses import replace

import sample_reports

from ci_toolkit.compare.finding import PATHS_SHOWN
from ci_toolkit.reports import markdown, summary
from ci_toolkit.reports.report import Report

# https://docs.github.com/actions/reference/workflow-commands-for-github-actions#step-isolation-and-limits
GITHUB_LIMIT_BYTES = 1024 * 1024


def long(paths: int) -> Report:
    """A report with 100 causes whose PATHS are of letters that are two bytes each."""
    sample = sample_reports.leaky()
    first = sample.findings[0]
    shown = tuple(f"2:root › usr/share/{'é' * 60}/{number:05}" for number in range(paths))
    return replace(
        sample, findings=tuple(replace(first, cause=f"{index}", paths=shown, count=paths) for index in range(100))
    )


def test_a_summary_of_what_fits_is_the_comment() -> None:
    report = sample_reports.leaky()
    assert summary.render(report) == markdown.render(report)


def test_a_summary_has_room_for_more_than_a_comment() -> None:
    report = long(30)
    assert summary.render(report).count("- `2:root") > 2 * markdown.render(report).count("- `2:root")


def test_a_summary_is_measured_in_bytes_and_leaves_room_for_what_else_the_step_says() -> None:
    text = summary.render(long(PATHS_SHOWN))
    assert len(text.encode()) <= summary.BUDGET_BYTES < GITHUB_LIMIT_BYTES
    assert len(text.encode()) > 300_000
    assert text.count("<details>") == text.count("</details>")


def test_a_smaller_budget_is_kept_too() -> None:
    assert len(summary.render(long(PATHS_SHOWN), budget=5_000).encode()) <= 5_000
