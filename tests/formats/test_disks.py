"""Virtual disks, opened by qemu-img and by our own readers."""

import struct
from pathlib import Path
from types import ModuleType

import pytest
from bench import run
from bootable import Converted, to
from specimens import budget, content, facts, loaded, make_sense, opened
from truths import sparse
from virtual import MIB, back, told

from ci_toolkit.errors import UnreadableError
from ci_toolkit.formats import vhd as vhd_writer
from ci_toolkit.formats.source import open_disk
from ci_toolkit.images.disks import qcow2, vdi, vhd, vhdx, vmdk

# Name of the format, QEMU's name for it, whether `qemu-img check` knows it, and our reader.
DISKS = [
    ("qcow2", "qcow2", True, qcow2),
    ("vmdk", "vmdk", True, vmdk),
    ("vdi", "vdi", True, vdi),
    ("vhd", "vpc", False, vhd),
    ("vhdx", "vhdx", True, vhdx),
]


@pytest.mark.parametrize(("name", "form", "checked", "reader"), DISKS)
def test_qemu_finds_the_same_disk_and_no_fault(
    disk: Path, converted: Converted, name: str, form: str, checked: bool, reader: ModuleType
) -> None:
    if checked:
        run("qemu-img", "check", "-q", "-f", form, converted(name))
    run("qemu-img", "compare", "-q", "-f", "raw", "-F", form, disk, converted(name))
    assert told(converted(name), form)["virtual-size"] == disk.stat().st_size


@pytest.mark.parametrize(("name", "form", "checked", "reader"), DISKS)
def test_our_reader_finds_the_same_disk(
    disk: Path, converted: Converted, name: str, form: str, checked: bool, reader: ModuleType
) -> None:
    data = opened(converted(name))
    assert reader.recognise(data)
    container = reader.read(data, budget())
    make_sense(container)
    (entry,) = container.entries
    assert content(entry) == disk.read_bytes()
    assert container.skipped == ()


@pytest.mark.parametrize("size", [512, 64 << 10, (1 << 20) + 512, 3 * MIB - 512, 130 * MIB + 1024])
@pytest.mark.parametrize(("name", "form", "checked", "reader"), DISKS)
def test_disks_that_end_within_a_block(
    tmp_path: Path, size: int, name: str, form: str, checked: bool, reader: ModuleType
) -> None:
    """The first sector is an MBR, and the last byte is not zero."""
    entry = struct.pack("<446xB3sB3sII", 0, b"", 0x83, b"", 0 if size == 512 else 1, 1)
    head = (entry if size > 512 else struct.pack("<446xB3sB3sII", 0, b"", 0x83, b"", 1, 0)).ljust(510, b"\0")
    image = sparse(tmp_path / "disk.raw", size, (0, head + b"\x55\xaa"), (size - 1, b"\x55" if size > 512 else b"\xaa"))
    if size == 512:
        with pytest.raises(UnreadableError):
            to(image, name, tmp_path)
        return
    (made,) = to(image, name, tmp_path).results
    if checked:
        run("qemu-img", "check", "-q", "-f", form, made.path)
    assert back(made.path, form) == image.read_bytes()


@pytest.mark.parametrize(("name", "form", "checked", "reader"), DISKS)
def test_a_disk_with_more_than_one_of_each_table(
    tmp_path: Path, name: str, form: str, checked: bool, reader: ModuleType
) -> None:
    """9 GiB have several second tables in a qcow2 and a VMDK, and entries of bitmaps among the blocks of a VHDX."""
    head = struct.pack("<446xB3sB3sII", 0, b"", 0x83, b"", 1, 1).ljust(510, b"\0") + b"\x55\xaa"
    places = [number * 1700 * MIB + 77_824 for number in range(1, 6)]
    image = sparse(tmp_path / "disk.raw", 9 << 30, (0, head), *((place, b"x" * 5120) for place in places))
    (made,) = to(image, name, tmp_path).results
    assert made.size < 32 * MIB
    if checked:
        run("qemu-img", "check", "-q", "-f", form, made.path)
    reads = [f"read -P {ord('x')} {place} 5120" for place in places]
    reads += [f"read -P 0 {place + 5120} 64k" for place in places]
    told = run("qemu-io", "-r", "-f", form, *(word for read in reads for word in ("-c", read)), made.path)
    assert told.count(b"bytes at offset") == len(reads)
    assert b"failed" not in told


def test_a_vmdk_is_of_the_kind_for_streams(converted: Converted) -> None:
    specific = told(converted("vmdk"), "vmdk")["format-specific"]["data"]
    assert specific["create-type"] == "streamOptimized"
    assert specific["parent-cid"] == 0xFFFF_FFFF


def test_a_qcow2_has_clusters_that_zstd_compressed(converted: Converted) -> None:
    assert told(converted("qcow2"), "qcow2")["format-specific"]["data"]["compression-type"] == "zstd"
    checked = run("qemu-img", "check", "-f", "qcow2", converted("qcow2")).decode()
    assert "100.00% compressed" not in checked  # some of it is noise
    assert "0.00% compressed" not in checked


def test_azures_vhd_is_the_disk_in_whole_mib_and_a_footer(disk: Path, converted: Converted) -> None:
    image = converted("azure")
    size = told(image, "vpc")["virtual-size"]
    assert size % MIB == 0 and 0 <= size - disk.stat().st_size < MIB
    assert image.stat().st_size == size + 512
    run("qemu-img", "compare", "-q", "-f", "raw", "-F", "vpc", disk, image)
    assert facts(vhd.read(opened(image), budget()))["image_type"] == "fixed"


def test_another_disk_has_other_identifiers_and_the_same_disk_the_same(tmp_path: Path, disk: Path) -> None:
    other = tmp_path / "other.raw"
    raw = bytearray(disk.read_bytes())
    raw[-700_000] ^= 1
    other.write_bytes(raw)
    with open_disk(disk) as one, open_disk(other) as two, open_disk(disk) as again:
        assert one.uuid("vdi") == again.uuid("vdi") != two.uuid("vdi")
        assert one.uuid("vdi") != one.uuid("vhd")
        assert one.uuid("vdi").version == 5


@pytest.mark.parametrize(("name", "form"), [("qcow2", "qcow2"), ("vdi", "vdi"), ("vhdx", "vhdx"), ("vhd", "vpc")])
def test_from_another_virtual_disk_comes_what_comes_from_the_raw_one(
    tmp_path: Path, disk: Path, converted: Converted, name: str, form: str
) -> None:
    options = ("-o", "force_size=on") if form == "vpc" else ()
    source = tmp_path / f"disk.{name}"
    run("qemu-img", "convert", "-f", "raw", "-O", form, *options, disk, source)
    (made,) = to(source, "vmdk", tmp_path).results
    assert made.path.name == "disk.vmdk"
    assert made.path.read_bytes() == converted("vmdk").read_bytes()


@pytest.mark.parametrize("megabytes", [3, 40, 600, 4000, 9000, 100_000])
def test_the_geometry_of_a_vhd_is_that_of_qemu(tmp_path: Path, megabytes: int) -> None:
    """Unless it is told to keep the size, QEMU makes it one that a geometry can say."""
    image = tmp_path / "image.vhd"
    run("qemu-img", "create", "-q", "-f", "vpc", image, f"{megabytes}M")
    found = facts(vhd.read(loaded(image.read_bytes()), budget()))
    cylinders, heads, sectors = vhd_writer.geometry(told(image, "vpc")["virtual-size"])
    assert found["geometry"] == cylinders << 16 | heads << 8 | sectors
