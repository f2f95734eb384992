"""For the tests of archives: a tree of every kind of file that needs no rights, and the nodes that do."""

import os
import random
from pathlib import Path

import pytest
from bench import run

EPOCH = 1_700_000_000
NANOSECONDS = 123_456_789


def tree(root: Path) -> Path:
    chance = random.Random(1)
    (root / "etc/conf.d").mkdir(parents=True)
    (root / "etc/conf.d").chmod(0o2750)
    (root / "etc/hostname").write_text("host\n")
    (root / "etc/hostname").chmod(0o4711)
    (root / "etc/empty").touch()
    (root / "etc/also").hardlink_to(root / "etc/hostname")
    (root / "link").symlink_to("etc/hostname")
    (root / "same").hardlink_to(root / "link")
    (root / "long link").symlink_to("/".join(["t" * 99] * 3))
    (root / "big").write_bytes(chance.randbytes(70_001))
    os.mkfifo(root / "pipe")
    for name in ("größe ☃".encode(), b"\xff\xfenot UTF-8", b"L" * 200, b"back\\slash"):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(name)
    (root / ("d" * 150) / ("e" * 150)).mkdir(parents=True)
    (root / ("d" * 150) / ("e" * 150) / "file").write_text("deep\n")
    with (root / "sparse").open("wb") as file:
        for number in range(40):
            file.seek(number * 40_960)
            file.write(bytes([number + 1]) * 4096)
        file.truncate(2_000_000)
    (root / "hole").touch()
    os.truncate(root / "hole", 100_000)
    for number, path in enumerate(sorted(root.rglob("*"))):
        os.utime(path, ns=(0, (EPOCH + number) * 10**9 + NANOSECONDS), follow_symlinks=False)
    return root


def nodes(root: Path) -> Path:
    """Device nodes, which only root can make, and not in every container."""
    try:
        os.mknod(root / "tty", 0o20620, os.makedev(4, 64))
        os.mknod(root / "disk", 0o60660, os.makedev(8, 1))
    except PermissionError:
        pytest.skip("device nodes may not be made here")
    return root


def names(root: Path) -> bytes:
    """What cpio reads: all names below ROOT in order, each ended by a zero byte."""
    return b"".join(os.fsencode(path.relative_to(root)) + b"\0" for path in sorted(root.rglob("*")))


def cpio(root: Path, form: str, *options: str) -> bytes:
    return run("cpio", "--quiet", "-0", "-o", "-H", form, *options, stdin=names(root), cwd=root)
