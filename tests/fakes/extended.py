"""For the tests of ext2, ext3 and ext4: file systems made by mke2fs and debugfs, and what debugfs says of them."""

import os
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench import run

EPOCH = "1700000000"
_ENVIRONMENT = {"E2FSPROGS_FAKE_TIME": EPOCH, "SOURCE_DATE_EPOCH": EPOCH, "TZ": "UTC"}
_NAMES = {"atime": "accessed", "ctime": "changed", "crtime": "created"}
_TYPES = {
    "regular": "file", "directory": "directory", "symlink": "symlink", "character special": "character device",
    "block special": "block device", "FIFO": "fifo", "socket": "socket",
}  # fmt: skip


@dataclass(kw_only=True)
class Stat:
    """One inode as debugfs prints it; `blocks` maps logical blocks to physical ones, `maps` are blocks of the map."""

    kind: str
    mode: int
    flags: int
    uid: int
    gid: int
    size: int
    links: int
    mtime_ns: int
    times: Mapping[str, int]
    target: str | None = None
    device: tuple[int, int] | None = None
    blocks: dict[int, int] = field(default_factory=dict)
    maps: list[int] = field(default_factory=list)


def tree(root: Path) -> Path:
    """A directory tree with one of every kind that needs neither root nor extended attributes of the host."""
    chance = random.Random(1)
    root.mkdir()
    (root / "etc").mkdir(mode=0o750)
    (root / "etc/empty").touch()
    (root / "etc/hostname").write_text("host\n")
    (root / "etc/hostname").chmod(0o4711)
    (root / "etc/sixty").write_bytes(b"x" * 60)
    (root / "etc/inline").write_bytes(b"0123456789" * 9)
    (root / "big").write_bytes(chance.randbytes(400_001))
    (root / "same").hardlink_to(root / "big")
    (root / "short").symlink_to("etc/hostname")
    for length in (59, 60, 61, 900):
        (root / f"link{length}").symlink_to("a" * length)
    with (root / "sparse").open("wb") as file:
        # It ends with bytes, and with a block: mke2fs 1.47.0 gets the size of other ones wrong with inline data.
        for offset, text in ((70_000, b"first"), (489 * 4096 - 6, b"second")):
            file.seek(offset)
            file.write(text)
    (root / "hole").touch()
    os.truncate(root / "hole", 100_000)
    (root / "many").mkdir()
    for number in range(120):
        (root / f"many/{number:03}-{'n' * (number % 100)}").touch()
    for name in ("größe ☃".encode(), b"\xff\xfenot UTF-8", b"new\nline", b" blank ", b"L" * 255, b"back\\slash"):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(name)
    (root / "deep/er/and/er").mkdir(parents=True)
    (root / "deep/er/and/er/file").write_text("deep\n")
    return root


def make(image: Path, *options: str, source: Path | None = None, size: int = 8 << 20) -> Path:
    with image.open("wb") as file:
        file.truncate(size)
    directory = ("-d", str(source)) if source else ()
    run("mke2fs", "-q", "-F", *options, *directory, image, environment=_ENVIRONMENT)
    return image


def change(image: Path, *commands: str) -> None:
    """Let debugfs change a file system."""
    run("debugfs", "-w", "-f", "-", image, stdin="".join(f"{command}\n" for command in commands).encode())


def ask(image: Path, command: str) -> str:
    return run("debugfs", "-R", command, image, environment=_ENVIRONMENT).decode(errors="surrogateescape")


def stats(image: Path, inodes: Iterable[int]) -> Mapping[int, Stat]:
    script = "".join(f"stat <{inode}>\n" for inode in sorted(set(inodes)))
    printed = run("debugfs", "-f", "-", image, stdin=script.encode(), environment=_ENVIRONMENT)
    parts = re.split(r"^debugfs: stat <(\d+)>\n", printed.decode(errors="surrogateescape"), flags=re.MULTILINE)
    return {int(inode): _stat(part) for inode, part in zip(parts[1::2], parts[2::2], strict=True)}


def groups(image: Path) -> Mapping[str, set[int]]:
    """The blocks of each kind, and the free ones, as dumpe2fs lists them."""
    printed = run("dumpe2fs", image).decode()
    kinds = {
        "superblock": r"(?:Primary|Backup) superblock at (\d+)",
        "group descriptors": r"Group descriptors? at (\d+)(?:-(\d+))?",
        "reserved": r"Reserved GDT blocks at (\d+)-(\d+)",
        "block bitmap": r"Block bitmap at (\d+)",
        "inode bitmap": r"Inode bitmap at (\d+)",
        "inode table": r"Inode table at (\d+)-(\d+)",
    }
    found = {kind: _ranges(re.findall(pattern, printed)) for kind, pattern in kinds.items()}
    free = ", ".join(re.findall(r"^  Free blocks: (.+)$", printed, flags=re.MULTILINE))
    return found | {"free": _ranges(re.findall(r"(\d+)(?:-(\d+))?", free))}


def _ranges(matches: Iterable[str | tuple[str, str]]) -> set[int]:
    pairs = [(match, "") if isinstance(match, str) else match for match in matches]
    return {block for first, last in pairs for block in range(int(first), int(last or first) + 1)}


def _moment(seconds: int, extra: int) -> int:
    return (seconds - ((seconds >> 31) << 32) + ((extra & 3) << 32)) * 10**9 + (extra >> 2)


def _stat(printed: str) -> Stat:
    def number(pattern: str, base: int = 10) -> int:
        match = re.search(pattern, printed)
        assert match is not None, printed
        return int(match[1], base)

    kind = re.search(r"Type: (.+?) +Mode:", printed)
    assert kind is not None, printed
    moments = {
        name: _moment(int(seconds, 16), int(extra or "0", 16))
        for name, seconds, extra in re.findall(
            r"^ *(mtime|atime|ctime|crtime): 0x([0-9a-f]{8})(?::([0-9a-f]{8}))?", printed, flags=re.MULTILINE
        )
    }
    found = Stat(
        kind=_TYPES[kind[1]],
        mode=number(r"Mode: +(\d+)", 8),
        flags=number(r"Flags: 0x([0-9a-f]+)", 16),
        uid=number(r"User: +(-?\d+)") % (1 << 32),
        gid=number(r"Group: +(-?\d+)") % (1 << 32),
        size=number(r"Size: (\d+)"),
        links=number(r"Links: (\d+)"),
        mtime_ns=moments["mtime"],
        times={_NAMES[name]: moment for name, moment in moments.items() if name in _NAMES},
    )
    if (fast := re.search(r'Fast link dest: "(.*)"', printed)) is not None:
        found.target = fast[1]
    if (device := re.search(r"Device major/minor number: (\d+):(\d+)", printed)) is not None:
        found.device = int(device[1]), int(device[2])
    for name, last, start, end in re.findall(r"\(([A-Z0-9]+)(?:-(\d+))?(?:\[u\])?\):(\d+)(?:-(\d+))?", printed):
        blocks = range(int(start), int(end or start) + 1)
        if name.isdigit():
            assert len(blocks) == int(last or name) - int(name) + 1
            found.blocks.update(zip(range(int(name), int(name) + len(blocks)), blocks, strict=True))
        else:
            found.maps.extend(blocks)
    return found
