"""Give every difference a cause, and put together what a reader should be told."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from ci_toolkit.compare.difference import Difference, Field, Value, display
from ci_toolkit.compare.facts import Facts, Identifier
from ci_toolkit.compare.finding import PATHS_SHOWN, SPANS_SHOWN, Cause, Finding
from ci_toolkit.compare.rules import partitions, places
from ci_toolkit.compare.rules.containers import COMPRESSIONS
from ci_toolkit.compare.rules.remedy import render
from ci_toolkit.compare.rules.rule import Follows, Phase, Rule
from ci_toolkit.compare.rules.table import RULES
from ci_toolkit.compare.spans import bounded

UNKNOWN: Final = Cause(
    identifier="unknown",
    title="Not explained",
    explanation="No rule recognises these differences.",
    fix="",
)

_BY_FIELD: Final[Mapping[Field, tuple[Rule, ...]]] = {
    field: tuple(rule for rule in RULES if field in rule.fields) for field in Field
}
# Most paths are at none of the places that rules name: one look spares all of those rules.
_ANYWHERE: Final[Mapping[Field, tuple[Rule, ...]]] = {
    field: tuple(rule for rule in rules if not rule.globs) for field, rules in _BY_FIELD.items()
}
_is_named: Final = places.within(glob for rule in RULES for glob in rule.globs)
_IDENTIFYING: Final = ("gpt-guid", "filesystem-uuid")
# A finding is read by people: this many fixes for single files, before the cause's general one does instead, this
# many sentences, this many offsets.
_REMEDIES_SHOWN: Final = 12
_SENTENCES_SHOWN: Final = 3
_OFFSETS_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A difference with its rule (None: unknown) and the causes that it follows from."""

    index: int
    difference: Difference
    rule: Rule | None
    follows: tuple[str, ...] = ()

    @property
    def cause(self) -> Cause:
        return self.rule.cause if self.rule else UNKNOWN

    @property
    def roots(self) -> tuple[str, ...]:
        return self.follows or (self.cause.identifier,)


def explain(differences: Sequence[Difference], facts: Facts) -> tuple[Finding, ...]:
    """Return one finding for each cause and for each set of causes that something follows from.

    In the order to read them: inputs first, the unknown after all that is known, and consequences last. Every
    difference is in exactly one finding.
    """
    alone = frozenset(difference.path for difference in differences if difference.field is Field.PRESENCE)
    facts = replace(facts, inside=_inside(differences), alone=alone, root_hashes=_root_hashes(differences))
    facts = replace(facts, identifiers=_identifiers(differences, facts))
    placed = _resolve([_Placed(index=i, difference=d, rule=_rule(d, facts)) for i, d in enumerate(differences)], facts)
    groups: dict[tuple[str, tuple[str, ...]], list[_Placed]] = defaultdict(list)
    for item in placed:
        groups[item.cause.identifier, item.follows].append(item)
    ordered = sorted(groups.values(), key=lambda group: (bool(group[0].follows), _phase(group[0])))
    return tuple(_finding(group, facts) for group in ordered)


def explained_bytes(findings: Iterable[Finding]) -> int:
    """Return how many differing bytes have a named cause; what follows from nothing but the unknown has none."""
    nothing = (UNKNOWN.identifier,)
    return sum(
        finding.bytes for finding in findings if (finding.cause,) != nothing and finding.consequence_of != nothing
    )


def _rule(difference: Difference, facts: Facts) -> Rule | None:
    rules = (_BY_FIELD if _is_named(difference.path) else _ANYWHERE)[difference.field]
    for rule in rules:
        if rule.recognise(difference, facts):
            return rule
    return None


def _inside(differences: Iterable[Difference]) -> frozenset[tuple[str, ...]]:
    """The paths of all that has a difference within; the bytes of a compressed stream are not within its payload."""
    return frozenset(
        outer
        for difference in differences
        if difference.container not in COMPRESSIONS
        for outer in places.containers(difference)
    )


def _root_hashes(differences: Iterable[Difference]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (difference.before, difference.after)
        for difference in differences
        if difference.name == "root_hash" and isinstance(difference.before, str) and isinstance(difference.after, str)
    )


def _identifiers(differences: Iterable[Difference], facts: Facts) -> tuple[Identifier, ...]:
    """Collect the identifiers of partitions and file systems that differ, to find them again in texts."""
    found: list[Identifier] = []
    for difference in differences:
        first, second = _written(difference.before), _written(difference.after)
        rule = _rule(difference, facts) if difference.field is Field.HEADER and first and second else None
        if rule is not None and rule.cause.identifier in _IDENTIFYING:
            found.append(Identifier(first=first, second=second, cause=rule.cause.identifier))
    return tuple(found)


