"""What an image is, told by its bytes alone, against the programs that made it and file(1)."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints

import allocated
import archived
import balanced
import discs
import extended
import grouped
import packaged
import pytest
import sealed
import spun
import squashed
from bench import run
from specimens import budget, cuts, loaded, make_sense, opened
from virtual import converted

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Kind
from ci_toolkit.images.format import Format
from ci_toolkit.images.limits import Budget
from ci_toolkit.images.read import COMPRESSIONS, FORMATS, describe, identify


def disk(path: Path, script: str) -> Path:
    with path.open("wb") as file:
        file.truncate(2 << 20)
    run("sfdisk", "--quiet", path, stdin=script.encode())
    return path


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def tree(root: Path) -> Path:
    root.mkdir()
    (root / "file").write_text("content")
    return root


def library(path: Path, member: Path) -> Path:
    run("ar", "rc", path, member)
    return path


def container(layout: Path) -> Path:
    packaged.layout(layout, [packaged.layer(tree(layout.with_name("tree")), ".")])
    return written(
        layout.with_name("a"), run("tar", "-c", "--sort=name", "-C", layout, "blobs", "index.json", "oci-layout")
    )


def object_file(directory: Path) -> Path:
    run("as", "--64", "-o", directory / "a.o", "-", stdin=b".globl _start\n_start: ret\n.data\n.long 1\n")
    return directory / "a.o"


def byte_code(directory: Path) -> Path:
    written(directory / "a.py", b"print('content')\n")
    compile_it = "import py_compile, sys; py_compile.compile(sys.argv[1], sys.argv[2])"
    run(sys.executable, "-c", compile_it, directory / "a.py", directory / "a.pyc")
    return directory / "a.pyc"


def database(directory: Path) -> Path:
    run("sqlite3", directory / "a.db", "CREATE TABLE t (a)")
    return directory / "a.db"


def caches(root: Path) -> Path:
    (root / "etc").mkdir()
    (root / "var/cache/ldconfig").mkdir(parents=True)
    (root / "etc/ld.so.conf").touch()
    run("ldconfig", "-r", root)
    return root


def hardware(root: Path) -> Path:
    (root / "etc/udev/hwdb.d").mkdir(parents=True)
    written(root / "etc/udev/hwdb.d/a.hwdb", b"usb:*\n ID_MODEL=a\n")
    run("systemd-hwdb", f"--root={root}", "update")
    return root / "etc/udev/hwdb.bin"


def catalog(root: Path) -> Path:
    for directory in ("usr/lib/systemd/catalog", "var/lib/systemd/catalog"):
        (root / directory).mkdir(parents=True)
    written(root / "usr/lib/systemd/catalog/a.catalog", b"-- " + b"1" * 32 + b"\nSubject: a\n\ntext\n")
    run("journalctl", f"--root={root}", "--update-catalog")
    return root / "var/lib/systemd/catalog/database"


def executable(directory: Path) -> Path:
    run("as", "-o", directory / "a.o", "-", stdin=b".globl _start\n_start: ret\n.data\n.long 1\n")
    if "i386pep" not in run("ld", "-V").decode():
        pytest.skip("ld does not link PE files")
    run("ld", "-m", "i386pep", "-e", "_start", "-o", directory / "a.efi", directory / "a.o")
    return directory / "a.efi"


def virtual(here: Path, form: str) -> Path:
    (here / "raw").write_bytes(b"x" * 70_000 + bytes(10_000))
    return converted(here / "raw", here / "image", form)


def sized(image: Path, *program: str | Path, stdin: bytes = b"", size: int = 3 << 20) -> Path:
    """Run a program on a file of SIZE zeros."""
    with image.open("wb") as file:
        file.truncate(size)
    image.chmod(0o600)
    run(*program, image, stdin=stdin)
    return image


def encrypted(here: Path, version: str = "luks1") -> Path:
    quick = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--batch-mode", "--key-file", "-")
    # The second version has 16 MiB of headers.
    image = sized(here / "image", "truncate", "--size=20M")
    run("cryptsetup", "luksFormat", "--type", version, *quick, image, stdin=b"secret")
    return image


def hashes(here: Path) -> Path:
    data = written(here / "data", b"x" * (1 << 20))
    return sized(here / "image", "veritysetup", "format", data)


# For each format: how it is made, and a word of what file(1) calls it.
MAKERS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "qcow2": (lambda here: virtual(here, "qcow2"), "QEMU QCOW2 Image|QEMU QCOW Image (v3)"),
    "vmdk": (lambda here: virtual(here, "vmdk"), "VMware4 disk image"),
    "vdi": (lambda here: virtual(here, "vdi"), "VirtualBox Disk Image"),
    "vhd": (lambda here: virtual(here, "vpc"), "Microsoft Disk Image"),
    "vhdx": (lambda here: virtual(here, "vhdx"), "Microsoft Disk Image eXtended"),
    "gpt": (lambda here: disk(here / "disk", "label: gpt\nsize=100, name=a\n"), "EFI-GPT|GPT partition table|ID=0xee"),
    "mbr": (lambda here: disk(here / "disk", "label: dos\nsize=100\n"), "DOS/MBR boot sector"),
    "ext4": (
        lambda here: extended.make(here / "image", "-t", "ext4", source=tree(here / "tree"), size=4 << 20),
        "ext4",
    ),
    "erofs": (lambda here: sealed.make(here / "image", tree(here / "tree")), "EROFS filesystem"),
    "squashfs": (lambda here: squashed.make(here / "image", tree(here / "tree")), "Squashfs filesystem"),
    "iso9660": (
        lambda here: discs.make("xorriso", here / "image", tree(here / "tree"), "-R"),
        "ISO 9660 CD-ROM filesystem",
    ),
    "btrfs": (lambda here: balanced.make(here / "image", source=tree(here / "tree")), "BTRFS Filesystem"),
    "xfs": (lambda here: grouped.make(here / "image"), "SGI XFS filesystem"),
    "f2fs": (lambda here: sized(here / "image", "mkfs.f2fs", "-q", size=64 << 20), "F2FS filesystem"),
    "vfat": (lambda here: allocated.make(here / "image", "FAT12", tree(here / "tree")), "FAT (12 bit)"),
    "swap": (lambda here: sized(here / "image", "mkswap"), "Linux swap file|Linux/i386 swap"),
    "luks": (encrypted, "LUKS encrypted file"),
    # file(1) knows neither.
    "verity": (hashes, "data"),
    "verity-signature": (
        lambda here: written(here / "a", b'{"rootHash":"ab","signature":"MII"}\0\0'),
        "data|ASCII text|JSON",
    ),
    "pe": (executable, "PE32+"),
    "elf": (object_file, "ELF 64-bit"),
    "pyc": (byte_code, "Byte-compiled Python module|python 3"),
    "sqlite": (database, "SQLite 3"),
    "ld.so.cache": (lambda here: caches(here) / "etc/ld.so.cache", "data"),
    "aux-cache": (lambda here: caches(here) / "var/cache/ldconfig/aux-cache", "data"),
    "hwdb": (hardware, "data"),
    "catalog": (catalog, "data"),
    "oci": (lambda here: container(here / "layout"), "tar archive"),
    "tar": (lambda here: written(here / "a", run("tar", "-c", "-C", tree(here / "tree"), ".")), "tar archive"),
    "cpio": (lambda here: written(here / "a", archived.cpio(tree(here / "tree"), "newc")), "cpio archive"),
    "ar": (lambda here: library(here / "a.a", written(here / "file", b"content")), "ar archive"),
    "rpm": (lambda here: spun.build(here), "RPM v3.0 bin"),
    "zip": (lambda here: written(here / "a", run("zip", "-q", "-", "-", stdin=b"x" * 99)), "Zip archive"),
    "zstd": (lambda here: written(here / "a", run("zstd", "-c", stdin=b"x" * 99)), "Zstandard"),
    "lzma": (lambda here: written(here / "a", run("xz", "-Flzma", "-c", stdin=b"x" * 99)), "LZMA compressed"),
    "lz4": (lambda here: written(here / "a", run("lz4", "-c", stdin=b"x" * 99)), "LZ4 compressed"),
    "xz": (lambda here: written(here / "a", run("xz", "-c", stdin=b"x" * 99)), "XZ compressed"),
    "gzip": (lambda here: written(here / "a", run("gzip", "-c", stdin=b"x" * 99)), "gzip compressed"),
    "bzip2": (lambda here: written(here / "a", run("bzip2", "-c", stdin=b"x" * 99)), "bzip2 compressed"),
}


def fixed(here: Path) -> Path:
    """A disk that nothing but its footer tells from a raw one."""
    (here / "raw").write_bytes(b"x" * 70_000 + bytes(10_000))
    return converted(here / "raw", here / "image", "vpc", "subformat=fixed,force_size=on")


def flat(here: Path) -> Path:
    """A text that names the file with the content."""
    (here / "raw").write_bytes(b"x" * 65_536)
    return converted(here / "raw", here / "image.vmdk", "vmdk", "subformat=monolithicFlat")


def script(here: Path) -> Path:
    """A program whose archive follows it."""
    return written(here / "a", b"#!/bin/sh\nexit\n" + run("zip", "-q", "-", "-", stdin=b"x" * 99))


def sectors(here: Path) -> Path:
    """A disk with sectors of 4 KiB, and no MBR before its table."""
    image = sized(here / "disk", "fdisk", "--sector-size=4096", stdin=b"g\nw\n")
    return written(image, bytes(512) + image.read_bytes()[512:])


def backup(here: Path) -> Path:
    """A disk whose first table is lost."""
    whole = disk(here / "disk", "label: gpt\nsize=100, name=a\n").read_bytes()
    return written(here / "disk", whole[:512] + bytes(33 * 512) + whole[34 * 512 :])


# Formats have several forms, which begin otherwise.
OTHER_FORMS: dict[str, Callable[[Path], Path]] = {
    "cpio, old": lambda here: written(here / "a", archived.cpio(tree(here / "tree"), "odc")),
    "cpio, binary": lambda here: written(here / "a", archived.cpio(tree(here / "tree"), "bin")),
    "cpio, with checksums": lambda here: written(here / "a", archived.cpio(tree(here / "tree"), "crc")),
    "gpt, of 4 KiB sectors": sectors,
    "gpt, its backup alone": backup,
    "luks, version 2": lambda here: encrypted(here, "luks2"),
    "lz4, legacy": lambda here: written(here / "a", run("lz4", "-l", "-c", stdin=b"x" * 99)),
    "swap, of large pages": lambda here: sized(here / "image", "mkswap", "--pagesize", "65536"),
    "tar, without a signature": lambda here: written(
        here / "a", run("tar", "-c", "--format=v7", "-C", tree(here / "tree"), ".")
    ),
    "vhd, fixed": fixed,
    "vmdk, a text": flat,
    "zip, behind a script": script,
    "zstd, skippable": lambda here: written(here / "a", run("pzstd", "-q", "-c", stdin=b"x" * 99)),
}


def test_every_format_has_an_example() -> None:
    assert set(MAKERS) == {known.name for known in FORMATS}
    assert {name for name in MAKERS if name in COMPRESSIONS} == COMPRESSIONS


@pytest.mark.parametrize("name", MAKERS)
def test_a_format_is_told_and_read(tmp_path: Path, name: str) -> None:
    make, _ = MAKERS[name]
    data = opened(make(tmp_path))
    known = identify(data)
    assert known is not None
    assert describe(data) == known.name == name
    container = known.read(data, budget())
    make_sense(container)
    assert container.format == name
    assert container.entries or container.regions


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_other_forms_of_a_format_are_told(tmp_path: Path, form: str) -> None:
    assert describe(opened(OTHER_FORMS[form](tmp_path))) == form.partition(",")[0]


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_what_tells_and_opens_a_format_is_there(known: Format) -> None:
    module = known.load()
    recogniser, reader = (get_type_hints(getattr(module, name)) for name in (known.recogniser, known.reader))
    assert recogniser == {"data": Data, "return": bool}
    assert reader.pop("return") is Container
    assert list(reader.values())[:2] == [Data, Budget]


@pytest.mark.parametrize("name", MAKERS)
def test_file_calls_it_the_same(tmp_path: Path, name: str) -> None:
    make, words = MAKERS[name]
    printed = run("file", "--brief", "--keep-going", make(tmp_path)).decode()
    assert any(word in printed for word in words.split("|"))


@pytest.mark.parametrize("name", MAKERS)
def test_the_beginning_of_anything_can_be_described(tmp_path: Path, name: str) -> None:
    make, _ = MAKERS[name]
    whole = make(tmp_path).read_bytes()
    for cut in cuts(whole, 20):
        assert describe(loaded(cut)) in {*MAKERS, "empty", "text", "data"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"text\n", "text"),
        ("größe\n".encode(), "text"),
        ("größe\n".encode("latin-1"), "data"),
        (b"text with a \0 in it", "data"),
        (b"x" * 65535 + "ö".encode(), "text"),
        (b"x" * 65535 + b"\xff" + b"x", "data"),
        (b"\xc3", "data"),
    ],
)
def test_what_is_no_container_is_text_or_data(content: bytes, expected: str) -> None:
    data = loaded(content)
    assert identify(data) is None
    assert describe(data) == expected


def test_a_disk_is_read_down_to_the_files_of_its_partitions(tmp_path: Path) -> None:
    """A partition of a disk, a file system in it, a stream in that, an archive in that."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/deep").write_text("the content")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/archive.tar.zst").write_bytes(
        run("zstd", "-c", stdin=run("tar", "-c", "-C", tmp_path / "inner", "deep"))
    )
    system = extended.make(tmp_path / "system", "-t", "ext4", source=tmp_path / "root", size=4 << 20)
    image = tmp_path / "disk"
    image.write_bytes(bytes(2048 * 512) + system.read_bytes() + bytes(3 << 20))
    run("sfdisk", "--quiet", "--wipe=never", image, stdin=b"label: gpt\nstart=2048, size=8192, name=root\n")

    def inside(data: Data, *paths: str) -> bytes:
        known = identify(data)
        if not paths:
            return data.read_at(0, data.size)
        assert known is not None
        container: Container = known.read(data, budget())
        (entry,) = [entry for entry in container.entries if entry.path == paths[0]]
        assert entry.data is not None
        return inside(entry.data, *paths[1:])

    assert inside(opened(image), "1:root", "archive.tar.zst", "", "deep") == b"the content"


def test_a_file_system_inside_a_partition_counts_places_from_its_own_start(tmp_path: Path) -> None:
    system = extended.make(tmp_path / "system", "-t", "ext4", source=tree(tmp_path / "tree"), size=2 << 20)
    vfat = allocated.make(tmp_path / "vfat", "FAT12", tmp_path / "tree")
    for path in (system, vfat):
        alone = opened(path)
        shifted = loaded(bytes(4096) + path.read_bytes()).window(4096, alone.size)
        known = identify(alone)
        assert known is not None
        one, other = known.read(alone, budget()), known.read(shifted, budget())
        assert [entry.record for entry in one.entries] == [entry.record for entry in other.entries]
        assert one.facts == other.facts
        files = [[entry.data.read_at(0, 99) for entry in side.entries if entry.data and entry.kind is Kind.FILE]
                 for side in (one, other)]  # fmt: skip
        assert files[0] == files[1]
        assert b"content" in files[0]


def test_a_cut_container_inside_is_refused_not_misread(tmp_path: Path) -> None:
    make, _ = MAKERS["gzip"]
    data = opened(make(tmp_path))
    known = identify(data)
    assert known is not None
    with pytest.raises(UnreadableError, match="cut"):
        known.read(data.window(0, data.size - 3), budget())
