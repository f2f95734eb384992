"""Extended attributes."""

import os
from pathlib import Path

import extended
import pytest
from bench import cause, compared, differs, finding, run, shows

from ci_toolkit.compare.difference import Field

DEFAULT_ACL = "system.posix_acl_default"


@shows("default-acl", by="setfacl")
def test_a_list_that_a_directory_hands_down_is_named(tmp_path: Path) -> None:
    for name in ("plain", "listed"):
        (tmp_path / name).mkdir()
    run("setfacl", "--default", "--modify", "user:1234:rwx", tmp_path / "listed")
    values = []
    for name in ("plain", "listed"):
        made = tmp_path / name / "made"
        made.mkdir()
        values.append(os.getxattr(made, DEFAULT_ACL) if DEFAULT_ACL in os.listxattr(made) else None)
    told = finding(differs("srv/made", Field.XATTR, *values, name=DEFAULT_ACL))
    assert told.cause == "default-acl"
    assert "setfacl" in told.fix


@shows("xattr-order", by="debugfs")
def test_attributes_in_another_order_are_named(tmp_path: Path) -> None:
    names = ("user.validatefs.mount_point", "user.validatefs.gpt_label")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").touch()
    extended.make(tmp_path / "a", "-t", "ext4", "-I", "256", source=tmp_path / "tree")
    (tmp_path / "b").write_bytes((tmp_path / "a").read_bytes())
    for image, order in ((tmp_path / "a", names), (tmp_path / "b", names[::-1])):
        extended.change(image, *(f"ea_set file {name} x" for name in order))
    found = compared(tmp_path / "a", tmp_path / "b")
    if (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes():
        pytest.skip("this debugfs sorts them")
    assert "AddValidateFS=no" in found["xattr-order"].fix
    assert "unknown" not in found
    other = finding(differs("file", Field.XATTR, ("user.a", "user.b"), ("user.b", "user.a"), name="order"))
    assert "AddValidateFS" not in other.fix


@pytest.mark.parametrize(
    ("name", "expected"),
    [("security.selinux", "security-label"), ("security.ima", "security-label"), ("user.thing", "unknown")],
)
def test_labels_of_the_host_are_named_and_other_attributes_are_not(name: str, expected: str) -> None:
    assert cause(differs("etc/thing", Field.XATTR, b"one", None, name=name)) == expected


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may set these")


@needs_root
@shows("security-label", by="setfattr")
def test_a_label_that_a_host_sets_is_named(tmp_path: Path) -> None:
    labels = []
    for name in ("etc_t", "user_home_t"):
        (tmp_path / name).touch()
        # Where no such policy is loaded, the kernel keeps it as it is.
        run("setfattr", "-n", "security.selinux", "-v", f"system_u:object_r:{name}:s0", tmp_path / name)
        labels.append(os.getxattr(tmp_path / name, "security.selinux"))
    assert cause(differs("etc/thing", Field.XATTR, *labels, name="security.selinux")) == "security-label"


@needs_root
@shows("file-capability", by="setcap")
def test_a_capability_that_one_build_could_not_set_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).touch()
    run("setcap", "cap_net_raw+ep", tmp_path / "a")
    value = os.getxattr(tmp_path / "a", "security.capability")
    assert cause(differs("usr/bin/ping", Field.XATTR, value, None, name="security.capability")) == "file-capability"
    # As the kernel writes it in a user namespace: with the number of its root.
    run("setcap", "-n", "1000", "cap_net_raw+ep", tmp_path / "b")
    other = os.getxattr(tmp_path / "b", "security.capability")
    assert cause(differs("usr/bin/ping", Field.XATTR, value, other, name="security.capability")) == "file-capability"
