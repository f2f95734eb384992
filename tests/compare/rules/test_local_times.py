"""One moment in two zones, by date."""

import pytest
from bench import cause, changed, finding, run, shows

from ci_toolkit.compare.facts import Facts

MOMENT = 1_764_000_000


def date(zone: str, form: str, moment: int = MOMENT) -> bytes:
    return b"made: " + run("date", f"--date=@{moment}", form, environment={"TZ": zone})


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Pacific/Chatham", "America/St_Johns"])
@pytest.mark.parametrize("form", ["+%F %T", "+%FT%T%z", "+%a %b %e %H:%M:%S %Z %Y", "+%a, %d %b %Y %T %z"])
@shows("local-time", by="date")
def test_one_moment_in_two_zones_is_about_the_zone(form: str, zone: str) -> None:
    difference = changed("etc/made", date("UTC", form), date(zone, form))
    assert cause(difference) == "local-time"
    assert finding(difference, Facts(first_clock=MOMENT, second_clock=MOMENT)).fix == "[Build]\nEnvironment=TZ=UTC"


def test_two_moments_are_about_the_time() -> None:
    form = "+%F %T"
    assert cause(changed("etc/made", date("UTC", form), date("Asia/Tokyo", form, MOMENT + 95))) == "build-timestamp"
    assert cause(changed("etc/made", date("UTC", form), date("UTC", form, MOMENT + 95))) == "build-timestamp"


def test_another_change_beside_it_is_unknown() -> None:
    before, after = date("UTC", "+%F %T"), date("Asia/Tokyo", "+%F %T").replace(b"made", b"seen")
    assert cause(changed("etc/made", before, after)) == "unknown"
    assert cause(changed("etc/made", b"2026-02-30 01:00:00\n", b"2026-02-30 02:00:00\n")) != "local-time"
