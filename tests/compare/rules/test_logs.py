"""Logs."""

import os
import time
from pathlib import Path

import pytest
from bench import cause, changed, differs, finding, run, shows

from ci_toolkit.compare.difference import Field


def alternatives_log(root: Path) -> bytes:
    for directory in ("alternatives", "admin"):
        (root / directory).mkdir(parents=True)
    log = root / "alternatives.log"
    arguments = ("--altdir", root / "alternatives", "--admindir", root / "admin", "--log", log)
    run("update-alternatives", *arguments, "--install", root / "link", "true", "/bin/true", "10")
    return log.read_bytes()


@shows("log-file", by="update-alternatives")
def test_the_log_of_update_alternatives_is_a_log(tmp_path: Path) -> None:
    first = alternatives_log(tmp_path / "a")
    time.sleep(1.01)
    second = alternatives_log(tmp_path / "b")
    told = finding(changed("var/log/alternatives.log", first, second))
    assert told.cause == "log-file"
    assert told.fix == "[Content]\nRemoveFiles=/var/log/alternatives.log"


def test_a_log_in_the_initrd_is_removed_there() -> None:
    path = ("1:esp", "EFI/Linux/linux.efi", ".initrd", "var/log/dpkg.log")
    told = finding(changed(path, b"a", b"b", container="cpio"))
    assert told.cause == "log-file"
    assert told.fix.startswith("# in mkosi.initrd.conf")
    assert told.fix.endswith("[Content]\nRemoveFiles=/var/log/dpkg.log")


def test_an_initrd_that_was_built_alone_is_the_image() -> None:
    told = finding(changed("var/log/dpkg.log", b"a", b"b", container="cpio"))
    assert told.fix == "[Content]\nRemoveFiles=/var/log/dpkg.log"


def test_a_log_on_a_partition_of_its_own_is_named_from_the_root() -> None:
    assert "RemoveFiles=/var/log/dpkg.log" in finding(changed(("3:var", "log/dpkg.log"), b"a", b"b")).fix


def test_a_log_that_one_image_lacks_is_a_log_and_a_directory_is_not() -> None:
    assert cause(differs("var/log/apt/history.log", Field.PRESENCE, None, "file")) == "log-file"
    assert cause(differs("var/log/journal", Field.PRESENCE, "directory", None)) == "unknown"


def test_a_name_from_an_image_cannot_add_a_setting() -> None:
    told = finding(changed("var/log/x,/etc\nSecureBoot=no", b"a", b"b"))
    assert told.fix == "[Content]\nRemoveFiles=/var/log/x?/etc?SecureBoot?no"


def test_a_file_beside_the_logs_is_none() -> None:
    assert cause(changed("var/logs/thing.log", b"a", b"b")) == "unknown"


@pytest.mark.skipif(os.geteuid() != 0, reason="lastlog changes its root")
@shows("login-records", by="lastlog")
def test_the_last_logins_are_no_part_of_an_image(tmp_path: Path) -> None:
    records = []
    for name in ("a", "b"):
        for directory in ("etc", "var/log"):
            (tmp_path / name / directory).mkdir(parents=True)
        (tmp_path / name / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
        (tmp_path / name / "var/log/lastlog").touch()
        run("lastlog", "--root", tmp_path / name, "--set", "--user", "root")
        records.append((tmp_path / name / "var/log/lastlog").read_bytes())
        time.sleep(1.01 if name == "a" else 0)
    told = finding(changed("var/log/lastlog", *records))
    assert told.cause == "login-records"
    assert told.fix == "[Content]\nRemoveFiles=/var/log/lastlog"


@shows("dkms-log", by="date")
def test_the_log_of_dkms_is_removed() -> None:
    # As dkms begins it: https://github.com/dell/dkms
    first, second = (
        b"DKMS make.log for thing-1.0\n" + run("date", f"--date=@{moment}") for moment in (1_764_000_000, 1_764_000_090)
    )
    told = finding(changed("var/lib/dkms/thing/1.0/6.12.1/x86_64/log/make.log", first, second))
    assert told.cause == "dkms-log"
    assert told.fix == "[Content]\nRemoveFiles=/var/lib/dkms/*/*/*/*/log"
