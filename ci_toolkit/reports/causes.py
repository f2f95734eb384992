"""Every cause that the toolkit knows, as lines, in full, as JSON and as docs/causes.md."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ci_toolkit.compare.rules.catalogue import CATALOGUE
from ci_toolkit.compare.rules.rule import Follows, Phase, Rule
from ci_toolkit.compare.rules.table import RULES

SCHEMA: Final = 1

_HEADINGS: Final[Mapping[Phase, str]] = {
    Phase.INPUT: "Inputs",
    Phase.FORMAT: "Archives and disks",
    Phase.FILESYSTEM: "Partitions and file systems",
    Phase.METADATA: "Properties of files",
    Phase.CONTENT: "Contents",
    Phase.DERIVED: "What follows from others",
}
_FOLLOWS: Final[Mapping[Follows, str]] = {
    Follows.NEVER: "",
    Follows.ELSE_CAUSE: "Beside others in the same container, it follows from them.",
    Follows.ELSE_UNKNOWN: "It follows from what differs in the same container, and alone explains nothing.",
}
_HEAD: Final = """\
# Causes

<!-- Made by `python -m ci_toolkit causes --markdown > docs/causes.md`. -->

Every cause by which `ci-toolkit compare` and `ci-toolkit verify` explain a difference, in the order in which to read
them: an earlier one can bring about all the later ones. `ci-toolkit causes <identifier>` tells of one.
"""
_UNSEEN: Final = """\
## Not seen in two images

Known to make images irreproducible, but not by a trace of their own:
"""


def chosen(identifier: str | None) -> tuple[Rule, ...]:
    """Return all rules in the order in which to read their causes, or the one of IDENTIFIER, if there is one."""
    if identifier is not None:
        return tuple(rule for rule in RULES if rule.cause.identifier == identifier)
    return tuple(sorted(RULES, key=lambda rule: rule.phase))


def lines(rules: Iterable[Rule]) -> str:
    return "\n".join(f"{rule.cause.identifier:<26} {rule.cause.title}" for rule in rules)


def told(rule: Rule) -> str:
    """Tell of one cause in full."""
    cause = rule.cause
    parts = [f"{cause.identifier}: {cause.title}", cause.explanation, _FOLLOWS[rule.follows]]
    parts += [f"Fix:\n{_indented(cause.fix)}"] if cause.fix else []
    parts += [f"Recognised by: {_fields(rule)}", f"Source: {cause.source}" if cause.source else ""]
    return "\n\n".join(part for part in parts if part)


def to_json(rules: Iterable[Rule]) -> str:
    return json.dumps({"schema": SCHEMA, "causes": [_record(rule) for rule in rules]}, indent=2, ensure_ascii=False)


def to_markdown(rules: Sequence[Rule]) -> str:
    sections = [_HEAD]
    for phase, heading in _HEADINGS.items():
        members = [rule for rule in rules if rule.phase is phase]
        sections += [f"## {heading}\n", *(_section(rule) for rule in members)] if members else []
    unseen = [f"- {row.subject}: {row.unseen}" for row in CATALOGUE if not row.causes]
    sections.append(_UNSEEN + "\n" + "\n".join(unseen))
    return "\n".join(sections)


def _section(rule: Rule) -> str:
    cause = rule.cause
    follows = f" {_FOLLOWS[rule.follows]}" if _FOLLOWS[rule.follows] else ""
    parts = [f"### `{cause.identifier}`", f"**{cause.title}.** {cause.explanation}{follows}"]
    is_text = cause.fix.startswith(("[", "# in "))
    parts += [f"```ini\n{cause.fix}\n```" if is_text else cause.fix] if cause.fix else []
    source = f" · [source]({cause.source})" if cause.source else ""
    parts.append(f"Recognised by {_fields(rule)}{source}\n")
    return "\n\n".join(parts)


def _fields(rule: Rule) -> str:
    return ", ".join(field.value for field in rule.fields)


def _record(rule: Rule) -> dict[str, Any]:
    cause = rule.cause
    return {
        "identifier": cause.identifier,
        "title": cause.title,
        "explanation": cause.explanation,
        "fix": cause.fix,
        "source": cause.source,
        "phase": rule.phase.name.lower(),
        "fields": [field.value for field in rule.fields],
        "follows": rule.follows.value,
        "catalogue": [row.number for row in CATALOGUE if cause.identifier in row.causes],
    }


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
