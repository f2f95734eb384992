"""Dates and times in texts that are otherwise equal."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ci_toolkit.compare.facts import Facts

_DAY: Final = 86_400
# A clock of a build is compared with stamps in local time of any zone, and a build may take a day.
_BEFORE, _AFTER = 15 * 3600, 2 * _DAY
# Without clocks: when there were reproducible builds of images, and how far apart two of them may be.
_EARLIEST, _LATEST = 1_420_070_400, 4_102_444_800
_FARTHEST: Final = 400 * _DAY

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_WEEKDAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +)?"
_CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-6]\d(?:[.,]\d+)?)?(?: ?[AP]M)?"
_ZONE = r"(?: ?(?:Z|UTC|GMT|[A-Z]{3,5}|[+-]\d\d:?\d\d))?"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A way to write a moment. `seconds` reads it, None for no such day; `exact` is false for a day without a time."""

    pattern: re.Pattern[str]
    seconds: Callable[[re.Match[str]], float | None]
    exact: bool = True


def _moment(found: re.Match[str]) -> float | None:
    """Read the named groups year, month and day; the time of day does not matter at the precision that is asked for."""
    groups = found.groupdict()
    month = groups["month"].lower()[:3]
    try:
        return datetime(
            int(groups["year"]),
            int(month) if month.isdigit() else _MONTHS[month],
            int(groups["day"]),
            12,
            tzinfo=UTC,
        ).timestamp()
    except (ValueError, KeyError):
        return None


def _epoch(found: re.Match[str]) -> float:
    return float(found["seconds"])


def _form(pattern: str, seconds: Callable[[re.Match[str]], float | None], *, exact: bool = True) -> _Form:
    return _Form(pattern=re.compile(pattern), seconds=seconds, exact=exact)


# Longest first: what an earlier form has taken, a later one does not see.
_FORMS: Final = (
    _form(rf"(?P<year>\d{{4}})[-/](?P<month>\d\d)[-/](?P<day>\d\d)[T _]+{_CLOCK}{_ZONE}", _moment),
    _form(rf"{_WEEKDAY}(?P<month>{_MONTH}) +(?P<day>\d\d?),? +{_CLOCK}{_ZONE} +(?P<year>\d{{4}}){_ZONE}", _moment),
    _form(rf"{_WEEKDAY}(?P<day>\d\d?)[ -](?P<month>{_MONTH})[ -](?P<year>\d{{4}}),? +{_CLOCK}{_ZONE}", _moment),
    _form(r"(?<!\d)(?P<year>20\d\d)(?P<month>\d\d)(?P<day>\d\d)[T_-]?[0-2]\d[0-5]\d(?:[0-6]\d)?Z?(?!\d)", _moment),
    _form(r"(?<![\d.])(?P<seconds>\d{10})(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?(?![\d.])", _epoch),
    _form(r"(?<!\d)(?P<year>20\d\d)[-/](?P<month>\d\d)[-/](?P<day>\d\d)(?!\d)", _moment, exact=False),
    _form(rf"(?P<day>\d\d?)[ -](?P<month>{_MONTH})[ -](?P<year>20\d\d)", _moment, exact=False),
    _form(rf"(?P<month>{_MONTH}) +(?P<day>\d\d?),? +(?P<year>20\d\d)", _moment, exact=False),
    _form(r"(?<!\d)(?P<year>20\d\d)(?P<month>\d\d)(?P<day>\d\d)(?!\d)", _moment, exact=False),
)
# No form does with fewer.
_DIGITS: Final = re.compile(r"(?:\D*\d){5}")
_TIME_OF_DAY: Final = re.compile(r"(?<![\w:.])(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:[.,]\d+)?(?![\w:.])")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stamp:
    start: int
    text: str
    form: int
    seconds: float | None


def only_stamps(before: str, after: str, facts: Facts) -> bool:
    """Tell whether two lines differ in dates, times or seconds since the epoch that can be those of the two builds.

    With the builds' clocks in FACTS, each must fall into its own build. Without them, a bare day is not enough (a
    version may look like one), and the two may lie 400 days apart at most.
    """
    first, second = _stamps(before), _stamps(after)
    if _without(before, first) != _without(after, second) or len(first) != len(second):
        return False
    pairs = [pair for pair in zip(first, second, strict=True) if pair[0].text != pair[1].text]
    return bool(pairs) and all(_plausible(a, b, facts) for a, b in pairs)


def _stamps(line: str) -> list[_Stamp]:
    """Find the stamps of LINE, in their order."""
    found: list[_Stamp] = []
    if _DIGITS.match(line) is None:
        return found
    rest = line
    for number, form in enumerate(_FORMS):
        here: list[_Stamp] = []
        for match in form.pattern.finditer(rest):
            seconds = form.seconds(match)
            if seconds is not None:
                here.append(_Stamp(start=match.start(), text=match.group(), form=number, seconds=seconds))
        if here:
            rest = _blank(rest, here)
            found += here
    found += [
        _Stamp(start=match.start(), text=match.group(), form=len(_FORMS), seconds=None)
        for match in _TIME_OF_DAY.finditer(rest)
    ]
    return sorted(found, key=lambda stamp: stamp.start)


def _blank(line: str, stamps: list[_Stamp]) -> str:
    """LINE with zeros in the place of STAMPS, which are in order; put together once, for there may be thousands."""
    pieces: list[str] = []
    end = 0
    for stamp in stamps:
        pieces += [line[end : stamp.start], "\0" * len(stamp.text)]
        end = stamp.start + len(stamp.text)
    return "".join((*pieces, line[end:]))


def _without(line: str, stamps: list[_Stamp]) -> list[str]:
    """The pieces of LINE between its stamps, each stamp as the number of its form."""
    pieces: list[str] = []
    end = 0
    for stamp in stamps:
        pieces += [line[end : stamp.start], str(stamp.form)]
        end = stamp.start + len(stamp.text)
    return [*pieces, line[end:]]


def _plausible(first: _Stamp, second: _Stamp, facts: Facts) -> bool:
    if first.seconds is None or second.seconds is None:
        return True  # a time of day, at the same place in both
    if facts.first_clock is not None and facts.second_clock is not None:
        return _during(first.seconds, facts.first_clock) and _during(second.seconds, facts.second_clock)
    if not _FORMS[first.form].exact:
        return False
    in_range = all(_EARLIEST <= seconds <= _LATEST for seconds in (first.seconds, second.seconds))
    return in_range and abs(first.seconds - second.seconds) <= _FARTHEST


def _during(seconds: float, clock: int) -> bool:
    # A day is read as its noon, so half a day more on either side.
    return clock - _BEFORE - _DAY / 2 <= seconds <= clock + _AFTER + _DAY / 2
