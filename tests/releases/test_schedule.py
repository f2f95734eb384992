from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.releases.schedule import due

DAYS = st.dates(date(1990, 1, 1), date(2100, 1, 1))
WEEKS = st.integers(1, 8)


def test_the_first_release_is_due() -> None:
    assert due(None, date(2026, 11, 28)).due


def test_a_run_that_was_late_a_day_moves_nothing() -> None:
    """Released on a Tuesday instead of Monday: two weeks later Monday it is due by week, and not by date."""
    tuesday, monday = date(2026, 11, 17), date(2026, 11, 30)
    assert due(tuesday, monday).due
    assert not due(tuesday, monday, by="date").due
    assert due(tuesday, monday + timedelta(days=1), by="date").due


def test_the_turn_of_the_year_is_a_week_like_others() -> None:
    """2026 has 53 ISO weeks: its last one is that of 2027-01-03."""
    assert not due(date(2026, 12, 31), date(2027, 1, 10)).due
    assert due(date(2026, 12, 31), date(2027, 1, 11)).due


@given(DAYS, st.integers(0, 100), WEEKS)
def test_by_date_a_release_is_due_when_so_many_days_have_passed(last: date, days: int, weeks: int) -> None:
    assert due(last, last + timedelta(days=days), weeks=weeks, by="date").due == (days >= 7 * weeks)


@given(DAYS, st.integers(0, 100), WEEKS)
def test_by_week_a_release_is_due_so_many_iso_weeks_later(last: date, days: int, weeks: int) -> None:
    """Counted with the calendar's own numbers: step through the days, and count how often the ISO week changes."""
    today = last + timedelta(days=days)
    every = (last + timedelta(days=number) for number in range(days + 1))
    changes = len({day.isocalendar()[:2] for day in every}) - 1
    assert due(last, today, weeks=weeks).due == (changes >= weeks)


@given(DAYS, WEEKS, st.sampled_from(["week", "date"]))
def test_daily_runs_release_once_in_each_period(first: date, weeks: int, by: str) -> None:
    last, released = first, 0
    for number in range(1, 7 * weeks * 4 + 1):
        day = first + timedelta(days=number)
        if due(last, day, weeks=weeks, by=by).due:
            last, released = day, released + 1
    assert released == 4


def test_a_last_release_of_the_future_is_told() -> None:
    found = due(date(2027, 1, 1), date(2026, 11, 28))
    assert not found.due
    assert "still to come" in found.reason


def test_what_is_forced_is_due() -> None:
    assert due(date(2026, 11, 28), date(2026, 11, 28), force=True).due
