"""The key under which a CI keeps packages, and what is taken out of the cache."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ci_toolkit.mkosi import cache, source

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
CONF = "# a comment\n[Distribution]\nDistribution=arch\n[Content]\nPackages=base\n         linux\nRemoveFiles=/x\n"


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    (tmp_path / "images/mkosi.conf.d").mkdir(parents=True)
    (tmp_path / "images/mkosi.conf").write_text(CONF)
    (tmp_path / "images/mkosi.conf.d/10.conf").write_text("[Match]\nRelease=1\n[Content]\nPackages=vim\n")
    subprocess.run(("git", "init", "--quiet", tmp_path), check=True)
    return tmp_path / "images"


def key(definition: Path, *arguments: str, now: datetime = MONDAY) -> str:
    return cache.key(source.find(definition), architecture="x86_64", arguments=arguments, now=now).key


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mkosi.conf", CONF.replace("# a comment", "# another one\n\n")),
        ("mkosi.conf", CONF.replace("RemoveFiles=/x", "RemoveFiles=/y")),
        ("mkosi.conf", CONF.replace("Packages=base", "Packages  = base")),
        ("mkosi.postinst", "#!/bin/sh\n"),
        ("mkosi.extra/etc/motd", "hello"),
        ("../other/mkosi.conf", "[Content]\nPackages=other\n"),
    ],
)
def test_what_leaves_the_packages_as_they_are_leaves_the_key(definition: Path, name: str, text: str) -> None:
    before = key(definition)
    (definition / name).parent.mkdir(parents=True, exist_ok=True)
    (definition / name).write_text(text)
    assert key(definition) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mkosi.conf", CONF.replace("linux", "linux-lts")),
        ("mkosi.conf", CONF.replace("arch", "debian")),
        ("mkosi.conf.d/10.conf", "[Match]\nRelease=2\n[Content]\nPackages=vim\n"),
        ("mkosi.profiles/big.conf", "[Content]\nPackages=texlive\n"),
        ("mkosi.sandbox/etc/apt/sources.list.d/ours.sources", "Types: deb\n"),
    ],
)
def test_what_changes_the_packages_changes_the_key(definition: Path, name: str, text: str) -> None:
    before = key(definition)
    (definition / name).parent.mkdir(parents=True, exist_ok=True)
    (definition / name).write_text(text)
    assert key(definition) != before


def test_an_argument_counts_and_an_included_file_too(definition: Path) -> None:
    assert key(definition, "--profile=big") != key(definition)
    shared = definition.parent / "shared/mkosi.conf"
    shared.parent.mkdir()
    shared.write_text("[Content]\nPackages=one\n")
    (definition / "mkosi.conf").write_text(CONF + "[Include]\nInclude=../shared\n")
    before = key(definition)
    shared.write_text("[Content]\nPackages=two\n")
    assert key(definition) != before


def test_the_key_is_that_of_a_week_unless_a_snapshot_pins_the_packages(definition: Path) -> None:
    sunday, next_monday = datetime(2026, 11, 29, 23, 59, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)
    assert key(definition).endswith("-2026w48")
    assert key(definition, now=sunday) == key(definition) != key(definition, now=next_monday)
    (definition / "mkosi.conf").write_text(CONF.replace("[Content]", "Snapshot=2026/11/01\n[Content]"))
    assert key(definition).endswith("-pinned")
    assert key(definition, now=sunday) == key(definition, now=next_monday)


def test_a_key_begins_with_what_it_falls_back_on(definition: Path) -> None:
    found = cache.key(source.find(definition), architecture="aarch64", arguments=(), now=MONDAY)
    near, far = found.prefixes
    assert found.key.startswith(near) and near.startswith(far)
    assert far == "ci-toolkit-packages-aarch64-"


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    place = tmp_path / "packages"
    (place / "cache/apt/archives").mkdir(parents=True)
    for name in ("old_1_amd64.deb", "new_2_amd64.deb", "lock", "a-1-1-any.pkg.tar.zst.sig"):
        (place / "cache/apt/archives" / name).write_bytes(b"12345")
    return place


def reads_are_kept(place: Path) -> bool:
    file = place / "probe"
    file.write_bytes(b"x")
    os.utime(file, ns=(0, file.stat().st_mtime_ns))
    file.read_bytes()
    return file.stat().st_atime_ns != 0


def test_packages_that_nobody_read_are_dropped_and_nothing_else(packages: Path, tmp_path: Path) -> None:
    if not reads_are_kept(tmp_path):
        pytest.skip("the file system of the tests keeps no access times")
    cache.forget_reading(packages)
    subprocess.run(("cat", packages / "cache/apt/archives/new_2_amd64.deb"), check=True, stdout=subprocess.DEVNULL)
    assert cache.drop_unread(packages, packages) == 10
    assert {path.name for path in packages.rglob("*") if path.is_file()} == {"new_2_amd64.deb", "lock"}


def test_where_no_package_was_read_none_is_dropped(packages: Path) -> None:
    cache.forget_reading(packages)
    assert cache.drop_unread(packages, packages) == 0
    assert len(list(packages.rglob("*.deb"))) == 2
