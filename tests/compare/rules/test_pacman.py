"""What pacman writes."""

import os
import time
from pathlib import Path

import pytest
from bench import cause, changed, contained, differs, finding, run, shows

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.facts import Facts

PKGINFO = """\
pkgname = thing
pkgbase = thing
pkgver = 1.2-3
pkgdesc = A thing
url = https://example.org
builddate = 1700000000
packager = Nobody <nobody@example.org>
size = 2
arch = any
license = none
"""
DESC = "var/lib/pacman/local/thing-1.2-3/desc"


def installed(directory: Path, *, log: Path = Path("/dev/null")) -> bytes:
    """Let pacman install a package with one file into a tree of its own, and return its record of it."""
    if os.geteuid() != 0:
        pytest.skip("pacman needs root")
    source, root = directory / "source", directory / "root"
    (source / "usr").mkdir(parents=True)
    (source / ".PKGINFO").write_text(PKGINFO)
    (source / "usr/thing").write_text("x\n")
    package = directory / "thing-1.2-3-any.pkg.tar"
    run("tar", "--create", "--file", package, "--directory", source, ".PKGINFO", "usr")
    (root / "var/lib/pacman").mkdir(parents=True)
    (directory / "pacman.conf").write_text("[options]\nSigLevel = Never\nLocalFileSigLevel = Never\n")
    arguments = ("--root", root, "--config", directory / "pacman.conf", "--noconfirm", "--logfile", log)
    run("pacman", *arguments, "--upgrade", package)
    return (root / DESC).read_bytes()


@shows("pacman-install-date", by="pacman")
def test_what_pacman_writes_twice_differs_in_the_date_of_installation(tmp_path: Path) -> None:
    first = installed(tmp_path / "a")
    time.sleep(1.01)
    second = installed(tmp_path / "b")
    told = finding(changed(DESC, first, second))
    assert told.cause == "pacman-install-date"
    line = next(line for line in told.fix.splitlines() if line.startswith("sed "))
    for root in ("a", "b"):
        run("sh", "-c", line, environment={"BUILDROOT": str(tmp_path / root / "root")})
    mended = [(tmp_path / root / "root" / DESC).read_bytes() for root in ("a", "b")]
    assert mended[0] == mended[1]


def test_another_date_in_pacmans_record_is_not_that_of_the_installation() -> None:
    text = "%NAME%\nthing\n\n%BUILDDATE%\n{}\n\n%INSTALLDATE%\n{}\n"
    before = text.format(1_700_000_000, 1_764_000_000).encode()
    assert cause(changed(DESC, before, text.format(1_700_000_000, 1_764_000_009).encode())) == "pacman-install-date"
    clocks = Facts(first_clock=1_764_000_000, second_clock=1_764_000_009)
    rebuilt = text.format(1_700_000_001, 1_764_000_009).encode()
    assert cause(changed(DESC, before, rebuilt), clocks) == "unknown"


@shows("pacman-log", by="pacman")
def test_the_log_of_pacman_is_removed(tmp_path: Path) -> None:
    logs = []
    for name in ("a", "b"):
        installed(tmp_path / name, log=tmp_path / f"{name}.log")
        logs.append((tmp_path / f"{name}.log").read_bytes())
        time.sleep(1.01 if name == "a" else 0)
    told = finding(changed("var/log/pacman.log", *logs))
    assert told.fix.startswith("[Content]\nRemoveFiles=/var/log/pacman.log\n")
    assert "--logfile /dev/null" in told.fix


@shows("pacman-sync-database", by="tar")
def test_the_databases_of_repositories_are_removed(tmp_path: Path) -> None:
    # As repo-add writes them: an archive of descriptions.
    pair = []
    for version in ("1-1", "1-2"):
        (tmp_path / f"thing-{version}").mkdir()
        (tmp_path / f"thing-{version}/desc").write_text(f"%NAME%\nthing\n\n%VERSION%\n{version}\n")
        run("tar", "--create", "--gzip", "--file", f"{version}.db", f"thing-{version}", cwd=tmp_path)
        pair.append((tmp_path / f"{version}.db").read_bytes())
    told = finding(changed("var/lib/pacman/sync/core.db", *pair))
    assert told.fix == "[Content]\nRemoveFiles=/var/lib/pacman/sync/*"


@shows("pacman-keyring", by="pacman-key")
def test_the_keyring_is_made_at_first_boot(tmp_path: Path) -> None:
    # Once only: the master key is a long one.
    contained("pacman-key", "mkdir ring; pacman-key --gpgdir $PWD/ring --init >&2; chmod -R a+rX .", tmp_path)
    ring = (tmp_path / "ring/pubring.gpg").read_bytes()
    told = finding(changed("etc/pacman.d/gnupg/pubring.gpg", ring[:8], ring))
    assert told.fix.startswith("[Content]\nRemoveFiles=/etc/pacman.d/gnupg\n")
    for path in (tmp_path / "ring").rglob("*"):
        if path.is_file():
            only = differs(f"etc/pacman.d/gnupg/{path.relative_to(tmp_path / 'ring')}", Field.PRESENCE, None, "file")
            assert cause(only) == "pacman-keyring"
