import os
import shlex
import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from ci_toolkit.host import checkout

# u::rwx, u:1000:rw-, g::r-x, m::rwx, o::---: what the kernel keeps for it, little-endian.
ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *entry)
    for entry in ((1, 7, 0xFFFFFFFF), (2, 6, 1000), (4, 5, 0xFFFFFFFF), (16, 7, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF))
)


def git(directory: Path, *arguments: str) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    subprocess.run(("git", "-C", directory, *identity, *arguments), check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A work tree with a plain file, an executable one and a link, under umask 022."""
    top = tmp_path / "work"
    top.mkdir(mode=0o755)
    git(top, "init", "-q")
    for name, mode in (("mkosi.conf", 0o644), ("mkosi.build", 0o755)):
        (top / name).write_text(name, encoding="utf-8")
        (top / name).chmod(mode)
    (top / "link").symlink_to("mkosi.conf")
    git(top, "add", ".")
    git(top, "commit", "-qm", "One")
    return top


def test_a_checkout_under_umask_022_has_gits_modes(repository: Path) -> None:
    found = checkout.modes(repository)
    assert not found.leaks
    assert found.found.startswith("0 of 2 files")


def test_a_checkout_under_umask_0_is_found_out(repository: Path) -> None:
    (repository / "mkosi.conf").chmod(0o666)
    (repository / "mkosi.build").chmod(0o777)
    found = checkout.modes(repository)
    assert found.leaks
    assert found.found.startswith("2 of 2 files have other modes than git's (mkosi.build is 0777, git's is 0755)")


def test_a_mode_that_is_too_strict_is_a_leak_too(repository: Path) -> None:
    (repository / "mkosi.conf").chmod(0o600)
    assert "mkosi.conf is 0600, git's is 0644" in checkout.modes(repository).found


def test_a_file_that_was_deleted_is_no_leak(repository: Path) -> None:
    (repository / "mkosi.conf").unlink()
    assert checkout.modes(repository).found.startswith("0 of 1 files")


def test_without_git_files_that_others_may_write_are_counted(tmp_path: Path) -> None:
    for name, mode in (("a", 0o644), ("b", 0o664), ("c", 0o602), ("d", 0o600)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    found = checkout.modes(tmp_path)
    assert found.leaks
    assert found.found.startswith("no git here; 2 of 4 files are writable by group or others")


def test_the_index_is_read_with_odd_names_and_without_links_and_submodules() -> None:
    blob = "0" * 40
    entries = (f"100644 {blob} 0\ta\tb\n", f"100755 {blob} 0\trun", f"120000 {blob} 0\tlink", f"160000 {blob} 0\tsub")
    text = "".join(f"{entry}\0" for entry in entries)
    assert checkout.parse_index(text) == {"a\tb\n": 0o644, "run": 0o755}


def test_the_setgid_bit_is_seen(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert not checkout.set_group_id(tmp_path).leaks
    tmp_path.chmod(0o2775)
    found = checkout.set_group_id(tmp_path)
    assert found.leaks
    assert found.found == "mode 2775, setgid"


def test_a_checkout_of_our_own_does_not_leak_its_owner(tmp_path: Path) -> None:
    assert checkout.owner(tmp_path).leaks is (
        (tmp_path.stat().st_uid, tmp_path.stat().st_gid) != (os.geteuid(), os.getegid())
    )


def test_a_checkout_of_somebody_else_is_seen_and_git_refuses_it(repository: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a checkout away")
    for path in (repository, repository / ".git"):
        os.chown(path, 4711, 4712)
    assert checkout.owner(repository).found.startswith("4711:4712, we are 0:0")
    assert checkout.owner(repository).leaks
    environ = {"HOME": str(tmp_path)}
    refused = checkout.git_ownership(repository, environ)
    assert refused.leaks
    assert shlex.split(refused.fix)[-1] == str(repository)
    trusting: Mapping[str, str] = environ | {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": str(repository),
    }
    assert not checkout.git_ownership(repository, trusting).leaks
    # The modes are compared all the same.
    assert checkout.modes(repository).found.startswith("0 of 2 files")


def test_a_directory_without_git_is_not_refused(tmp_path: Path) -> None:
    found = checkout.git_ownership(tmp_path, {"HOME": str(tmp_path)})
    assert not found.leaks
    assert found.found in ("not a git checkout", "git is not installed")


def test_an_acl_is_read_as_setfacl_writes_it() -> None:
    assert checkout.parse_acl(ACL) == ("user::rwx", "user:1000:rw-", "group::r-x", "mask::rwx", "other::---")


@pytest.mark.parametrize("value", [b"", b"\x02", b"\x03\x00\x00\x00", ACL[:-1]])
def test_an_acl_of_another_kind_is_shown_in_hexadecimal(value: bytes) -> None:
    assert checkout.parse_acl(value) == (value.hex(),)


def test_a_default_acl_of_the_kernel_is_found(tmp_path: Path) -> None:
    assert not checkout.default_acl(tmp_path, "acl").leaks
    try:
        os.setxattr(tmp_path, "system.posix_acl_default", ACL)
    except OSError as error:
        pytest.skip(f"no ACLs on {tmp_path}: {error.strerror}")
    found = checkout.default_acl(tmp_path, "acl")
    assert found.leaks
    assert found.found == f"{tmp_path}: user::rwx,user:1000:rw-,group::r-x,mask::rwx,other::---"


def test_a_default_acl_of_setfacl_is_found(tmp_path: Path) -> None:
    if shutil.which("setfacl") is None:
        pytest.skip("setfacl (acl) is not installed")
    subprocess.run(("setfacl", "-d", "-m", "g::rwx", tmp_path), check=True)
    assert "group::rwx" in checkout.default_acl(tmp_path, "acl").found
