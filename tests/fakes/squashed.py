"""For the tests of squashfs: images made by mksquashfs, and what unsquashfs says of them."""

import re
from dataclasses import dataclass
from pathlib import Path

from bench import run

EPOCH = "1700000000"
_KINDS = {
    "-": "file", "d": "directory", "l": "symlink", "c": "character device", "b": "block device", "p": "fifo",
    "s": "socket",
}  # fmt: skip
_LINE = re.compile(
    rb"^([-dlcbps])([-rwxsStT]{9}) (\d+)/(\d+) +(?:(\d+)|(\d+), *(\d+)) (\d{4}-\d\d-\d\d \d\d:\d\d) squashfs-root"
    rb"(?:/(.*?))?(?: -> (.*))?$",
    re.MULTILINE,
)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a listing; `size` is that of a file."""

    kind: str
    mode: int
    uid: int
    gid: int
    size: int | None
    device: tuple[int, int] | None
    minute: str
    target: bytes | None


def make(image: Path, source: Path, *options: str, epoch: str = EPOCH) -> Path:
    image.unlink(missing_ok=True)
    run(
        "mksquashfs", source, image, "-quiet", "-no-progress", *options, environment={"SOURCE_DATE_EPOCH": epoch}
    )  # fmt: skip
    return image


def listed(image: Path) -> dict[bytes, Line]:
    """What `unsquashfs -lln` prints of every name; names must have no line ends."""
    printed = run("unsquashfs", "-lln", image, environment={"TZ": "UTC"})
    found = {}
    for kind, mode, uid, gid, size, major, minor, minute, path, target in _LINE.findall(printed):
        found[path] = Line(
            kind=_KINDS[kind.decode()],
            mode=_mode(mode.decode()),
            uid=int(uid),
            gid=int(gid),
            size=int(size) if size else None,
            device=(int(major), int(minor)) if major else None,
            minute=minute.decode(),
            target=target if kind == b"l" else None,
        )
    return found


def _mode(letters: str) -> int:
    mode = 0
    for index, letter in enumerate(letters):
        bit = 0o400 >> index
        if letter in "rwxst":
            mode |= bit
        if letter in "sStT":
            mode |= {2: 0o4000, 5: 0o2000, 8: 0o1000}[index]
    return mode
