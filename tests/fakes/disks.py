"""Disk images made by the programs that own the formats, for tests that look into them."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from bench import run

EPOCH = "1700000000"
FIXED = {"SOURCE_DATE_EPOCH": EPOCH, "E2FSPROGS_FAKE_TIME": EPOCH}
SEED = "11111111-2222-4333-8444-555555555555"
MIB = 1 << 20
SECTOR = 512

# Parts of a disk: name and content of each partition.
Parts = Mapping[str, Path]


def ext4(image: Path, tree: Path, *options: str, size: int = 4 * MIB, uuid: str = SEED) -> Path:
    """Make an ext4 that holds TREE, and nothing by chance."""
    with image.open("wb") as file:
        file.truncate(size)
    fixed = ("-U", uuid, "-E", f"hash_seed={SEED},root_owner=0:0", "-N", "128", "-O", "^has_journal")
    run("mke2fs", "-q", "-F", "-t", "ext4", *fixed, *options, "-d", tree, image, environment=FIXED)
    return image


def debugfs(image: Path, *requests: str) -> bytes:
    """Let debugfs change IMAGE, or tell of it."""
    return run("debugfs", "-w", "-f", "-", image, stdin="\n".join(requests).encode(), environment=FIXED)


def fat(image: Path, files: Mapping[str, bytes], size: int = 2 * MIB) -> Path:
    """Make a FAT with FILES, whose names are those of mtools ("::EFI/a")."""
    with image.open("wb") as file:
        file.truncate(size)
    run("mkfs.fat", "-i", "12345678", image, environment=FIXED)
    for directory in sorted({str(parent) for name in files for parent in Path(name).parents} - {"."}):
        run("mmd", "-i", image, f"::{directory}", environment=FIXED)
    for name, content in files.items():
        put(image, name, content)
    return image


def put(image: Path, name: str, content: bytes) -> None:
    """Write CONTENT into a FAT as NAME, over what is there."""
    source = image.with_name("put")
    source.write_bytes(content)
    os.utime(source, (int(EPOCH), int(EPOCH)))
    run("mcopy", "-o", "-m", "-i", image, source, f"::{name}", environment=FIXED)


def gpt(image: Path, parts: Parts, guid: str = SEED, start: int = 2048) -> Path:
    """Make a GPT disk by sfdisk and put PARTS into its partitions, from sector START on one after the other."""
    lines = ["label: gpt", f"label-id: {guid}", "first-lba: 2048"]
    places = []
    for number, (name, content) in enumerate(parts.items(), 1):
        sectors = content.stat().st_size // SECTOR
        identifier = f"{number:08d}-0000-4000-8000-000000000000"
        lines.append(f'start={start}, size={sectors}, type=L, uuid={identifier}, name="{name}"')
        places.append((start * SECTOR, content))
        start += sectors
    with image.open("wb") as file:
        file.truncate(start * SECTOR + MIB)
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", image, stdin="\n".join(lines).encode())
    with image.open("r+b") as file:
        for offset, content in places:
            file.seek(offset)
            file.write(content.read_bytes())
    return image


def cpio(archive: Path, tree: Path, *names: str) -> Path:
    """Pack NAMES of TREE as an initrd is packed."""
    options = ("--create", "--null", "--format=newc", "--reproducible", "--quiet", "--owner=0:0")
    archive.write_bytes(run("cpio", *options, stdin="".join(f"{name}\0" for name in names).encode(), cwd=tree))
    return archive


def zstd(source: Path) -> Path:
    target = source.with_name(f"{source.name}.zst")
    run("zstd", "--quiet", "--force", source, "-o", target)
    return target


def uki(program: Path, initrd: Path) -> Path:
    """Link a program for EFI and give it INITRD as a section, as a unified kernel image has it."""
    if "i386pep" not in run("ld", "-V").decode():
        pytest.skip("ld does not link PE files")
    work = program.with_name(f"{program.name}.parts")
    work.mkdir()
    run("as", "-o", work / "a.o", "-", stdin=b".text\n.globl _start\n_start: ret\n")
    run("ld", "-m", "i386pep", "-e", "_start", "--no-insert-timestamp", "-o", work / "stub", work / "a.o")
    flags = ("--set-section-flags", ".initrd=data,readonly,alloc,load", "--change-section-vma", ".initrd=0x150000000")
    run("objcopy", "--add-section", f".initrd={initrd}", *flags, work / "stub", work / "uki", environment=FIXED)
    shutil.move(work / "uki", program)
    return program


def dumped(image: Path, target: Path) -> Path:
    """What debugfs takes out of an ext4."""
    target.mkdir()
    run("debugfs", "-R", f"rdump / {target}", image)
    return target
