"""For the tests of XFS: file systems made by mkfs.xfs, and what xfs_db says of them."""

import os
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import contained
import extended
from bench import run

UUID = "11111111-2222-4333-8444-555555555555"
MIB = 1 << 20
# mkfs.xfs makes nothing below 300 MiB unless its own tests ask for it.
_SMALL = {"TEST_DIR": "1", "TEST_DEV": "1", "QA_CHECK_FS": "1", "TZ": "UTC"}
_FIXED = {"SOURCE_DATE_EPOCH": "1700000000", "DETERMINISTIC_SEED": "1"}


@dataclass(kw_only=True)
class Stat:
    """One inode as xfs_db prints it; `blocks` are the extents (start, block, count, unwritten) of its data."""

    values: dict[str, str]
    blocks: list[tuple[int, int, int, bool]] = field(default_factory=list)

    def number(self, name: str) -> int:
        return int(self.values[name].split()[0], 0)

    def time(self, name: str) -> int:
        printed = datetime.strptime(self.values[f"core.{name}.sec"], "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
        return int(printed.timestamp()) * 10**9 + self.number(f"core.{name}.nsec")


def tree(root: Path) -> Path:
    """A tree with one of every kind that mkfs.xfs copies from a directory."""
    extended.tree(root)
    with (root / "holes").open("wb") as file:
        for number in range(300):
            file.seek(number * 3 * 4096)
            file.write(b"%04d" % number * 1024)
    os.mkfifo(root / "pipe")
    return root


def make(image: Path, *options: str, source: Path | None = None, size: int = 48 * MIB, fixed: bool = True) -> Path:
    """Make a file system, with a copy of SOURCE by a release that can do so."""
    with image.open("wb") as file:
        file.truncate(size)
    identity = ("-m", f"uuid={UUID}") if fixed else ()
    if source is None:
        run("mkfs.xfs", "-q", "-f", *options, *identity, image, environment=_SMALL)
    else:
        arguments = ("-q", "-f", *options, *identity, "-p", source, image)
        environment = _SMALL | (_FIXED if fixed else {})
        contained.run("mkfs.xfs", *arguments, shared=image.parent, environment=environment)
    return image


def proto(directory: Path, count: int, link: int = 300) -> tuple[Path, dict[str, bytes]]:
    """A prototype for any release, and the contents of its files: one directory of COUNT names, links and devices.

    LINK is the length of a target; older releases forget the header of those that need a block of their own.
    """
    chance = random.Random(1)
    (directory / "parts").mkdir()
    contents = {"big": chance.randbytes(300_000), "small": b"s", "empty": b"", "exact": b"e" * 8192}
    lines = ["/dev/null", "0 0", "d--755 3 4"]
    for name, content in contents.items():
        (directory / "parts" / name).write_bytes(content)
        lines.append(f"{name} -u-711 1000 70000 {directory / 'parts' / name}")
    lines += ["tty c--620 0 5 4 64", "disk b--660 0 6 250 255", "pipe p--600 0 0", "near l--777 0 0 small"]
    lines += [f"far l--777 0 0 {'f' * link}", "below d--700 1 2", "deeper d--711 1 2", "$", "$"]
    lines.append("many d--755 0 0")
    lines += [f"{number:05}{'n' * (number % 90)} ---644 0 0 /dev/null" for number in range(count)]
    lines += ["$", "$", ""]
    path = directory / "proto"
    path.write_text("\n".join(lines))
    return path, contents


def ask(image: Path, *commands: str) -> str:
    given = [part for command in commands for part in ("-c", command)]
    return run("xfs_db", "-r", *given, image, environment={"TZ": "UTC"}).decode(errors="surrogateescape")


def change(image: Path, *commands: str) -> None:
    """Let xfs_db change a file system, checksums included."""
    run("xfs_db", "-x", *(part for command in commands for part in ("-c", command)), image)


def superblock(image: Path) -> dict[str, str]:
    return _values(ask(image, "sb 0", "print"))


def stats(image: Path, inodes: Iterable[int]) -> Mapping[int, Stat]:
    wanted = sorted(set(inodes))
    commands = [part for inode in wanted for part in (f"inode {inode}", "print", "bmap -d")]
    parts = re.split(r"^(?=core\.magic)", ask(image, *commands), flags=re.MULTILINE)[1:]
    return {inode: _stat(part) for inode, part in zip(wanted, parts, strict=True)}


def offset(image: Path, block: int) -> int:
    """The byte of a file system block."""
    printed = ask(image, f"convert fsblock {block} daddr")
    return int(re.search(r"\((\d+)\)", printed)[1]) * 512  # type: ignore[index]


def _stat(printed: str) -> Stat:
    blocks = re.findall(r"^data offset (\d+) startblock (\d+) \(.*?\) count (\d+) flag (\d)", printed, re.MULTILINE)
    return Stat(
        values=_values(printed),
        blocks=[(int(start), int(block), int(count), flag == "1") for start, block, count, flag in blocks],
    )


def _values(printed: str) -> dict[str, str]:
    return dict(re.findall(r"^(\S+) = (.*)$", printed, re.MULTILINE))
