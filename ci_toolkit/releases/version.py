"""The names of releases, which hold their day: 2026.11.28, or 20261128.4711 with the number of the pipeline."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Final

from ci_toolkit.errors import UsageError

# The name of a scheme is its shape; the first is the default.
SCHEMES: Final = ("YYYY.MM.DD", "YYYYMMDD.JOB")

_SHAPES: Final = (
    re.compile(r"(\d{4})\.(\d\d)\.(\d\d)", re.ASCII),
    re.compile(r"(\d{4})(\d\d)(\d\d)\.(\d{1,18})", re.ASCII),
)

# When the pipeline began, which is the same for all its jobs: GitLab's own, or what the workflow hands on.
_BEGINNINGS: Final = ("CI_TOOLKIT_DATE", "CI_PIPELINE_CREATED_AT")


def make(scheme: str, day: date, run: int) -> str:
    """Return the version of a release of DAY by the pipeline with the number RUN."""
    match scheme:
        case "YYYY.MM.DD":
            return f"{day:%Y.%m.%d}"
        case "YYYYMMDD.JOB":
            return f"{day:%Y%m%d}.{run}"
        case _:
            raise UsageError(f"there is no version scheme {scheme!r}", hint=f"Schemes: {', '.join(SCHEMES)}.")


def day_of(version: str) -> date | None:
    """Return the day that VERSION holds; None for a name that is no version of ours."""
    for shape in _SHAPES:
        if found := shape.fullmatch(version):
            try:
                return date(*(int(part) for part in found.groups()[:3]))
            except ValueError:
                return None
    return None


def order(version: str) -> tuple[date, int]:
    """Return what VERSION is sorted by: its day, and the pipeline of that day."""
    day = day_of(version)
    number = version.rpartition(".")[2] if version[4:5] != "." else "0"
    return (day or date.min, int(number) if day else 0)


def fixed_day(environ: Mapping[str, str], now: datetime) -> date:
    """Return the day, in UTC, on which the pipeline of ENVIRON began; that of NOW where nothing says so.

    A pipeline that runs over midnight has one day. Raises UsageError for what is no date.
    """
    for name in _BEGINNINGS:
        if text := environ.get(name, "").strip():
            try:
                moment = datetime.fromisoformat(text)
            except ValueError as error:
                raise UsageError(f"{name} is {text!r}", hint="It is a date such as 2026-11-28.") from error
            return (moment if moment.tzinfo is None else moment.astimezone(UTC)).date()
    return now.astimezone(UTC).date()
