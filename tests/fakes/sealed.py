"""For the tests of EROFS: images made by mkfs.erofs, and what dump.erofs and fsck.erofs say of them."""

import os
import random
import re
from dataclasses import dataclass
from pathlib import Path

from bench import run

UUID = "11111111-2222-4333-8444-555555555555"


@dataclass(frozen=True, kw_only=True)
class Stat:
    """What `dump.erofs --path` says of one name."""

    nid: int
    size: int
    links: int
    mode: int
    uid: int
    gid: int
    extents: tuple[tuple[int, int, int, int], ...]


def make(image: Path, source: Path, *options: str, uuid: str = UUID) -> Path:
    image.unlink(missing_ok=True)
    run("mkfs.erofs", "--quiet", f"-U{uuid}", *options, image, source)
    return image


def unpacked(image: Path, target: Path) -> Path:
    """Let fsck.erofs check and extract everything."""
    run("fsck.erofs", f"--extract={target}", image)
    return target


def stat(image: Path, path: str) -> Stat:
    printed = run("dump.erofs", f"--path=/{path}", "-e", image).decode()

    def number(pattern: str, base: int = 10) -> int:
        match = re.search(pattern, printed)
        assert match is not None, printed
        return int(match[1], base)

    extents = re.findall(r"^ *\d+: +(\d+)\.\. *(\d+) +\| +\d+ : +(\d+)\.\. *(\d+)", printed, re.MULTILINE)
    return Stat(
        nid=number(r"NID: (\d+)"),
        size=number(r"Size: (\d+)"),
        links=number(r"Links: (\d+)"),
        mode=number(r"Access: (\d+)", 8),
        uid=number(r"Uid: (\d+)"),
        gid=number(r"Gid: (\d+)"),
        extents=tuple((int(low), int(high), int(start), int(end)) for low, high, start, end in extents),
    )


def superblock(image: Path) -> dict[str, str]:
    printed = run("dump.erofs", "-s", image).decode()
    return dict(re.findall(r"^(Filesystem [^:]+?): +(.*?) *$", printed, re.MULTILINE))


# What the fixtures hold, which a later mkfs.erofs than most have at hand made; see tests/fixtures/erofs/make.py.
MTIME = 1_700_000_000
ATTRIBUTES = {
    "text": (("user.long.name.one", b"1"), ("user.short", b"x" * 40)),
    "many/000": (("user.long.name.one", b"1"),),
    "many/001": (("user.long.name.one", b"1"), ("user.long.name.two", b"")),
}
LINKS = {"links/short": "../text", "links/long": "a" * 900}
SAME = ("same", "text")
MODES = {"many/002": 0o600, "text": 0o4755, "deep": 0o700}


def members() -> dict[str, bytes]:
    """The files of the fixtures."""
    text = b"".join(b"line %d of a file, squared %d\n" % (number, number * number) for number in range(2500))
    noise = random.Random(1).randbytes(9000)
    return {
        "text": text,
        "again": text[:60_000] + noise,
        "shifted": b"begin\n" + text[1000:50_000],
        "noise": noise,
        "empty": b"",
        "sparse": bytes(300_000) + b"middle" + bytes(200_000),
        "deep/er/and/er/file": b"deep\n",
        "größe ☃": b"name",
        "L" * 255: b"long",
        **{f"many/{number:03}": b"small file %d\n" % number * (number % 30) for number in range(80)},
    }


def tree(root: Path) -> Path:
    """Write the members, with links and attributes, all of one time."""
    for name, content in members().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
        (root / name).chmod(0o644)
    (root / SAME[0]).hardlink_to(root / SAME[1])
    (root / "links").mkdir()
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    for path in (path for path in root.rglob("*") if not path.is_symlink() and path.is_dir()):
        path.chmod(0o755)
    for name, attributes in ATTRIBUTES.items():
        for attribute, value in attributes:
            os.setxattr(root / name, attribute, value)
    for name, mode in MODES.items():
        (root / name).chmod(mode)
    return root
