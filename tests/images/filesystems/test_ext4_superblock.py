"""Superblocks made by mke2fs and tune2fs, against dumpe2fs."""

import struct
import time
from calendar import timegm
from collections.abc import Mapping
from pathlib import Path

import extended
import pytest
from bench import run
from specimens import loaded, opened

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.filesystems import ext4_superblock

NUMBERS = {
    "inode_count": "Inode count",
    "block_count": "Block count",
    "reserved_blocks": "Reserved block count",
    "blocks_per_group": "Blocks per group",
    "inodes_per_group": "Inodes per group",
    "mount_count": "Mount count",
    "inode_size": "Inode size",
    "reserved_descriptors": "Reserved GDT blocks",
    "stride": "RAID stride",
    "stripe_width": "RAID stripe width",
}
TIMES = {"mkfs_time": "Filesystem created", "write_time": "Last write time", "check_time": "Last checked"}
STRINGS = {
    "uuid": "Filesystem UUID",
    "hash_seed": "Directory Hash Seed",
    "label": "Filesystem volume name",
    "last_mounted": "Last mounted on",
}


def dumped(image: Path) -> Mapping[str, str]:
    lines = run("dumpe2fs", "-h", image, environment={"TZ": "UTC"}).decode().splitlines()
    return {name: value.strip() for name, value in (line.split(":", 1) for line in lines if ":" in line)}


@pytest.fixture(
    scope="module",
    params=[
        ("-t", "ext4", "-b", "1024", "-g", "2048", "-E", "stride=4,stripe_width=16"),
        ("-t", "ext4", "-b", "4096", "-g", "1024", "-E", "stride=2,stripe_width=8"),
        (
            "-t",
            "ext4",
            "-b",
            "1024",
            "-g",
            "1024",
            "-O",
            "^sparse_super,^resize_inode",
            "-E",
            "stride=1,stripe_width=1",
        ),
        (
            "-t",
            "ext4",
            "-g",
            "1024",
            "-b",
            "1024",
            "-O",
            "sparse_super2,^resize_inode",
            "-E",
            "stride=1,stripe_width=1",
        ),
    ],
    ids=["1 KiB", "4 KiB", "every superblock", "two superblocks"],
)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ext4") / "image"
    return extended.make(path, "-L", "a label", "-M", "/mnt", "-m", "3", *request.param, size=16 << 20)


def test_facts_are_what_dumpe2fs_prints(image: Path) -> None:
    told = dumped(image)
    found = facts_of(image)
    assert {name: found[name] for name in NUMBERS} == {
        name: int(told.get(label, "0")) for name, label in NUMBERS.items()
    }
    assert {name: found[name] for name in STRINGS} == {name: told[label] for name, label in STRINGS.items()}
    assert {name: found[name] for name in TIMES} == {
        name: timegm(time.strptime(told[label], "%a %b %d %H:%M:%S %Y")) for name, label in TIMES.items()
    }
    assert 1024 << int(str(found["block_size"])) == int(told["Block size"])
    assert f"{found['checksum_seed']:#010x}" == told.get("Checksum seed", "0x00000000")


def facts_of(image: Path) -> Mapping[str, object]:
    superblock = ext4_superblock.read_superblock(opened(image))
    return {fact.name: fact.value for fact in ext4_superblock.facts(superblock)}


def test_copies_lie_where_dumpe2fs_finds_superblocks(image: Path) -> None:
    superblock = ext4_superblock.read_superblock(opened(image))
    expected = extended.groups(image)["superblock"]
    assert len(expected) > 1
    assert {offset // superblock.block_size for offset in ext4_superblock.copies(superblock)} == expected


def test_values_lie_at_their_places_in_every_copy(image: Path) -> None:
    raw = image.read_bytes()
    superblock = ext4_superblock.read_superblock(loaded(raw))
    (places,) = [fact.places for fact in ext4_superblock.facts(superblock) if fact.name == "uuid"]
    uuid = bytes.fromhex(dumped(image)["Filesystem UUID"].replace("-", ""))
    assert len(places) == len(ext4_superblock.copies(superblock))
    assert {raw[offset : offset + length] for offset, length in places} == {uuid}


def test_what_tune2fs_changes_is_read(tmp_path: Path) -> None:
    image = extended.make(tmp_path / "image", "-t", "ext4", size=4 << 20)
    run("tune2fs", "-C", "7", "-c", "20", "-L", "other", "-o", "acl,discard", image)
    found = facts_of(image)
    told = dumped(image)
    assert (found["mount_count"], found["label"]) == (int(told["Mount count"]), told["Filesystem volume name"])
    assert (found["mount_count"], found["label"]) == (7, "other")


@pytest.mark.parametrize(
    ("offset", "form", "value"),
    [
        (0x18, "<I", 7),
        (0x20, "<I", 0),
        (0x20, "<I", 0xFFFFFFFF),
        (0x28, "<I", 0),
        (0x28, "<I", 0xFFFFFFFF),
        (0x00, "<I", 0xFFFFFFFF),
        (0x58, "<H", 0),
        (0x58, "<H", 127),
        (0x58, "<H", 0xFFFF),
        (0xFE, "<H", 0xFFFF),
        (0x14, "<I", 0xFFFFFFFF),
        (0x04, "<I", 0),
    ],
)
def test_a_superblock_that_makes_no_sense_is_refused(tmp_path: Path, offset: int, form: str, value: int) -> None:
    raw = bytearray(extended.make(tmp_path / "image", "-t", "ext4", "-O", "64bit", size=2 << 20).read_bytes())
    struct.pack_into(form, raw, 1024 + offset, value)
    with pytest.raises(UnreadableError, match="damaged"):
        ext4_superblock.read_superblock(loaded(bytes(raw)))


def test_a_file_system_larger_than_its_image_is_cut(tmp_path: Path) -> None:
    raw = extended.make(tmp_path / "image", "-t", "ext4", "-b", "1024", size=2 << 20).read_bytes()
    with pytest.raises(UnreadableError, match=r"has 2097152 bytes, only 2097151 are here: it is cut"):
        ext4_superblock.read_superblock(loaded(raw[:-1]))


def test_nothing_else_is_taken_for_one() -> None:
    assert not ext4_superblock.recognise(loaded(b""))
    assert not ext4_superblock.recognise(loaded(bytes(4096)))
    assert not ext4_superblock.recognise(loaded(b"\x53\xef" * 2048))


def test_copies_without_number_are_not_all_listed(tmp_path: Path) -> None:
    image = extended.make(tmp_path / "image", "-t", "ext2", "-b", "1024", "-O", "^sparse_super,^resize_inode")
    raw = bytearray(image.read_bytes())
    # One block makes a group, and each has a copy.
    struct.pack_into("<I", raw, 1024 + 0x20, 1)
    superblock = ext4_superblock.read_superblock(loaded(bytes(raw)))
    assert superblock.groups > 8000
    assert len(ext4_superblock.copies(superblock)) == 1025
