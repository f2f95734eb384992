"""For the tests of btrfs: file systems made by mkfs.btrfs, and what btrfs inspect-internal says of them."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import contained
from bench import run

from ci_toolkit.images.data import ClosedFile, Data, whole

UUID = "11111111-2222-4333-8444-555555555555"
DEVICE = "66666666-7777-4888-8999-aaaaaaaaaaaa"
# What mkfs.btrfs of Debian 12 does not know yet.
_NEW = ("--compress", "--subvol", "--device-uuid", "--inode-flags")
MIB = 1 << 20


@dataclass(kw_only=True)
class Stat:
    """One inode as dump-tree prints it; `extents` are (start, disk byte or None, bytes on disk, offset, length)."""

    mode: int = 0
    links: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    times: dict[str, int] = field(default_factory=dict)
    extents: list[tuple[int, int | None, int, int, int]] = field(default_factory=list)
    compressions: set[str] = field(default_factory=set)


def make(image: Path, *options: str, source: Path | None = None, size: int = 128 * MIB) -> Path:
    with image.open("wb") as file:
        file.truncate(size)
    directory = ("--rootdir", str(source)) if source else ()
    arguments = ("-q", "-f", *options, *directory, str(image))
    if set(options) & set(_NEW):
        contained.run("mkfs.btrfs", *arguments, shared=image.parent)
    else:
        run("mkfs.btrfs", *arguments)
    return image


def stored(image: Path) -> Data:
    """The bytes of an image that is too large to be read at once."""
    return whole(ClosedFile(str(image), image.stat().st_size))


def with_attributes(root: Path) -> dict[str, dict[str, bytes]]:
    """Set attributes in a tree, return what was set."""
    wanted = {
        "etc/hostname": {"user.short": b"v", "user.binary": bytes(range(1, 200))},
        "deep": {"user.ü": b""},
        "etc/empty": {"user.large": bytes(range(1, 251)) * 8},
    }
    for path, attributes in wanted.items():
        for name, value in attributes.items():
            run("setfattr", "-n", name, "-v", f"0x{value.hex()}" if value else '""', root / path)
    return wanted


def dump(image: Path, *options: str) -> str:
    return run("btrfs", "inspect-internal", "dump-tree", *options, image).decode(errors="surrogateescape")


def superblock(image: Path) -> dict[str, str]:
    """What dump-super prints, by name."""
    printed = run("btrfs", "inspect-internal", "dump-super", image).decode()
    pairs = (line.split(None, 1) for line in printed.splitlines() if line[:1].isalpha())
    return {pair[0]: pair[1].strip() if len(pair) > 1 else "" for pair in pairs}


def stats(image: Path, tree: str) -> dict[int, Stat]:
    """The inodes of a tree: "fs", or a subvolume's number."""
    found: dict[int, Stat] = {}
    for inode, kind, start, text in _items(dump(image, "-t", tree)):
        stat = found.setdefault(inode, Stat())
        if kind == "INODE_ITEM":
            numbers = dict(re.findall(r"\b(size|mode|links|uid|gid) (\d+)", text))
            stat.mode = int(numbers["mode"], 8)
            stat.links, stat.uid, stat.gid, stat.size = (int(numbers[name]) for name in ("links", "uid", "gid", "size"))
            for name, seconds, part in re.findall(r"\b([acmo]time) (\d+)\.(\d+)", text):
                stat.times[name] = int(seconds) * 10**9 + int(part)
        elif kind == "EXTENT_DATA":
            stat.compressions |= set(re.findall(r"compression \d+ \((\w+)\)", text))
            placed = re.search(r"disk byte (\d+) nr (\d+)", text)
            piece = re.search(r"data offset (\d+) nr (\d+)", text)
            if placed and piece and "prealloc" not in text:
                disk, held, offset, length = (int(number) for number in (*placed.groups(), *piece.groups()))
                stat.extents.append((start, disk or None, held, offset, length))
    return found


def physical(image: Path, logical: int) -> list[int]:
    """Where all copies of a logical address lie, by btrfs-map-logical."""
    printed = run("btrfs-map-logical", "-l", str(logical), "-b", "4096", image).decode()
    return [int(number) for number in re.findall(r"physical (\d+)", printed)]


def tree_blocks(image: Path) -> dict[int, str]:
    """The logical addresses of all tree blocks and who owns each."""
    found = re.findall(r"^(?:leaf|node) (\d+) (?:level|items) .*? owner (\S+)$", dump(image), flags=re.MULTILINE)
    return {int(address): owner for address, owner in found}


def restored(image: Path, target: Path) -> Path:
    """What btrfs restore takes out of an image, links included."""
    target.mkdir()
    run("btrfs", "restore", "-S", image, target)
    return target


def _items(printed: str) -> list[tuple[int, str, int, str]]:
    parts = re.split(r"^\titem \d+ key \((\S+) (\w+) (\S+)\) .*\n", printed, flags=re.MULTILINE)
    return [
        (int(inode), kind, int(offset), text)
        for inode, kind, offset, text in zip(parts[1::4], parts[2::4], parts[3::4], parts[4::4], strict=True)
        if inode.isdigit() and offset.isdigit()
    ]
