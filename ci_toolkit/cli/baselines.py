"""The reports of earlier builds, to tell what changed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.cli import reading
from ci_toolkit.console import Console
from ci_toolkit.errors import UnreadableError

if TYPE_CHECKING:
    from ci_toolkit.reports.report import Report


def apply(reports: Sequence["Report"], place: str, console: Console) -> tuple["Report", ...]:
    """Return REPORTS with what each changed against the report of the same image in PLACE, a file or a directory.

    PLACE may be empty, or not there yet: a first build has none. What cannot be read is a warning: the reports are
    worth more than the comparison.
    """
    from ci_toolkit.reports import baseline, json

    if not place:
        return tuple(reports)
    if not Path(place).exists():
        console.say(f"there is no baseline {place}: nothing is said of what changed")
        return tuple(reports)
    try:
        bases = [json.parse(reading.read(file)) for file in reading.files(Path(place))]
    except UnreadableError as error:
        console.warn(f"the baseline was not read: {error.message}", hint=error.hint)
        return tuple(reports)
    found = []
    for report in reports:
        changes = [change for base in bases if (change := baseline.between(base, report)) is not None]
        found.append(replace(report, change=changes[0]) if changes else report)
    if bases and not any(report.change for report in found) and not any(report.failure for report in found):
        console.say(f"{place} is of no image that was built here: nothing is said of what changed")
    return tuple(found)
