"""Owners and the bits that go with them."""

import os
from pathlib import Path

import pytest
from bench import cause, compared, differs, finding, run, shows

from ci_toolkit.compare.difference import Field

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")


@needs_root
@shows("ownership", by="chown")
def test_an_owner_that_one_build_could_not_give_is_the_single_users(tmp_path: Path) -> None:
    owners = []
    for name, owner in (("a", "0:42"), ("b", "0:0")):
        (tmp_path / name).touch()
        run("chown", owner, tmp_path / name)
        owners.append((tmp_path / name).stat().st_gid)
    told = finding(differs("usr/sbin/unix_chkpwd", Field.GID, *owners))
    assert told.cause == "ownership"
    assert "ordinary user" in told.explanation
    assert "full range" in told.fix
    assert cause(differs("usr/sbin/unix_chkpwd", Field.UID, 42, 0)) == "ownership"


@shows("builder-owner", by="tar")
def test_files_that_two_people_packed_belong_to_them(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, owner in (("a", "1000"), ("b", "1001")):
        options = (f"--owner=builder:{owner}", f"--group=builder:{owner}", "--mtime=@1")
        run("tar", *options, "--create", "--file", f"{name}.tar", "file", cwd=tmp_path)
    found = compared(tmp_path / "a.tar", tmp_path / "b.tar")
    assert {name for name, told in found.items() if not told.consequence_of} == {"builder-owner"}
    assert cause(differs("etc/thing", Field.UID, 101, 1001)) == "builder-owner"
    assert cause(differs("etc/thing", Field.UID, 101, 102)) == "system-user-ids"


@shows("set-id-bit", by="mkdir")
def test_a_directory_made_in_a_directory_with_setgid_takes_the_bit_over(tmp_path: Path) -> None:
    modes = []
    for name, bits in (("plain", "755"), ("shared", "2755")):
        (tmp_path / name).mkdir()
        run("chmod", bits, tmp_path / name)
        run("mkdir", tmp_path / name / "made")
        modes.append((tmp_path / name / "made").stat().st_mode & 0o7777)
    told = finding(differs("srv/made", Field.MODE, *modes))
    assert told.cause == "set-id-bit"
    assert "chmod g-s" in told.fix


@needs_root
def test_a_bit_that_chown_cleared_is_named(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.touch()
    program.chmod(0o2755)
    before = program.stat().st_mode & 0o7777
    os.chown(program, 0, 42)
    after = program.stat().st_mode & 0o7777
    assert cause(differs("usr/sbin/unix_chkpwd", Field.MODE, before, after)) == "set-id-bit"


def test_a_mode_that_differs_in_more_than_such_bits_is_not_about_them() -> None:
    assert cause(differs("usr/bin/thing", Field.MODE, 0o4755, 0o711)) == "unknown"


@shows("tar-owner-name", by="tar")
def test_the_names_of_owners_in_a_tar_are_the_hosts(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, owner in (("a", "root:0"), ("b", "levente:0")):
        run("tar", f"--owner={owner}", "--mtime=@1", "--create", "--file", f"{name}.tar", "file", cwd=tmp_path)
    found = compared(tmp_path / "a.tar", tmp_path / "b.tar")
    assert "--numeric-owner" in found["tar-owner-name"].fix
    assert all(told.consequence_of == ("tar-owner-name",) for name, told in found.items() if name != "tar-owner-name")
