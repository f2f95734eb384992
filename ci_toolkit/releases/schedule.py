"""Is a release due? Schedules of CI systems know days and weeks, but no fortnight: so they ask here every day."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

# What a fortnight is counted by: `week` takes whole ISO weeks, so that a run which was late a day moves nothing.
RHYTHMS: Final = ("week", "date")


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Whether a release is due, and why in one sentence."""

    due: bool
    reason: str


def due(last: date | None, today: date, *, weeks: int = 2, by: str = "week", force: bool = False) -> Due:
    """Tell whether a release is due TODAY where the LAST one was that day; None where there was none.

    By "week": in the WEEKS-th ISO week after that of the last release, on whatever day. By "date": WEEKS times seven
    days after it. FORCE makes it due anyway.
    """
    if force:
        return Due(due=True, reason="a release is due: it was asked for (--force)")
    if last is None:
        return Due(due=True, reason="a release is due: there is none yet")
    if last > today:
        return Due(due=False, reason=f"no release is due: the last one is of {last}, which is still to come")
    begins = (_monday(last) if by == "week" else last) + timedelta(weeks=weeks)
    if today < begins:
        return Due(due=False, reason=f"no release is due before {begins}: the last one is of {last}")
    return Due(due=True, reason=f"a release is due since {begins}: the last one is of {last}")


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