def _written(value: Value) -> str:
    """An identifier as texts have it, in lower case; "" for what is none or too short to be found by."""
    return value.lower() if isinstance(value, str) and len(value) >= 8 else ""


def _resolve(placed: Sequence[_Placed], facts: Facts) -> list[_Placed]:
    """Find what each consequence follows from: first those that may be causes themselves, the outermost last."""
    inside: dict[tuple[str, ...], set[str]] = defaultdict(set)
    beside: dict[tuple[str, ...], set[str]] = defaultdict(set)
    result: list[_Placed] = []

    def settle(item: _Placed) -> None:
        result.append(item)
        for outer in places.containers(item.difference):
            inside[outer].update(item.roots)
        if item.difference.container in partitions.TABLES and item.difference.field is Field.HEADER:
            beside[places.containers(item.difference)[-1]].update(item.roots)

    waiting = {follows: [item for item in placed if _follows(item) is follows] for follows in Follows}
    for item in waiting[Follows.NEVER]:
        settle(item)
    for item in [_follow(item, inside, beside, facts) for item in waiting[Follows.ELSE_CAUSE]]:
        settle(item)
    # The deepest first, so that an unexplained one is known to all around it; a container after what is told of it.
    for _, level in groupby(sorted(waiting[Follows.ELSE_UNKNOWN], key=_inwardness), key=_inwardness):
        for item in [_follow(item, inside, beside, facts) for item in level]:
            settle(item)
    return result


def _inwardness(item: _Placed) -> int:
    return -len(places.containers(item.difference))


def _follows(item: _Placed) -> Follows:
    return item.rule.follows if item.rule else Follows.NEVER


def _follow(
    item: _Placed,
    inside: Mapping[tuple[str, ...], set[str]],
    beside: Mapping[tuple[str, ...], set[str]],
    facts: Facts,
) -> _Placed:
    """Let ITEM follow from what is settled inside its container, or stand alone where nothing is.

    What a partition table says of itself follows from its entries, not from what lies in the partitions.
    """
    difference = item.difference
    if item.rule is not None and item.rule.origins is not None:
        causes = item.rule.origins(difference, facts)
    else:
        settled = beside if partitions.of_table(difference) else inside
        place = difference.path if difference.opened else places.containers(difference)[-1]
        if item.rule is not None and item.rule.of_image:
            place = ()
        causes = tuple(sorted(settled.get(place, ())))
    if causes:
        return replace(item, follows=causes)
    return item if _follows(item) is Follows.ELSE_CAUSE else replace(item, rule=None)


def _phase(item: _Placed) -> Phase:
    return item.rule.phase if item.rule else Phase.UNKNOWN


def _finding(group: Sequence[_Placed], facts: Facts) -> Finding:
    first = group[0]
    paths = sorted({display(item.difference.path) for item in group})
    return Finding(
        cause=first.cause.identifier,
        title=first.cause.title,
        explanation=_explanation(group, facts),
        fix=_fix(group, facts),
        source=first.cause.source,
        paths=tuple(paths[:PATHS_SHOWN]),
        count=len(paths),
        bytes=sum(item.difference.bytes for item in group),
        consequence_of=first.follows,
        spans=bounded((span for item in group for span in item.difference.spans), SPANS_SHOWN),
        members=tuple(sorted(item.index for item in group)),
    )


def _explanation(group: Sequence[_Placed], facts: Facts) -> str:
    if group[0].rule is None:
        return _unknown(group)
    sentences = dict.fromkeys(
        (item.rule.detail(item.difference, facts) if item.rule and item.rule.detail else "") or item.cause.explanation
        for item in group
    )
    return " ".join(list(sentences)[:_SENTENCES_SHOWN])


def _unknown(group: Sequence[_Placed]) -> str:
    """Say where the unexplained differences begin: the first few places, in the order of the comparison."""
    shown = [f"{display(d.path)} ({_where(d)})" for d in (item.difference for item in group[:_OFFSETS_SHOWN])]
    more = f", and {len(group) - len(shown)} more" if len(group) > len(shown) else ""
    return f"{UNKNOWN.explanation} They begin at: {', '.join(shown)}{more}."


def _where(difference: Difference) -> str:
    if difference.first_offset is not None:
        return f"byte {difference.first_offset}"
    return f"{difference.field.value} {difference.name}" if difference.name else difference.field.value


def _fix(group: Sequence[_Placed], facts: Facts) -> str:
    """Join the fixes of all differences of a cause, or take the cause's own where they would be too many."""
    remedies = dict.fromkeys(
        remedy
        for item in group
        if item.rule is not None and item.rule.remedies is not None
        for remedy in item.rule.remedies(item.difference, facts)
    )
    return render(remedies) if 0 < len(remedies) <= _REMEDIES_SHOWN else group[0].cause.fix
