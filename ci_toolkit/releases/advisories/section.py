"""The security fixes in the notes of a release, and in a line. Markdown; names come from images and from trackers."""

from collections import Counter
from typing import Final

from ci_toolkit.releases.advisories import arch, debian
from ci_toolkit.releases.advisories.fix import Fix, Severity
from ci_toolkit.releases.advisories.security import Security
from ci_toolkit.reports.blocks import rows
from ci_toolkit.reports.escape import code, prose

# Where a tracker tells of a CVE.
PAGES: Final = {
    arch.NAME: "https://security.archlinux.org/",
    debian.NAME: "https://security-tracker.debian.org/tracker/",
}
_LIMIT_ROWS: Final = 50
_LIMIT_GAPS: Final = 10
_NO_WORD: Final = {Severity.UNKNOWN: "of unknown severity"}


def render(security: Security) -> str:
    """Return the section with what SECURITY says."""
    parts = ["### Security fixes"]
    if security.fixes or not security.gaps:
        parts.append(f"The upgraded packages bring {summary(security)}.")
    if security.fixes:
        cells = [_row(fix) for fix in security.fixes[:_LIMIT_ROWS]]
        parts.append(rows(("CVE", "Severity", "Package", "Before", "Now"), cells))
    if len(security.fixes) > _LIMIT_ROWS:
        parts.append(f"and {len(security.fixes) - _LIMIT_ROWS:,} more.")
    parts += [prose(gap) for gap in security.gaps[:_LIMIT_GAPS]]
    return "\n\n".join(parts)


def summary(security: Security) -> str:
    """Return how many fixes SECURITY has: "3 security fixes (1 critical, 2 of unknown severity)"."""
    if not security.fixes:
        return "not all security fixes could be looked up" if security.gaps else "no known security fixes"
    counts = Counter(fix.severity for fix in security.fixes)
    told = (f"{counts[one]:,} {_NO_WORD.get(one, one.value)}" for one in Severity if counts[one])
    number = len(security.fixes)
    rest = "; not all could be looked up" if security.gaps else ""
    return f"{number:,} security {'fix' if number == 1 else 'fixes'} ({', '.join(told)}){rest}"


def _row(fix: Fix) -> tuple[str, ...]:
    # The name is that of a CVE and nothing else, or it is no fix.
    link = f"[{fix.identifier}]({PAGES[fix.distribution]}{fix.identifier})"
    word = "" if fix.severity is Severity.UNKNOWN else fix.severity.value
    return link, word, code(fix.package), code(fix.before), code(fix.after)
