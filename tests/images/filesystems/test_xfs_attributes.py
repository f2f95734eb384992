"""Extended attributes in file systems made by mkfs.xfs and changed by xfs_db."""

import os
import struct
from pathlib import Path

import balanced
import grouped
import pytest
from bench import run
from specimens import budget, entries, loaded, spans

from ci_toolkit.images.entry import Container
from ci_toolkit.images.filesystems import xfs


def read(image: Path) -> Container:
    container = xfs.read(balanced.stored(image), budget())
    assert container.skipped == ()
    return container


@pytest.mark.parametrize("options", [(), ("-m", "crc=0")])
def test_extended_attributes_are_there(tmp_path: Path, options: tuple[str, ...]) -> None:
    tree = grouped.tree(tmp_path / "tree")
    wanted = balanced.with_attributes(tree)
    image = grouped.make(tmp_path / "image", *options, source=tree)
    for path, entry in entries(read(image)).items():
        # mkfs.xfs leaves out those that are empty.
        expected = {name: value for name, value in wanted.get(path, {}).items() if value}
        assert {name: value for name, value in entry.xattrs if name.startswith("user.")} == expected


# xfs_db gives up setting attributes in version 4.
@pytest.mark.parametrize("options", [("-b", "size=1024"), ("-i", "size=1024"), ()])
def test_attributes_in_blocks_of_their_own_are_there(tmp_path: Path, options: tuple[str, ...]) -> None:
    proto, _ = grouped.proto(tmp_path, 1)
    image = grouped.make(tmp_path / "image", *options, "-p", str(proto))
    small = entries(read(image))["small"].inode
    big = entries(read(image))["big"].inode
    expected = {f"user.{'n' * (number % 60)}{number}": b"v" * (number % 200 + 1) for number in range(250)}
    commands = [f"attr_set -u -v {len(value)} {name.removeprefix('user.')}" for name, value in expected.items()]
    grouped.change(
        image, f"inode {small}", *commands, f"inode {big}",
        "attr_set -u -v 60000 large", "attr_set -r -v 3 rooted", "attr_set -s -v 2 secret",
    )  # fmt: skip
    run("xfs_repair", "-n", image)
    there = entries(read(image))
    assert {name: len(value) for name, value in there["small"].xattrs} == {
        name: len(value) for name, value in expected.items()
    }
    values = dict(there["big"].xattrs)
    assert {name: len(value) for name, value in values.items()} == {
        "user.large": 60000, "trusted.rooted": 3, "security.secret": 2,
    }  # fmt: skip
    # xfs_db fills a value with one letter.
    assert all(len(set(value)) == 1 for value in values.values())
    raw = image.read_bytes()
    (region,) = [region for region in read(image).regions if region.name == "attribute blocks"]
    assert sum(raw[start : start + length].count(b"vvvv") for start, length in spans(region.data)) > 0


def test_acls_are_as_programs_see_them(tmp_path: Path) -> None:
    (tmp_path / "file").touch(mode=0o644)
    run("setfacl", "-m", "u:1234:rw", tmp_path / "file")
    nobody = 0xFFFFFFFF
    held = ((1, nobody, 6), (2, 1234, 6), (4, nobody, 4), (0x10, nobody, 6), (0x20, nobody, 4))
    value = struct.pack(">I", len(held)) + b"".join(struct.pack(">IIHH", *one, 0) for one in held)
    proto, _ = grouped.proto(tmp_path, 1)
    image = grouped.make(tmp_path / "image", "-p", str(proto))
    small = entries(read(image))["small"].inode
    grouped.change(image, f"inode {small}", f"attr_set -r -v {len(value)} SGI_ACL_FILE")
    raw = image.read_bytes()
    start = raw.index(b"SGI_ACL_FILE") + len("SGI_ACL_FILE")
    raw = raw[:start] + value + raw[start + len(value) :]
    assert dict(entries(xfs.read(loaded(raw), budget()))["small"].xattrs) == {
        "system.posix_acl_access": os.getxattr(tmp_path / "file", "system.posix_acl_access")
    }


def test_inodes_that_share_large_blocks_of_attributes_are_given_up(tmp_path: Path) -> None:
    """Else each of them would have to be searched, however large."""
    proto, _ = grouped.proto(tmp_path, 60)
    raw = bytearray(grouped.make(tmp_path / "image", "-p", str(proto)).read_bytes())
    many = [entry for entry in xfs.read(loaded(bytes(raw)), budget()).entries if entry.path.startswith("many/")]
    for entry in many:
        assert entry.record is not None
        start = entry.record[0]
        # One extent of 1,000 blocks from block 100 on, in the fork that begins 64 bytes behind the other.
        struct.pack_into(">HBb", raw, start + 80, 1, 8, 2)
        struct.pack_into(">I", raw, start + 76, 1)
        struct.pack_into(">QQ", raw, start + 176 + 64, 0, 100 << 21 | 1000)
    reasons = [reason for _, reason in xfs.read(loaded(bytes(raw)), budget()).skipped]
    assert len(reasons) == len(many)
    assert "directories and attributes have more blocks than the file system" in reasons
