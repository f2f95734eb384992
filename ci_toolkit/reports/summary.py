"""The summary of a GitHub step: the comment, with room for more of it."""

from typing import Final

from ci_toolkit.reports import markdown
from ci_toolkit.reports.budget import size_in_bytes
from ci_toolkit.reports.report import Report

# GitHub drops the summary of a step whole above 1 MiB, other text of the same step included.
BUDGET_BYTES: Final = 1_000_000


def render(report: Report, budget: int = BUDGET_BYTES) -> str:
    """Return REPORT as Markdown of at most BUDGET bytes of UTF-8."""
    return markdown.render(report, budget, size_in_bytes)
