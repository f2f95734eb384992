"""For the tests of f2fs: file systems made by mkfs.f2fs and sload.f2fs, and what dump.f2fs says of them."""

import os
import random
import re
import struct
from collections.abc import Mapping
from pathlib import Path

from bench import run
from specimens import budget, entries, loaded, spans

from ci_toolkit.images.filesystems import f2fs

UUID = "11111111-2222-4333-8444-555555555555"
MIB = 1 << 20
BLOCK = 4096
EPOCH = 1_700_000_000
FIXED = ("-r", "-U", UUID, "-T", str(EPOCH))
ALL = "extra_attr,inode_checksum,sb_checksum,inode_crtime,project_quota,quota,compression"


def tree(root: Path) -> Path:
    """A tree with one of every kind of file, and lists of blocks of all but the greatest depth."""
    chance = random.Random(1)
    (root / "etc/deep").mkdir(parents=True)
    (root / "etc").chmod(0o2750)
    (root / "etc/hostname").write_text("host\n")
    (root / "etc/hostname").chmod(0o4711)
    (root / "empty").touch()
    (root / "exact").write_bytes(b"e" * 8192)
    (root / "inline").write_bytes(chance.randbytes(3000))
    # Beyond the addresses of the inode; beyond those of two further nodes.
    (root / "big").write_bytes(chance.randbytes(5 * MIB + 1))
    (root / "huge").write_bytes(chance.randbytes(64) * (12 * MIB // 64 + 1))
    (root / "same").hardlink_to(root / "exact")
    (root / "near").symlink_to("etc/hostname")
    (root / "far").symlink_to("f" * 4000)
    os.mkfifo(root / "pipe")
    (root / "many").mkdir()
    for number in range(700):
        (root / f"many/{number:03}-{'n' * (number % 200)}").touch()
    for name in ("größe ☃".encode(), b"\xff\xfenot UTF-8", b"new\nline", b" blank ", b"L" * 255):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(name)
    for path in (*root.rglob("*"), root):
        os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)
    return root


def make(image: Path, *options: str, source: Path | None = None, fixed: bool = True, size: int = 96 * MIB) -> Path:
    with image.open("wb") as file:
        file.truncate(size)
    run("mkfs.f2fs", "-q", "-f", *options, *(FIXED if fixed else ()), image)
    if source is not None:
        run("sload.f2fs", "-P", "-f", source, image)
    return image


def checked(image: Path) -> str:
    """What fsck.f2fs says, whether all is well or not."""
    command = 'fsck.f2fs --dry-run "$0" || true'
    return run("sh", "-c", command, image).decode(errors="replace")


def inode(image: Path, number: int) -> Mapping[str, int]:
    """The fields of an inode."""
    printed = run("dump.f2fs", "-i", str(number), image, stdin=b"N\n").decode(errors="replace")
    return {
        name: int(value, 16) for name, value in re.findall(r"^(i_\S+)\s+\[0x\s*([0-9a-f]+) :", printed, re.MULTILINE)
    }


def checkpoint(image: Path) -> Mapping[str, int]:
    """The fields of superblock and checkpoint."""
    printed = run("dump.f2fs", "-d", "1", image).decode(errors="replace")
    pairs = re.findall(r"^(\w+)\s+\[0x\s*([0-9a-f]+) :|(feature)s = ([0-9a-f]+)", printed, re.MULTILINE)
    return {name or other: int(value or features, 16) for name, value, other, features in pairs}


def attributes(image: Path, number: int) -> list[tuple[int, str, int]]:
    """The extended attributes of an inode: their prefix's number, name and size."""
    printed = run("dump.f2fs", "-i", str(number), image, stdin=b"N\n").decode(errors="replace")
    return [
        (int(p), n, int(s)) for p, n, s in re.findall(r"e_name_index:(\d+) e_name:(\S+) .*?e_value_size:(\d+)", printed)
    ]


def dumped(image: Path, number: int, directory: Path) -> bytes:
    """The content of a file that has one name."""
    directory.mkdir()
    run("dump.f2fs", "-i", str(number), image, stdin=b"Y\n", cwd=directory)
    (found,) = (directory / "lost_found").iterdir()
    return found.read_bytes()


class Patch:
    """An image whose structures are changed by hand, checksums of superblock and checkpoint excepted."""

    def __init__(self, image: Path) -> None:
        self.raw = bytearray(image.read_bytes())
        self.container = f2fs.read(loaded(bytes(self.raw)), budget())

    def place(self, path: str) -> int:
        record = entries(self.container)[path].record
        assert record is not None
        return record[0]

    def put(self, offset: int, form: str, *values: int | bytes) -> None:
        struct.pack_into(form, self.raw, offset, *values)

    def get(self, offset: int, form: str = "<I") -> int:
        return int(struct.unpack_from(form, self.raw, offset)[0])

    def node(self, number: int) -> int:
        """Where the node of that number lies, found by its footer."""
        (region,) = [region for region in self.container.regions if region.name == "map blocks"]
        return next(
            place + step
            for place, length in spans(region.data)
            for step in range(0, length, BLOCK)
            if self.get(place + step + 4072) == number
        )

    def only_block(self, path: str) -> int:
        """Where the block of a small directory lies; sload.f2fs puts no names into inodes."""
        return self.get(self.place(path) + 396) * BLOCK
