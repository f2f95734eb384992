"""One moment, written down in two time zones."""

import re
from datetime import datetime
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents
from ci_toolkit.compare.rules.remedy import render, setting
from ci_toolkit.compare.rules.rule import Phase, Rule

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = rf"(?P<name>(?i:{'|'.join(_MONTHS)}))[a-z]*"
_CLOCK: Final = r"(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d):(?P<second>[0-6]\d)(?:\.\d+)?"
_ZONE: Final = r"(?: ?(?:[A-Z]{3,5}|[+-]\d\d:?\d\d|Z)(?![A-Za-z\d]))?"
_WEEKDAY: Final = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +)?"
_FORMS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?P<year>\d{{4}})[-/](?P<month>\d\d)[-/](?P<day>\d\d)[T _]+{_CLOCK}{_ZONE}",
        rf"{_WEEKDAY}{_MONTH} +(?P<day>\d\d?) +{_CLOCK}{_ZONE} +(?P<year>\d{{4}})",
        rf"{_WEEKDAY}(?P<day>\d\d?)[ -]{_MONTH}[ -](?P<year>\d{{4}}) +{_CLOCK}{_ZONE}",
    )
)
_QUARTER_HOUR: Final = 900
# From UTC-12 to UTC+14.
_FARTHEST: Final = 26 * 3600


def _moment(found: re.Match[str]) -> datetime | None:
    groups = found.groupdict()
    month = int(groups["month"]) if groups.get("month") else _MONTHS.index(groups["name"].lower()) + 1
    try:
        return datetime(  # noqa: DTZ001  what the zone is, is the question
            int(groups["year"]), month, int(groups["day"]), int(groups["hour"]), int(groups["minute"]),
            int(groups["second"]),
        )  # fmt: skip
    except ValueError:
        return None


def _same_moment(before: str, after: str) -> bool:
    """Tell whether two lines are equal but for moments that are whole quarters of an hour apart."""
    for form in _FORMS:
        first = tuple(form.finditer(before))
        second = tuple(form.finditer(after)) if first else ()
        if first and len(first) == len(second) and form.sub("", before) == form.sub("", after):
            pairs = zip(first, second, strict=True)
            return all(_in_two_zones(_moment(a), _moment(b)) for a, b in pairs if a.group() != b.group())
    return False


def _in_two_zones(first: datetime | None, second: datetime | None) -> bool:
    if first is None or second is None:
        return False
    apart = abs((first - second).total_seconds())
    return 0 < apart <= _FARTHEST and apart % _QUARTER_HOUR == 0


def _is_local(difference: Difference, _facts: Facts) -> bool:
    lines = contents.changed_lines(difference)
    return bool(lines) and all(_same_moment(before, after) for before, after in lines or ())


LOCAL_TIME: Final = Rule(
    cause=Cause(
        identifier="local-time",
        title="One moment is written down in two time zones",
        explanation="The times in the text are whole quarters of an hour apart, to the second: a tool wrote them in "
        "the time zone of the machine that builds.",
        fix=render((setting("Build", "Environment=TZ=UTC"),)),
        source="https://reproducible-builds.org/docs/timezones/",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_local,
)
