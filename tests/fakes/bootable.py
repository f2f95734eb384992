"""A small disk as mkosi builds it: an ESP with a unified kernel image, and a root that a container can run."""

import io
import os
import random
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path

import disks
from bench import PATH, run
from disks import MIB

from ci_toolkit.console import Console
from ci_toolkit.formats.convert import Conversion, convert
from ci_toolkit.formats.table import find

Converted = Callable[[str], Path]

HELLO = "hello from the image"
COMMAND_LINE = "root=PARTUUID=x console=ttyS0"
_ROOT_TYPE = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
_ESP_TYPE = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"


def tree(root: Path) -> Path:
    """The files of a root: one of each kind that needs no privilege, and a static program as its shell."""
    noise = random.Random(3)
    for directory in ("usr/bin", "usr/lib", "etc", "dev", "var/empty"):
        (root / directory).mkdir(parents=True)
    source = root.with_name("hello.c")
    source.write_text(f'#include <stdio.h>\nint main(void) {{ puts("{HELLO}"); return 0; }}\n')
    run("gcc", "-static", "-o", root / "usr/bin/bash", source)
    (root / "bin").symlink_to("usr/bin")
    (root / "usr/lib/os-release").write_text("ID=test\n")
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")
    (root / "usr/lib/noise").write_bytes(noise.randbytes(2 * MIB + 17))
    (root / "usr/lib/text").write_bytes(b"all work and no play\n" * 200_000)
    (root / "usr/lib/again").hardlink_to(root / "usr/lib/noise")
    (root / "etc/empty").touch()
    (root / "etc/secret").write_text("s\n")
    (root / "etc/secret").chmod(0o4640)
    (root / "etc/größe").write_text("x")
    (root / os.fsdecode(b"etc/\xff\xfe")).write_text("not UTF-8")
    long = root / "usr" / ("d" * 90) / ("e" * 90)
    long.mkdir(parents=True)
    (long / ("f" * 90)).symlink_to("g" * 190)
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, (int(disks.EPOCH), int(disks.EPOCH)), follow_symlinks=False)
    return root


def root(image: Path, files: Path) -> Path:
    """An ext4 of FILES, with owners, a device and attributes, by debugfs."""
    disks.ext4(image, files, size=16 * MIB)
    capability = image.with_name("capability")
    capability.write_bytes(struct.pack("<5I", 0x02000000, 1 << 10, 0, 0, 0))  # cap_net_bind_service
    disks.debugfs(
        image,
        "set_inode_field /etc/secret uid 1000",
        "set_inode_field /etc/secret gid 3000000",
        "set_inode_field /etc/empty mtime_extra 0x1d6f3454",
        "ea_set /etc/empty user.note value",
        f"ea_set -f {capability} /usr/bin/bash security.capability",
        "cd /dev",
        "mknod null c 1 3",
        "mknod pipe p",
        "set_inode_field null mode 020644",
        "set_inode_field pipe mode 010644",
    )
    return image


def unified(place: Path, kernel: bytes, initrd: bytes) -> bytes:
    """A unified kernel image, joined by objcopy."""
    parts = {".linux": kernel, ".initrd": initrd, ".cmdline": COMMAND_LINE.encode() + b"\0"}
    for name, content in parts.items():
        (place / name.strip(".")).write_bytes(content)
    program = disks.uki(place / "uki.efi", place / "initrd")
    for number, name in enumerate((".linux", ".cmdline"), 6):
        flags = (
            f"--set-section-flags={name}=data,readonly,alloc,load",
            f"--change-section-vma={name}=0x1{number}0000000",
        )
        run("objcopy", f"--add-section={name}={place / name.strip('.')}", *flags, program, program)
    return program.read_bytes()


def disk(place: Path, name: str = "disk.raw") -> Path:
    """The disk in the directory PLACE; the partitions' types are those of the ESP and of a root of x86-64."""
    if shutil.which("debugfs", path=PATH) is None:
        run("debugfs", "-V")  # skips
    noise = random.Random(4)
    kernel = noise.randbytes(300_000)
    esp = disks.fat(place / "esp", {"EFI/Linux/test.efi": unified(place, kernel, b"initrd" * 9000)}, size=4 * MIB)
    system = root(place / "root", tree(place / "tree"))
    image = disks.gpt(place / name, {"esp": esp, "root": system})
    for number, kind in enumerate((_ESP_TYPE, _ROOT_TYPE), 1):
        run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--part-type", image, str(number), kind)
    return image


def disc(place: Path, disk: Path) -> Path:
    """A disk that is a disc as well, in the directory PLACE, by xorriso; its partitions are those of DISK."""
    files = place / "files"
    files.mkdir(parents=True)
    (files / "README").write_text("a disc\n")
    image = place / disk.name
    partitions = ((_ESP_TYPE, "esp"), (_ROOT_TYPE, "root"))
    appended = [
        word
        for number, (kind, name) in enumerate(partitions, 1)
        for word in ("-append_partition", str(number), kind, str(disk.with_name(name)))
    ]
    boot = ("-e", "--interval:appended_partition_1:all::", "-no-emul-boot")
    run(
        "xorriso",
        "-as",
        "mkisofs",
        "-quiet",
        "-V",
        "DISC",
        "-o",
        image,
        *appended,
        "-appended_part_as_gpt",
        *boot,
        files,
    )
    return image


def later(moment: float) -> None:
    """Wait until a second has passed since MOMENT: times of whole seconds have changed."""
    time.sleep(max(0.0, moment + 1.1 - time.time()))


def to(image: Path, names: str, output: Path, forge: str | None = None) -> Conversion:
    """Convert IMAGE to the formats NAMES."""
    return convert(image, find(names), output, Console(narration=io.StringIO()), forge)
