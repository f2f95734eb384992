from dataclasses import replace

import pytest

from ci_toolkit.releases.advisories import fix
from ci_toolkit.releases.advisories.fix import Fix, Severity

ONE = Fix(
    identifier="CVE-2026-1000",
    package="openssl",
    before="1",
    after="2",
    severity=Severity.HIGH,
    distribution="arch",
)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("Critical", Severity.CRITICAL),
        ("High", Severity.HIGH),
        ("medium**", Severity.MEDIUM),
        ("low*", Severity.LOW),
        ("unimportant", Severity.UNIMPORTANT),
        ("not yet assigned", Severity.UNKNOWN),
        ("end-of-life", Severity.UNKNOWN),
        ("", Severity.UNKNOWN),
        ("<b>high</b>", Severity.UNKNOWN),
    ],
)
def test_the_words_of_both_trackers_are_known(word: str, meant: Severity) -> None:
    assert fix.severity(word) is meant


@pytest.mark.parametrize("text", ["CVE-1999-0001", "CVE-2026-123456"])
def test_the_name_of_a_cve_is_one(text: str) -> None:
    assert fix.is_identifier(text)


@pytest.mark.parametrize(
    "text",
    ["", "CVE-2026-1", "TEMP-0000000-F7A20F", "CVE-2026-1234)", "xCVE-2026-1234", "CVE-2026-1234\n", "CVE-٢٠٢٦-1234"],
)
def test_nothing_else_is_one(text: str) -> None:
    assert not fix.is_identifier(text)


def test_the_worst_comes_first_and_then_the_newest() -> None:
    fixes = [
        replace(ONE, identifier="CVE-2026-9", severity=Severity.UNKNOWN),
        replace(ONE, identifier="CVE-2025-20000"),
        replace(ONE, identifier="CVE-2026-9999"),
        replace(ONE, identifier="CVE-2026-10000"),
        replace(ONE, severity=Severity.UNIMPORTANT),
        replace(ONE, identifier="CVE-2001-0001", severity=Severity.CRITICAL),
    ]
    names = [one.identifier for one in fix.ordered(fixes)]
    assert names == [
        *("CVE-2001-0001", "CVE-2026-10000", "CVE-2026-9999", "CVE-2025-20000", "CVE-2026-9", "CVE-2026-1000"),
    ]
    assert fix.ordered(reversed(fixes)) == fix.ordered(fixes)


def test_what_is_told_twice_is_once_and_as_bad_as_it_gets() -> None:
    worse = replace(ONE, severity=Severity.CRITICAL)
    assert fix.ordered([ONE, worse, ONE]) == (worse,)
    assert len(fix.ordered([ONE, replace(ONE, package="lib32-openssl")])) == 2
