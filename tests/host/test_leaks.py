import os
import subprocess
from pathlib import Path

import pytest

from ci_toolkit.host import child, leaks
from ci_toolkit.host.capabilities import Leak
from ci_toolkit.host.environment import NORMAL


def by_name(found: tuple[Leak, ...]) -> dict[str, Leak]:
    return {leak.name: leak for leak in found}


def test_every_leak_has_its_normal_its_why_and_its_fix(tmp_path: Path) -> None:
    found = leaks.probe(tmp_path, tmp_path, {"HOME": str(tmp_path)})
    assert len(found) == len(by_name(found))
    assert all(leak.found and leak.normal and leak.why and leak.fix for leak in found)


def test_the_child_sees_this_process_umask(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        found = by_name(leaks.probe(tmp_path, tmp_path, {}))["umask"]
    finally:
        os.umask(old)
    assert (found.found, found.leaks) == ("0077", True)


def test_the_host_name_is_the_one_that_the_kernel_tells(tmp_path: Path) -> None:
    name = subprocess.run(("uname", "-n"), capture_output=True, text=True, check=True).stdout.strip()
    assert by_name(leaks.probe(tmp_path, tmp_path, {}))["hostname"].found == name


def test_a_directory_that_cannot_be_seen_is_a_leak_and_not_a_failure(tmp_path: Path) -> None:
    (found,) = leaks.probe(tmp_path / "none", tmp_path, {})
    assert found.leaks
    assert "No such file" in found.found


def test_a_token_does_not_reach_the_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def run(*_: object, stdin: str, **__: object) -> None:
        given.append(stdin)
        raise RuntimeError("seen")

    monkeypatch.setattr(child, "run", run)
    with pytest.raises(RuntimeError, match="seen"):
        leaks.probe(tmp_path, tmp_path, {"GITHUB_TOKEN": "ghs_secret", "LC_ALL": "C", "GIT_CONFIG_COUNT": "0"})
    assert given == ['{"LC_ALL": "C", "GIT_CONFIG_COUNT": "0"}']


@pytest.mark.parametrize(("found", "leaking"), [("0022", False), ("0000", True), ("0077", True), ("unknown", True)])
def test_only_umask_022_does_not_leak(found: str, leaking: bool) -> None:
    assert leaks.umask(found).leaks is leaking


@pytest.mark.parametrize(
    ("environ", "leaking"),
    [
        ({}, False),
        ({"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}, False),
        ({"LANG": "de_DE.UTF-8"}, True),
        ({"LANG": "C.UTF-8", "LC_TIME": "fr_FR.UTF-8"}, True),
        ({"LANGUAGE": ""}, False),
    ],
)
def test_a_locale_leaks_unless_it_is_the_builds(environ: dict[str, str], leaking: bool) -> None:
    assert leaks.locale(environ).leaks is leaking


@pytest.mark.parametrize(
    ("zone", "leaking"),
    [("UTC", False), (":UTC", False), ("Etc/UTC", False), ("Europe/Berlin", True), ("Pacific/Chatham", True)],
)
def test_a_zone_leaks_unless_it_is_utc(zone: str, leaking: bool) -> None:
    assert leaks.zone({"TZ": zone}).leaks is leaking


def test_without_tz_the_systems_zone_counts(tmp_path: Path) -> None:
    assert leaks.zone({}, tmp_path).found == "UTC"
    (tmp_path / "etc").mkdir()
    link = tmp_path / "etc/localtime"
    link.symlink_to("../usr/share/zoneinfo/Asia/Tokyo")
    assert (leaks.zone({}, tmp_path).found, leaks.zone({}, tmp_path).leaks) == ("Asia/Tokyo", True)
    link.unlink()
    link.write_bytes(b"TZif2")
    assert leaks.zone({}, tmp_path).leaks


def test_a_home_is_described(tmp_path: Path) -> None:
    assert leaks.home({}).found == "unset"
    assert leaks.home({"HOME": str(tmp_path / "none")}).found == f"{tmp_path}/none, which is not there"
    assert leaks.home({"HOME": str(tmp_path)}).found == str(tmp_path)
    assert not leaks.home({"HOME": NORMAL.home}).leaks


def test_an_epoch_of_the_caller_leaks() -> None:
    assert not leaks.epoch({}).leaks
    assert leaks.epoch({"SOURCE_DATE_EPOCH": "12"}).leaks


@pytest.mark.parametrize(
    ("soft", "leaking"), [(1024, False), (65_536, False), (256, True), (1_073_741_816, True), (-1, True)]
)
def test_a_limit_of_open_files_must_be_neither_tiny_nor_endless(soft: int, leaking: bool) -> None:
    assert leaks.open_files(soft, -1).leaks is leaking
