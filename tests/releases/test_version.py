import subprocess
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.errors import UsageError
from ci_toolkit.releases import version
from ci_toolkit.releases.version import SCHEMES

NOW = datetime(2026, 11, 28, 23, 59, tzinfo=UTC)
DAYS = st.dates(date(1000, 1, 1))


@given(DAYS, st.integers(0, 10**17), st.sampled_from(SCHEMES))
def test_a_version_holds_its_day(day: date, run: int, scheme: str) -> None:
    assert version.day_of(version.make(scheme, day, run)) == day


@given(st.lists(st.tuples(DAYS, st.integers(0, 10**17)), min_size=2))
def test_versions_are_ordered_by_day_and_pipeline(made: list[tuple[date, int]]) -> None:
    found = [version.make("YYYYMMDD.JOB", *one) for one in made]
    assert sorted(found, key=version.order) == [version.make("YYYYMMDD.JOB", *one) for one in sorted(made)]


def test_a_version_is_what_the_program_date_says() -> None:
    argv = ("date", "--utc", "--date=2026-11-28", "+%Y.%m.%d %Y%m%d")
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    day = date(2026, 11, 28)
    assert [version.make("YYYY.MM.DD", day, 7), version.make("YYYYMMDD.JOB", day, 7)] == [said[0], f"{said[1]}.7"]


@pytest.mark.parametrize("name", ["v1", "latest", "2026.13.01", "2026.02.30", "20261128", "2026.11.28.1", ""])
def test_another_name_is_no_version(name: str) -> None:
    assert version.day_of(name) is None


def test_a_scheme_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match="no version scheme"):
        version.make("semver", date(2026, 11, 28), 1)


def test_the_day_is_that_of_the_pipelines_beginning_also_after_midnight() -> None:
    late = NOW + timedelta(hours=2)
    begun = {"CI_PIPELINE_CREATED_AT": "2026-11-28T23:50:00Z"}
    assert version.fixed_day(begun, late) == date(2026, 11, 28)
    assert version.fixed_day({}, late) == date(2026, 11, 29)
    assert version.fixed_day({**begun, "CI_TOOLKIT_DATE": "2026-11-27"}, late) == date(2026, 11, 27)


def test_the_day_is_one_of_utc() -> None:
    assert version.fixed_day({"CI_PIPELINE_CREATED_AT": "2026-11-29T00:30:00+02:00"}, NOW) == date(2026, 11, 28)
    assert version.fixed_day({}, NOW.astimezone(timezone(timedelta(hours=9)))) == date(2026, 11, 28)


def test_what_is_no_date_is_told() -> None:
    with pytest.raises(UsageError, match="CI_TOOLKIT_DATE"):
        version.fixed_day({"CI_TOOLKIT_DATE": "tomorrow"}, NOW)
