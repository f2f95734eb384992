"""For the tests of FAT: file systems made by mkfs.fat and mtools, and what mtools says of them."""

import os
import random
import re
from pathlib import Path

from bench import run

EPOCH = 1_700_000_000
_ENVIRONMENT = {"TZ": "UTC", "MTOOLS_SKIP_CHECK": "1", "SOURCE_DATE_EPOCH": str(EPOCH)}

SHAPES = {
    "FAT12": (2, ("-F", "12")),
    "FAT12 with an odd number of clusters": (1, ("-F", "12", "-s", "1", "-r", "160")),
    "FAT16": (16, ("-F", "16", "-s", "2")),
    "small FAT16": (3, ("-F", "16", "-s", "1")),
    "FAT16 with one table": (12, ("-F", "16", "-s", "4", "-f", "1")),
    "FAT32": (36, ("-F", "32", "-s", "1")),
    "FAT16 with sectors of 1 KiB": (16, ("-F", "16", "-S", "1024", "-s", "1")),
}
NAMES = (
    "plain.txt", "UPPER.TXT", "Mixed.Case", "a long name with blanks and dots...txt", "größe ☃.txt", "日本語.efi",
    "noextension", "l" * 13, "m" * 26, "n" * 200, "UPPER.low", "low.UPPER", "empty",
)  # fmt: skip


def tree(root: Path) -> Path:
    chance = random.Random(1)
    root.mkdir()
    (root / "EFI/BOOT").mkdir(parents=True)
    (root / "EFI/Linux").mkdir()
    for name in NAMES:
        (root / name).write_bytes(b"" if name == "empty" else name.encode())
    (root / "EFI/BOOT/BOOTX64.EFI").write_bytes(chance.randbytes(70_001))
    # More names than fit into one cluster of a directory.
    for number in range(60):
        (root / f"EFI/Linux/kernel-{number}-of-a-rather-long-version.efi").write_bytes(b"x" * number)
    for number, path in enumerate(sorted(root.rglob("*"))):
        os.utime(path, (EPOCH, EPOCH + 86_400 * 37 * number + 2 * number))
    return root


def make(image: Path, shape: str, source: Path | None = None, *options: str) -> Path:
    size, shaped = SHAPES[shape]
    with image.open("wb") as file:
        file.truncate(size << 20)
    run("mkfs.fat", *shaped, "-i", "cafe1234", "-n", "A LABEL", *options, image, environment=_ENVIRONMENT)
    if source is not None:
        mtools("mcopy", image, "-s", "-m", *sorted(source.iterdir()), "::/")
    return image


def mtools(program: str, image: Path, *arguments: str | Path) -> bytes:
    return run(program, "-i", image, *arguments, environment=_ENVIRONMENT)


def paths(image: Path) -> set[str]:
    """All names but the root, as mdir lists them."""
    return {
        line.removeprefix("::/").removesuffix("/")
        for line in mtools("mdir", image, "-b", "-a", "-/", "::/").decode().splitlines()
    }


def clusters(image: Path, path: str) -> list[tuple[int, int]]:
    """The runs (first cluster, number) of a file, as mshowfat lists them."""
    printed = mtools("mshowfat", image, f"::/{path}").decode()
    found = re.findall(r"<(\d+)(?:-(\d+))?>", printed)
    return [(int(first), int(last or first) - int(first) + 1) for first, last in found]
