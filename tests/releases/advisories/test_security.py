import io

import pytest
import tracked
from hypothesis import given
from hypothesis import strategies as st
from tracked import issue, state

from ci_toolkit.errors import UnreadableError
from ci_toolkit.mkosi.manifest import Package
from ci_toolkit.releases.advisories import security
from ci_toolkit.releases.advisories.fix import System, Upgrade, ordered
from ci_toolkit.releases.advisories.security import Known
from ci_toolkit.releases.advisories.sources import Source

ARCH = System(distribution="arch", release="rolling")
TRIXIE = System(distribution="debian", release="trixie")
TESTING = System(distribution="debian", release="testing")
STABLE = System(distribution="debian", release="stable")
UPGRADE = Upgrade(package="openssl", before="1-1", after="2-1")
WANTED = {ARCH: (UPGRADE,), TRIXIE: (UPGRADE,), TESTING: (UPGRADE,), STABLE: (UPGRADE,)}


def package(name: str, version: str) -> Package:
    return Package(name=name, architecture="amd64", version=version)


def test_what_was_upgraded_is_told_once_for_each_system() -> None:
    old = (package("gone", "1"), package("openssl", "1-1"), package("same", "3"))
    new = (package("fresh", "1"), package("openssl", "2-1"), package("same", "3"))
    images = [Known(system=system, before=old, now=new) for system in (TRIXIE, TRIXIE, ARCH)]
    found = security.upgrades([*images, Known(system=TESTING, before=old, now=old)])
    assert found == {ARCH: (UPGRADE,), TRIXIE: (UPGRADE,)}
    assert list(found) == [ARCH, TRIXIE]


def test_packages_of_one_source_bring_its_fixes_once() -> None:
    names = ("libssl3t64", "openssl", "openssl-provider-legacy")
    old, new = (tuple(package(name, version) for name in names) for version in ("1-1", "2-1+b1"))
    built = dict.fromkeys(names, Source(name="openssl", version="2-1"))
    wanted = security.upgrades([Known(system=TRIXIE, before=old, now=new, sources=built)])
    assert len(wanted[TRIXIE]) == 3
    told = {"openssl": {"CVE-2026-2222": issue(trixie=state("2-1"))}}
    (fix,) = ordered(security.look_up(tracked.file(told), wanted).fixes)
    assert (fix.package, fix.before, fix.after) == ("openssl", "1-1", "2-1")


def test_a_list_is_of_arch() -> None:
    found = security.look_up(tracked.file([tracked.group("openssl", "2-1", "CVE-2026-2222")]), WANTED)
    assert found.systems == {ARCH}
    assert [(fix.identifier, fix.distribution) for fix in found.fixes] == [("CVE-2026-2222", "arch")]


def test_an_object_is_of_debian_and_tells_of_the_releases_that_it_knows() -> None:
    told = {
        "openssl": {
            "CVE-2026-2222": issue(trixie=state("2-1"), sid=state("3-1")),
            "CVE-2026-3333": issue(trixie=state("1-1"), sid=state("2-1")),
        }
    }
    found = security.look_up(tracked.file(told), WANTED)
    assert found.systems == {TRIXIE, TESTING}
    assert [fix.identifier for fix in found.fixes] == ["CVE-2026-2222", "CVE-2026-3333"]


def test_blanks_may_stand_before_it() -> None:
    assert security.look_up(io.BytesIO(b" \r\n\t[]"), WANTED).systems == {ARCH}


@pytest.mark.parametrize("data", [b"", b" ", b"<html>", b"7", b'"a"', b"\x1f\x8b", b"{", b"[", b'{"a": 1]', b"[}"])
def test_what_is_of_neither_is_told(data: bytes) -> None:
    with pytest.raises(UnreadableError):
        security.look_up(io.BytesIO(data), WANTED)


def test_more_fixes_than_a_release_has_are_none() -> None:
    groups = [
        tracked.group("openssl", "2-1", *(f"CVE-{year}-{number}" for number in range(1000, 6000)))
        for year in (2024, 2025, 2026)
    ]
    with pytest.raises(UnreadableError, match="more than 10,000 fixes"):
        security.look_up(tracked.file(groups), WANTED)


@given(st.binary(max_size=200).map(lambda data: b"[" + data) | st.binary(max_size=200).map(lambda data: b"{" + data))
def test_bytes_of_any_kind_are_no_traceback(data: bytes) -> None:
    try:
        found = security.look_up(io.BytesIO(data), WANTED)
    except UnreadableError:
        return
    assert found.fixes == ()
