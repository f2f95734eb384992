"""One difference in a few words: the property, the value before, the value after. Foreign, so not yet safe to show."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ci_toolkit.compare.difference import Content, Difference, Field, Value, display
from ci_toolkit.compare.explain import UNKNOWN
from ci_toolkit.compare.finding import Finding
from ci_toolkit.compare.rules.table import RULES
from ci_toolkit.reports import sample
from ci_toolkit.reports.outline import counted, is_unknown

_FIELDS: Final[Mapping[str, frozenset[Field]]] = {rule.cause.identifier: frozenset(rule.fields) for rule in RULES}
# One path has many of these, told apart by their names.
_NAMED: Final = frozenset((Field.XATTR, Field.HEADER, Field.REGION))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_VALUE_LIMIT_CHARACTERS: Final = 72
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What differs at one path of a finding: a phrase, "" where none helps, and lines of a text before and after."""

    phrase: str = ""
    sample: tuple[str, str] | None = None


class Details:
    """The differences of a report by their shown paths, so that a finding's paths can be told more of."""

    def __init__(self, differences: Iterable[Difference], findings: Iterable[Finding]) -> None:
        self._differences: defaultdict[str, list[Difference]] = defaultdict(list)
        for difference in differences:
            self._differences[display(difference.path)].append(difference)
        self._claims: defaultdict[tuple[str, Field], set[str]] = defaultdict(set)
        for finding in findings:
            for path in finding.paths:
                for field in _FIELDS.get(finding.cause, ()):
                    self._claims[path, field].add(finding.cause)

    def of(self, finding: Finding, path: str) -> Detail:
        """Return what FINDING is about at PATH, one of its shown paths."""
        unknown = is_unknown(finding)
        mine = [one for one in self._differences.get(path, ()) if finding.cause in self._causes(path, one.field)]
        phrases = [phrase for phrase in (describe(one, exactly=unknown) for one in mine) if phrase]
        more = [f"{len(phrases) - _SHOWN} more"] if len(phrases) > _SHOWN else []
        texts = (sample.lines(one) for one in mine) if unknown else iter(())
        return Detail(
            phrase=", ".join([*phrases[:_SHOWN], *more]),
            sample=next((found for found in texts if found is not None), None),
        )

    def _causes(self, path: str, field: Field) -> set[str]:
        """Return the causes that FIELD at PATH can belong to: where it is there once, those that know least else."""
        claims = self._claims.get((path, field)) or {UNKNOWN.identifier}
        if field in _NAMED:
            return claims
        fewest = min(len(_FIELDS.get(cause, ())) for cause in claims)
        return {cause for cause in claims if len(_FIELDS.get(cause, ())) == fewest}


def describe(difference: Difference, *, exactly: bool = True) -> str:
    """Return what differs; EXACTLY also tells sizes and offsets of contents, which help where no cause is known."""
    before, after = difference.before, difference.after
    match difference.field:
        case Field.PRESENCE:
            return f"only in the {'second' if before is None else 'first'}"
        case Field.CONTENT | Field.REGION:
            return _content(difference) if exactly else ""
        case Field.ORDER:
            return "other order"
        case Field.LAYOUT:
            return "lies elsewhere"
        case Field.XATTR | Field.HEADER | Field.MTIME:
            return f"{difference.name or difference.field.value} {_arrow(difference, before, after)}"
        case _:
            return f"{difference.field.value} {_arrow(difference, before, after)}"


def _arrow(difference: Difference, before: Value, after: Value) -> str:
    return f"{_value(difference.field, before)} → {_value(difference.field, after)}"


def _value(field: Field, value: Value) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int() if field is Field.MODE:
            return f"{value:04o}"
        case int() if field is Field.MTIME:
            return _moment(value)
        case int():
            return str(value)
        case bytes():
            return _short(value.hex() or "empty")
        case Content():
            return counted(value.size, "byte")
        case tuple() if field is Field.DEVICE:
            return ":".join(map(str, value))
        case tuple() if field is Field.MTIME:
            return ", ".join(dict.fromkeys(_moment(time) for time in value if isinstance(time, int)))
        case tuple():
            return _short(" ".join(map(str, value)))
        case str():
            return _short(value)


def _moment(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return f"{seconds} s"
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{moment:%Y-%m-%d} {moment:%H:%M:%S}{fraction}"


def _content(difference: Difference) -> str:
    parts: list[str] = []
    before, after = difference.before, difference.after
    if isinstance(before, Content) and isinstance(after, Content) and before.size != after.size:
        parts.append(f"{before.size:,} → {counted(after.size, 'byte')}")
    elif isinstance(before, Content):
        parts.append(counted(before.size, "byte"))
    if difference.first_offset is not None:
        parts.append(f"first differs at offset {difference.first_offset:,}")
    return " ".join(filter(None, [difference.name, ", ".join(parts)]))


def _short(text: str) -> str:
    return text if len(text) <= _VALUE_LIMIT_CHARACTERS else f"{text[: _VALUE_LIMIT_CHARACTERS - 1]}…"


def shown_paths(finding: Finding, limit: int) -> tuple[Sequence[str], int]:
    """Return at most LIMIT paths of FINDING and how many are left out."""
    paths = finding.paths[:limit]
    return paths, max(finding.count - len(paths), 0)
