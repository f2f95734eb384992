"""Whether a report says anything that somebody waits for."""

import math

from ci_toolkit.errors import UsageError
from ci_toolkit.reports import outline
from ci_toolkit.reports.report import Report


def parse(text: str) -> float | None:
    """Return the percentage that TEXT names ("1", "0.5 %"), None for an empty one. Raises UsageError for another."""
    if not text.strip():
        return None
    try:
        found = float(text.strip().removesuffix("%"))
    except ValueError:
        found = math.nan
    if not math.isfinite(found) or found < 0:
        raise UsageError(f"comment-threshold is {text!r}", hint="It is a number of percent, such as 1.")
    return found


def is_crossed(report: Report, percent: float | None) -> bool:
    """Tell whether REPORT is not good, or packages or more than PERCENT of the size changed; always without PERCENT."""
    if percent is None or not outline.good(report):
        return True
    return any(change.packages or abs(change.percent) > percent for change in report.changes)
