import ctypes
import ctypes.util
import random

import pytest
import tracked

from ci_toolkit.errors import UnreadableError
from ci_toolkit.releases.advisories import arch
from ci_toolkit.releases.advisories.fix import Fix, Severity, Upgrade

OPENSSL = Upgrade(package="openssl", before="3.3.1-1", after="3.3.2-1")


def fixed(*groups: object, upgrade: Upgrade = OPENSSL) -> list[str]:
    found = arch.fixes(tracked.file(list(groups)), {upgrade.package: [upgrade]})
    return [fix.identifier for fix in found]


def test_a_fix_is_told_with_all_that_is_known() -> None:
    told = [tracked.group("curl", "9-1", "CVE-2026-1111"), tracked.group("openssl", "3.3.2-1", "CVE-2026-2222")]
    assert list(arch.fixes(tracked.file(told), {"openssl": [OPENSSL]})) == [
        Fix(
            identifier="CVE-2026-2222",
            package="openssl",
            before="3.3.1-1",
            after="3.3.2-1",
            severity=Severity.HIGH,
            distribution="arch",
        )
    ]


@pytest.mark.parametrize("version", ["3.3.1-1", "3.3.0-1", "3.3.2-2", "3.4-1", "1:0-1"])
def test_what_was_fixed_before_or_is_not_yet_is_none(version: str) -> None:
    assert fixed(tracked.group("openssl", version, "CVE-2026-2222")) == []


@pytest.mark.parametrize("version", ["3.3.2-1", "3.3.1-2", "3.3.1-1.1", "0:3.3.2-1", "3.3.2"])
def test_what_is_between_both_is_one(version: str) -> None:
    assert fixed(tracked.group("openssl", version, "CVE-2026-2222")) == ["CVE-2026-2222"]


def test_what_is_open_or_did_not_concern_arch_is_none() -> None:
    assert fixed(tracked.group("openssl", None, "CVE-2026-2222", status="Vulnerable")) == []
    assert fixed(tracked.group("openssl", "3.3.2-1", "CVE-2026-2222", status="Not affected")) == []
    assert fixed(tracked.group("openssl", "3.3.2-1", "CVE-2026-2222", status="Testing")) == ["CVE-2026-2222"]


def test_every_package_and_issue_of_a_group_counts_and_those_of_the_next_do_not() -> None:
    first = tracked.group("lib32-openssl", "3.3.2-1", "CVE-2026-3333", "CVE-2026-2222")
    first["packages"].append("openssl")
    second = tracked.group("vim", "3.3.2-1", "CVE-2026-4444")
    assert fixed(first, second) == ["CVE-2026-3333", "CVE-2026-2222"]
    del second["packages"]
    assert fixed(first, second) == ["CVE-2026-3333", "CVE-2026-2222"]


@pytest.mark.parametrize(
    "odd",
    [
        7,
        [],
        ["openssl"],
        {},
        {"packages": "openssl", "fixed": "3.3.2-1", "issues": "CVE-2026-2222"},
        {"packages": ["openssl"], "fixed": ["3.3.2-1"], "issues": ["CVE-2026-2222"]},
        {"packages": [["openssl"]], "fixed": "3.3.2-1", "issues": ["CVE-2026-2222"]},
        {"packages": ["openssl"], "fixed": "3.3.2-1", "issues": ["CVE-2026-2222)](x", "@team", {"a": "CVE-2026-2222"}]},
        {"packages": ["openssl"], "fixed": "3.3.2" + "0" * 200, "issues": ["CVE-2026-2222"]},
        {"x": {"packages": ["openssl"], "fixed": "3.3.2-1", "issues": ["CVE-2026-2222"]}},
    ],
)
def test_what_has_another_shape_says_nothing(odd: object) -> None:
    assert fixed(odd, tracked.group("openssl", "3.3.2-1", "CVE-2026-5555")) == ["CVE-2026-5555"]


def test_a_group_without_end_is_left() -> None:
    with pytest.raises(UnreadableError, match="more than 5,000 issues"):
        fixed(tracked.group("openssl", "3.3.2-1", *["CVE-2026-2222"] * 5_001))


def test_what_was_fixed_is_so_by_the_order_of_pacman() -> None:
    name = ctypes.util.find_library("alpm")
    if name is None:
        pytest.skip("pacman's libalpm is not installed")
    compare = ctypes.CDLL(name).alpm_pkg_vercmp
    compare.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
    draw = random.Random(11)
    versions = [f"{draw.randint(1, 3)}.{draw.choice('0129ab')}{draw.choice(('', 'rc1', '.1'))}-1" for _ in range(40)]
    found, expected = [], []
    for before, after, version in (draw.choices(versions, k=3) for _ in range(500)):
        upgrade = Upgrade(package="x", before=before, after=after)
        found.append(bool(fixed(tracked.group("x", version, "CVE-2026-2222"), upgrade=upgrade)))
        old, new, fix = before.encode(), after.encode(), version.encode()
        expected.append(compare(old, fix) < 0 <= compare(new, fix))
    assert found == expected
    assert {True, False} == set(found)
