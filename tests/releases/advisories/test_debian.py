import random

import pytest
import tracked
from bench import run
from tracked import issue, state

from ci_toolkit.errors import UnreadableError
from ci_toolkit.releases.advisories import debian
from ci_toolkit.releases.advisories.fix import Fix, Severity, Upgrade

OPENSSL = Upgrade(package="openssl", before="3.5.1-1", after="3.5.1-1+deb13u2")


def fixed(told: object, upgrade: Upgrade = OPENSSL, release: str = "trixie") -> list[str]:
    found = debian.fixes(tracked.file(told), {release: {upgrade.tracked: [upgrade]}}, set())
    return [fix.identifier for fix in found]


def of_version(version: str, upgrade: Upgrade = OPENSSL) -> bool:
    return bool(fixed({upgrade.tracked: {"CVE-2026-2222": issue(trixie=state(version))}}, upgrade))


def test_a_fix_is_told_with_all_that_is_known() -> None:
    told = {
        "curl": {"CVE-2026-1111": issue(trixie=state("9-1"))},
        "openssl": {
            "CVE-2026-2222": issue(sid=state("1-1"), trixie=state("3.5.1-1+deb13u1", urgency="medium**")),
            "CVE-2026-3333": issue(sid=state("3.5.1-1+deb13u1"), trixie=state(None, status="open")),
        },
    }
    seen: set[str] = set()
    found = debian.fixes(tracked.file(told), {"trixie": {"openssl": [OPENSSL]}, "bookworm": {}}, seen)
    assert list(found) == [
        Fix(
            identifier="CVE-2026-2222",
            package="openssl",
            before="3.5.1-1",
            after="3.5.1-1+deb13u2",
            severity=Severity.MEDIUM,
            distribution="debian",
        )
    ]
    assert seen == {"trixie"}


@pytest.mark.parametrize("version", ["3.5.1-1", "3.5.0-9", "3.5.1-1+deb13u3", "3.5.2-1", "1:1-1", "0", ""])
def test_what_was_fixed_before_or_never_there_or_is_not_yet_is_none(version: str) -> None:
    assert not of_version(version)


@pytest.mark.parametrize("version", ["3.5.1-1+deb13u2", "3.5.1-1+deb13u1", "3.5.1-1+deb13u2~bpo12+1"])
def test_what_is_between_both_is_one(version: str) -> None:
    assert of_version(version)


def test_what_was_only_built_again_fixes_nothing() -> None:
    assert not of_version("1.0-1", Upgrade(package="x", before="1.0-1", after="1.0-1+b1"))
    assert of_version("1.0-2", Upgrade(package="x", before="1.0-1+b7", after="1.0-2+b1"))


def test_a_package_goes_by_its_source_where_that_is_known() -> None:
    upgrade = Upgrade(package="libssl3t64", before="1-1", after="2-1", source="openssl")
    assert of_version("2-1", upgrade)
    assert not fixed({"libssl3t64": {"CVE-2026-2222": issue(trixie=state("2-1"))}}, upgrade)


@pytest.mark.parametrize(("release", "name"), [("trixie", "trixie"), ("testing", "sid"), ("unstable", "sid")])
def test_a_release_goes_by_the_name_that_the_tracker_has(release: str, name: str) -> None:
    assert debian.tracked(release) == name


@pytest.mark.parametrize(
    "odd",
    [
        7,
        ["CVE-2026-2222"],
        {"CVE-2026-2222": 7},
        {"CVE-2026-2222": {}},
        {"CVE-2026-2222": {"releases": []}},
        {"CVE-2026-2222": {"releases": {"trixie": "3.5.1-1+deb13u2"}}},
        {"CVE-2026-2222": {"releases": {"trixie": {"status": "resolved", "fixed_version": 7}}}},
        {"CVE-2026-2222": {"others": {"trixie": state("3.5.1-1+deb13u2")}}},
        {"CVE-2026-2222": [{"trixie": state("3.5.1-1+deb13u2")}]},
        {"TEMP-0000000-F7A20F": issue(trixie=state("3.5.1-1+deb13u2"))},
        {"[x](http://evil.example)": issue(trixie=state("3.5.1-1+deb13u2"))},
        {"CVE-2026-2222": issue(trixie=state("3.5.1-1+deb13u2" + "1" * 100))},
        {"CVE-2026-2222": issue(trixie=state("3.5.1-1+deb13u2", status="undetermined"))},
    ],
)
def test_what_has_another_shape_says_nothing(odd: object) -> None:
    told = {"openssl": odd, "openssl ": {"CVE-2026-4444": issue(trixie=state("3.5.1-1+deb13u2"))}}
    assert fixed(told) == []


def test_a_file_that_tells_too_much_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "_LIMIT_JUDGED", 10)
    told = {"openssl": {f"CVE-2026-{number}": issue(trixie=state("0")) for number in range(1000, 1011)}}
    with pytest.raises(UnreadableError, match="more than 10 issues"):
        fixed(told)


def test_what_was_fixed_is_so_by_the_order_of_dpkg() -> None:
    draw = random.Random(12)
    ends = ("", "~rc1", "+deb13u1", "+deb13u2", "+really1", "+dfsg")
    versions = [
        f"{draw.randint(1, 3)}.{draw.randint(0, 11)}-{draw.randint(1, 2)}{draw.choice(ends)}" for _ in range(40)
    ]
    cases = [draw.choices(versions, k=3) for _ in range(150)]
    script = (
        "while read -r before after fixed; do "
        'if dpkg --compare-versions "$before" lt "$fixed" && dpkg --compare-versions "$fixed" le "$after"; '
        "then echo yes; else echo no; fi; done"
    )
    run("dpkg", "--version")
    said = run("sh", "-c", script, stdin="".join(f"{' '.join(case)}\n" for case in cases).encode()).decode().split()
    found = [of_version(fix, Upgrade(package="x", before=before, after=after)) for before, after, fix in cases]
    assert found == [word == "yes" for word in said]
    assert {True, False} == set(found)
