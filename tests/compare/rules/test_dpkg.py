"""What dpkg, apt and debconf write."""

import os
import time
from pathlib import Path

import pytest
from bench import cause, changed, differs, finding, run, shows

from ci_toolkit.compare.difference import Field

PACKAGES = """\
Package: thing
Version: 1
Architecture: all
Filename: thing.deb
Size: 1
SHA256: 0000000000000000000000000000000000000000000000000000000000000000
Description: x

"""
RELEASE = """\
Suite: stable
Date: {}
SHA256:
 {} {} Packages
"""


def control(name: str) -> str:
    return f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n"


def installed(root: Path, *names: str) -> Path:
    """Let dpkg install packages in this order into a tree of its own; return where its records are."""
    records = root / "var/lib/dpkg"
    (records / "info").mkdir(parents=True)
    (records / "updates").mkdir()
    (records / "status").touch()
    for name in names:
        source = root / "source" / name / "DEBIAN"
        source.mkdir(parents=True)
        (source / "control").write_text(control(name))
        run("dpkg-deb", "--build", "--root-owner-group", source.parent, root / f"{name}.deb")
        run("dpkg", "--root", root, "--log", "/dev/null", "--force-not-root", "--install", root / f"{name}.deb")
    return records


@shows("package-record-backup", by="dpkg")
def test_the_backup_of_dpkg_depends_on_what_came_last(tmp_path: Path) -> None:
    first, second = installed(tmp_path / "a", "one", "two"), installed(tmp_path / "b", "two", "one")
    assert (first / "status").read_bytes() == (second / "status").read_bytes()
    pair = [(records / "status-old").read_bytes() for records in (first, second)]
    told = finding(changed("var/lib/dpkg/status-old", *pair))
    assert told.cause == "package-record-backup"
    assert "RemoveFiles=/var/lib/dpkg/*-old\n" in told.fix
    assert cause(differs("var/cache/debconf/config.dat-old", Field.PRESENCE, None, "file")) == "package-record-backup"


@shows("package-record-order", by="apt-mark")
def test_what_apt_marked_in_another_order_is_only_that(tmp_path: Path) -> None:
    pair = []
    for name, order in (("a", ("one", "two")), ("b", ("two", "one"))):
        records = installed(tmp_path / name, "one", "two")
        (tmp_path / name / "lists/partial").mkdir(parents=True)
        state = {
            "Dir::State": tmp_path / name,
            "Dir::State::status": records / "status",
            "Dir::Cache": tmp_path / name,
            "Dir::Etc::SourceList": "/dev/null",
            "Dir::Etc::SourceParts": "/dev/null",
        }
        options = [f"--option={key}={value}" for key, value in state.items()]
        for package in order:
            run("apt-mark", *options, "auto", package)
        pair.append((tmp_path / name / "extended_states").read_bytes())
    told = finding(changed("var/lib/apt/extended_states", *pair))
    assert told.cause == "package-record-order"
    assert "sort" not in told.fix.replace("mkosi sorts", "")
    assert cause(changed("var/lib/apt/extended_states", pair[0], pair[1] + b"\nPackage: three\n")) == "unknown"


@pytest.fixture(scope="module")
def updated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs of apt-get update, a second apart, from a mirror that has been signed again between them."""
    mirror = tmp_path_factory.mktemp("mirror")
    (mirror / "Packages").write_text(PACKAGES)
    digest = run("sha256sum", mirror / "Packages").decode().split()[0]
    roots = []
    for name in ("a", "b"):
        now = run("date", "--utc", "+%a, %d %b %Y %H:%M:%S UTC").decode().strip()
        (mirror / "Release").write_text(RELEASE.format(now, digest, len(PACKAGES)))
        root = tmp_path_factory.mktemp(name)
        (root / "lists/partial").mkdir(parents=True)
        (root / "archives/partial").mkdir(parents=True)
        (root / "status").touch()
        (root / "sources.list").write_text(f"deb [trusted=yes] file:{mirror} ./\n")
        settings = {
            "Dir::State": root, "Dir::State::status": root / "status", "Dir::Cache": root,
            "Dir::Cache::pkgcache": "pkgcache.bin", "Dir::Cache::srcpkgcache": "srcpkgcache.bin",
            "Dir::Etc::SourceList": root / "sources.list", "Dir::Etc::SourceParts": "/dev/null",
            "APT::Sandbox::User": "root",
        }  # fmt: skip
        options = [f"--option={key}={value}" for key, value in settings.items()]
        run("apt-get", *options, "update")
        run("apt-cache", *options, "gencaches")
        roots.append(root)
        time.sleep(1.01 if name == "a" else 0)
    return roots[0], roots[1]


@shows("apt-cache", by="apt-cache")
def test_the_caches_of_apt_are_removed(updated: tuple[Path, Path]) -> None:
    told = finding(changed("var/cache/apt/pkgcache.bin", *((root / "pkgcache.bin").read_bytes() for root in updated)))
    assert told.fix.startswith("[Content]\nRemoveFiles=/var/cache/apt/*.bin\n")
    assert cause(changed("var/cache/apt/pkgcache.bin", b"one", b"two")) == "unknown"


@shows("apt-lists", by="apt-get")
def test_the_lists_of_apt_are_removed(updated: tuple[Path, Path]) -> None:
    pair = [next((root / "lists").glob("*_Release")) for root in updated]
    told = finding(changed(f"var/lib/apt/lists/{pair[0].name}", *(path.read_bytes() for path in pair)))
    assert told.cause == "apt-lists"
    assert told.fix.startswith("[Content]\nRemoveFiles=/var/lib/apt/lists/*\n")


@shows("apt-autoremove-kernels", by="sh")
def test_the_kernels_that_apt_keeps_are_the_hosts() -> None:
    # As apt's own hook writes it, /etc/kernel/postinst.d/apt-auto-removal.
    script = """echo 'APT::NeverAutoRemove { "^linux-image-'"$(uname -r)"'$"; };'"""
    first = run("sh", "-c", script)
    second = first.replace(os.uname().release.encode(), b"6.1.0-1-other")
    told = finding(changed("etc/apt/apt.conf.d/01autoremove-kernels", first, second))
    assert told.cause == "apt-autoremove-kernels"
