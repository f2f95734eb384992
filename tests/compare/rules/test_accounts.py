"""The account databases, as their own tools write them."""

import os
from pathlib import Path

import pytest
from bench import cause, changed, differs, finding, run, shows

from ci_toolkit.compare.difference import Field

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="these tools give their files to root")


def backup(root: Path, *groups: str) -> bytes:
    """The state of /etc/group before the last of GROUPS was added, as groupadd keeps it."""
    (root / "etc").mkdir(parents=True)
    (root / "etc/group").write_text("root:x:0:\n")
    for group in groups:
        run("groupadd", "--prefix", root, group)
    return (root / "etc/group-").read_bytes()


@needs_root
@shows("account-backup", by="groupadd")
def test_the_backup_that_groupadd_leaves_is_removed(tmp_path: Path) -> None:
    pair = [backup(tmp_path / "a", "one", "two"), backup(tmp_path / "b", "other", "two")]
    told = finding(changed("etc/group-", *pair))
    assert told.cause == "account-backup"
    assert told.fix == "[Content]\nRemoveFiles=/etc/group-"


@pytest.mark.parametrize("name", ["passwd", "group", "shadow", "gshadow", "subuid", "subgid"])
def test_every_database_has_a_backup_that_may_be_in_one_image_alone(name: str) -> None:
    assert cause(differs(f"etc/{name}-", Field.PRESENCE, None, "file")) == "account-backup"
    assert cause(differs(f"etc/{name}-", Field.PRESENCE, "directory", None)) == "unknown"
    assert cause(differs(f"etc/{name}", Field.PRESENCE, None, "file")) == "unknown"
    assert cause(differs(f"usr/share/etc/{name}-", Field.PRESENCE, None, "file")) == "unknown"


def accounts(root: Path, *names: str, numbers: tuple[int, ...] = ()) -> tuple[bytes, bytes, bytes]:
    """Let useradd add system users by NAMES, in this order: /etc/passwd, /etc/group and /etc/shadow."""
    (root / "etc").mkdir(parents=True)
    for name, line in (("passwd", "root:x:0:0::/root:/bin/sh"), ("group", "root:x:0:"), ("shadow", "root:*:1::::::")):
        (root / "etc" / name).write_text(f"{line}\n")
    for index, name in enumerate(names):
        chosen = ("--uid", str(numbers[index]), "--gid", "0") if numbers else ("--user-group",)
        run("useradd", "--prefix", root, "--system", *chosen, name)
    passwd, group, shadow = ((root / "etc" / name).read_bytes() for name in ("passwd", "group", "shadow"))
    return passwd, group, shadow


@needs_root
@shows("system-user-ids", by="useradd")
def test_users_made_in_another_order_have_other_numbers(tmp_path: Path) -> None:
    first, second = accounts(tmp_path / "a", "one", "two"), accounts(tmp_path / "b", "two", "one")
    for name, before, after in zip(("passwd", "group"), first, second, strict=False):
        told = finding(changed(f"etc/{name}", before, after))
        assert told.cause == "system-user-ids"
        assert "sysusers.d" in told.fix
    third = accounts(tmp_path / "c", "one", "three")
    assert cause(changed("etc/passwd", first[0], third[0])) == "unknown"
    assert cause(changed("usr/share/passwd", first[0], second[0])) != "system-user-ids"


def test_files_of_two_such_users_have_other_owners() -> None:
    assert cause(differs("var/lib/thing", Field.UID, 998, 997)) == "system-user-ids"
    assert cause(differs("var/lib/thing", Field.GID, 0, 997)) == "ownership"


@needs_root
@shows("account-order", by="useradd")
def test_users_of_fixed_numbers_in_another_order_are_only_that(tmp_path: Path) -> None:
    first = accounts(tmp_path / "a", "one", "two", numbers=(901, 902))
    second = accounts(tmp_path / "b", "two", "one", numbers=(902, 901))
    for name, before, after in (("passwd", first[0], second[0]), ("shadow", first[2], second[2])):
        told = finding(changed(f"etc/{name}", before, after))
        assert told.cause == "account-order"
        assert told.fix == "# in mkosi.finalize\nmkosi-chroot pwck --sort"


@needs_root
def test_the_advised_command_makes_both_orders_one(tmp_path: Path) -> None:
    files = []
    for name, users in (("a", ("one", "two")), ("b", ("two", "one"))):
        accounts(tmp_path / name, *users, numbers=(901, 902) if name == "a" else (902, 901))
        passwd, shadow = (tmp_path / name / "etc" / file for file in ("passwd", "shadow"))
        run("pwck", "--sort", passwd, shadow)
        files.append((passwd.read_bytes(), shadow.read_bytes()))
    assert files[0] == files[1]
