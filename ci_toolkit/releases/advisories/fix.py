"""A package that was upgraded, and a fix that came with it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_IDENTIFIER: Final = re.compile(r"CVE-(\d{4})-(\d{4,12})", re.ASCII)


class Severity(StrEnum):
    """How bad it was, the worst first; "unimportant" is Debian's word for what is in no package that it builds."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNKNOWN = "unknown"
    UNIMPORTANT = "unimportant"

    @property
    def rank(self) -> int:
        """Return its place among all, from 0 for the worst."""
        return _RANKS[self]


_RANKS: Final = {severity: number for number, severity in enumerate(Severity)}


def severity(word: str) -> Severity:
    """Return what a tracker means by WORD; Debian puts a star at what is not its own judgement."""
    try:
        return Severity(word.strip("*").lower())
    except ValueError:
        return Severity.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class System:
    """What the packages of an image are of, in mkosi's words: "debian" and "trixie", "arch" and "rolling"."""

    distribution: str
    release: str


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Upgrade:
    """A package with another version than in the last release; `source` is what it was built from, "": not known."""

    package: str
    before: str
    after: str
    source: str = ""

    @property
    def tracked(self) -> str:
        """Return the name by which a tracker of source packages may know it."""
        return self.source or self.package


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """A CVE that `package` had before and has no more; `package` is the name by which the tracker knows it."""

    identifier: str
    package: str
    before: str
    after: str
    severity: Severity
    distribution: str


def is_identifier(text: str) -> bool:
    """Tell whether TEXT is the name of a CVE, and nothing else."""
    return _IDENTIFIER.fullmatch(text) is not None


def ordered(fixes: Iterable[Fix]) -> tuple[Fix, ...]:
    """Return FIXES, each once with the worst that is said of it: the worst first, then the newest CVE."""
    told: dict[tuple[str, ...], Fix] = {}
    for fix in fixes:
        key = (fix.identifier, fix.distribution, fix.package, fix.before, fix.after)
        if key not in told or fix.severity.rank < told[key].severity.rank:
            told[key] = fix
    return tuple(sorted(told.values(), key=_place))


def _place(fix: Fix) -> tuple[int, int, int, str, str, str, str]:
    found = _IDENTIFIER.fullmatch(fix.identifier)
    year, number = (int(found[1]), int(found[2])) if found else (0, 0)
    return fix.severity.rank, -year, -number, fix.package, fix.before, fix.after, fix.distribution
