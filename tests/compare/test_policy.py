"""When a difference fails the job."""

from itertools import product

import pytest
from bench import NO_FACTS, changed

from ci_toolkit.compare.comparison import Verdict
from ci_toolkit.compare.explain import explain
from ci_toolkit.compare.finding import Finding
from ci_toolkit.compare.policy import FailOn, fails

KNOWN = explain((changed("var/log/thing", b"one", b"two"),), NO_FACTS)
UNKNOWN = explain((changed("usr/bin/thing", b"one", b"two"),), NO_FACTS)


@pytest.mark.parametrize(
    ("findings", "failing"),
    [
        ((), {FailOn.ANY, FailOn.UNEXPLAINED}),
        (KNOWN, {FailOn.ANY}),
        (UNKNOWN, {FailOn.ANY, FailOn.UNEXPLAINED}),
        ((*KNOWN, *UNKNOWN), {FailOn.ANY, FailOn.UNEXPLAINED}),
    ],
    ids=["nothing found", "known", "unknown", "both"],
)
def test_different_images_fail_where_the_policy_says_so(findings: tuple[Finding, ...], failing: set[FailOn]) -> None:
    assert {policy for policy in FailOn if fails(policy, Verdict.DIFFERENT, findings)} == failing


def test_identical_images_never_fail() -> None:
    for policy, findings in product(FailOn, ((), KNOWN, UNKNOWN)):
        assert not fails(policy, Verdict.IDENTICAL, findings)


def test_findings_may_come_one_by_one() -> None:
    assert not fails(FailOn.UNEXPLAINED, Verdict.DIFFERENT, iter(KNOWN))
