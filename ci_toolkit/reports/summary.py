"""The summary of a GitHub step: the comment, with room for more of it."""

from typing import Final

from ci_toolkit.reports import joined
from ci_toolkit.reports.budget import size_in_bytes
from ci_toolkit.reports.report import Report

# GitHub drops the summary of a step whole above 1 MiB, other text of the same step included.
BUDGET_BYTES: Final = 1_000_000


def render(*reports: Report, budget: int = BUDGET_BYTES) -> str:
    """Return REPORTS as Markdown of at most BUDGET bytes of UTF-8."""
    return joined.render(reports, budget, size_in_bytes)
