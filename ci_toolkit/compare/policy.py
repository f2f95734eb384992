"""When a difference fails the job."""

from collections.abc import Iterable
from enum import StrEnum
from typing import assert_never

from ci_toolkit.compare.comparison import Verdict
from ci_toolkit.compare.explain import UNKNOWN
from ci_toolkit.compare.finding import Finding


class FailOn(StrEnum):
    """Which differences make the job fail: any, those without a known cause, or none."""

    ANY = "any"
    UNEXPLAINED = "unexplained"
    NEVER = "never"


def fails(policy: FailOn, verdict: Verdict, findings: Iterable[Finding]) -> bool:
    """Tell whether POLICY says no. Images that differ without any finding are unexplained too."""
    if verdict is Verdict.IDENTICAL:
        return False
    match policy:
        case FailOn.ANY:
            return True
        case FailOn.UNEXPLAINED:
            causes = {finding.cause for finding in findings}
            return not causes or UNKNOWN.identifier in causes
        case FailOn.NEVER:
            return False
        case _:
            assert_never(policy)
