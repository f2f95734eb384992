"""Lines that differ in stamps, as date writes them."""

import pytest
from bench import run
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.rules.stamps import only_stamps

NO_CLOCKS = Facts()
FIRST, SECOND = 1_764_000_000, 1_764_000_095
CLOCKS = Facts(first_clock=FIRST - 60, second_clock=SECOND - 60)


def date(seconds: int, form: str) -> str:
    return run("date", "--utc", f"--date=@{seconds}", form).decode().rstrip("\n")


@pytest.mark.parametrize("form", ["+%c", "+%s", "+%F %T", "+%a, %d %b %Y %H:%M:%S %z", "+%Y%m%dT%H%M%SZ"])
def test_two_moments_in_one_form_are_stamps_with_and_without_clocks(form: str) -> None:
    first, second = (f"built {date(seconds, form)} here" for seconds in (FIRST, SECOND))
    assert only_stamps(first, second, CLOCKS)
    assert only_stamps(first, second, NO_CLOCKS)


def test_equal_lines_have_no_stamps_that_differ() -> None:
    line = f"built {date(FIRST, '+%F %T')}"
    assert not only_stamps(line, line, CLOCKS)


def test_another_word_beside_the_stamp_is_another_line() -> None:
    first, second = date(FIRST, "+%F %T one"), date(SECOND, "+%F %T two")
    assert not only_stamps(first, second, CLOCKS)


def test_a_moment_in_two_forms_is_not_the_same_line_built_again() -> None:
    assert not only_stamps(date(FIRST, "+%s"), date(SECOND, "+%F %T"), CLOCKS)


def test_a_moment_of_neither_build_is_none_of_the_clocks() -> None:
    year = 365 * 86_400
    assert not only_stamps(date(FIRST - year, "+%s"), date(SECOND - year, "+%s"), CLOCKS)
    assert not only_stamps(date(FIRST, "+%s"), date(SECOND - year, "+%s"), CLOCKS)


def test_without_clocks_two_moments_lie_no_more_than_about_a_year_apart() -> None:
    day = 86_400
    assert only_stamps(date(FIRST, "+%s"), date(FIRST + 399 * day, "+%s"), NO_CLOCKS)
    assert not only_stamps(date(FIRST, "+%s"), date(FIRST + 401 * day, "+%s"), NO_CLOCKS)


def test_a_day_that_is_in_no_calendar_is_no_stamp() -> None:
    assert not only_stamps("2025-02-30 10:00:00", "2025-02-31 10:00:00", NO_CLOCKS)
    assert not only_stamps("20251332", "20251333", Facts(first_clock=FIRST, second_clock=FIRST))


def test_digits_beside_a_number_make_it_another_number() -> None:
    assert not only_stamps(f"{FIRST}.1.2", f"{SECOND}.1.2", CLOCKS)
    assert not only_stamps(f"1{FIRST}", f"1{SECOND}", CLOCKS)


def test_thousands_of_stamps_in_one_line_are_read_like_one() -> None:
    first, second = (f"{date(seconds, '+%F %T')} {seconds} " * 9000 for seconds in (FIRST, SECOND))
    assert only_stamps(first, second, CLOCKS)
    assert not only_stamps(first + "one", second + "two", CLOCKS)


pieces = st.lists(st.sampled_from(("2025-11-24", "2025-11-24 16:00:00", f"{FIRST}", "16:00:00", " ", "x", "-")))


@settings(deadline=None)
@given(pieces, pieces)
def test_whatever_a_line_holds_it_differs_from_itself_in_nothing(one: list[str], other: list[str]) -> None:
    first, second = "".join(one), "".join(other)
    assert not only_stamps(first, first, NO_CLOCKS)
    assert only_stamps(first, second, NO_CLOCKS) == only_stamps(second, first, NO_CLOCKS)
