"""Disks made by sfdisk, mkfs.vfat, mtools and qemu-img: what of them a firmware can start."""

import os
from pathlib import Path

import pytest
import sector
from bench import run

from ci_toolkit.boot.image import look
from ci_toolkit.errors import UnreadableError

MIB = 1 << 20
ESP = {"gpt": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "dos": "ef"}


def disk(path: Path, label: str = "gpt", *, loader: str | None = "EFI/BOOT/BOOTX64.EFI", kind: str = "") -> Path:
    """A disk with one partition, of KIND or an EFI system partition, whose FAT has LOADER."""
    with path.open("wb") as file:
        file.truncate(8 * MIB)
    run("sfdisk", "--quiet", path, stdin=f"label: {label}\nstart=2048,size=8192,type={kind or ESP[label]}\n".encode())
    system = path.with_suffix(".fat")
    with system.open("wb") as file:
        file.truncate(4 * MIB)
    run("mkfs.vfat", system)
    if loader is not None:
        place = "::"
        for step in Path(loader).parts[:-1]:
            place += f"/{step}"
            run("mmd", "-i", system, place)
        run("mcopy", "-i", system, "/etc/hostname", f"::{loader}")
    with path.open("r+b") as file:
        file.seek(MIB)
        file.write(system.read_bytes())
    return path


@pytest.mark.parametrize("label", ["gpt", "dos"])
@pytest.mark.parametrize("loader", ["EFI/BOOT/BOOTX64.EFI", "efi/boot/bootx64.efi"])
def test_a_disk_with_a_loader_on_its_esp_is_for_uefi_alone(tmp_path: Path, label: str, loader: str) -> None:
    found = look(disk(tmp_path / "disk", label, loader=loader))
    assert (found.format, found.firmware) == ("raw", ("uefi",))
    assert found.lacks["bios"].startswith("its first sector holds no boot code")


def test_a_disk_inside_a_qcow2_is_looked_at_as_well(tmp_path: Path) -> None:
    run("qemu-img", "convert", "-O", "qcow2", "-c", disk(tmp_path / "raw"), tmp_path / "disk")
    found = look(tmp_path / "disk")
    assert (found.format, found.firmware) == ("qcow2", ("uefi",))


def test_without_a_loader_or_an_esp_a_uefi_starts_nothing(tmp_path: Path) -> None:
    assert look(disk(tmp_path / "a", loader=None)).lacks["uefi"] == (
        "its EFI system partition has no EFI/BOOT/BOOTX64.EFI"
    )
    plain = disk(tmp_path / "b", kind="0FC63DAF-8483-4772-8E79-3D69D8477DE4")
    assert look(plain).lacks["uefi"] == "it has no EFI system partition"


def test_a_boot_sector_with_code_is_for_bios_alone(tmp_path: Path) -> None:
    found = look(sector.disk(tmp_path / "disk"))
    assert found.firmware == ("bios",)


def test_a_disk_with_both_is_for_both(tmp_path: Path) -> None:
    path = disk(tmp_path / "disk")
    code = sector.disk(tmp_path / "sector").read_bytes()[:440]
    with path.open("r+b") as file:
        file.write(code)
    assert look(path).firmware == ("bios", "uefi")


def test_a_disk_that_needs_another_file_is_refused(tmp_path: Path) -> None:
    """A guest would have whatever file of this machine it names."""
    with (tmp_path / "secret").open("wb") as file:
        file.truncate(MIB)
    backed, outside = tmp_path / "backed", tmp_path / "outside"
    run("qemu-img", "create", "-f", "qcow2", "-b", tmp_path / "secret", "-F", "raw", backed)
    run("qemu-img", "create", "-f", "qcow2", "-o", f"data_file={tmp_path / 'data'}", outside, "1M")
    with pytest.raises(UnreadableError, match="holds only what differs from another one"):
        look(backed)
    with pytest.raises(UnreadableError, match="the disk lies in a file of its own"):
        look(outside)


def test_what_is_no_disk_is_refused(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"x")
    os.mkfifo(tmp_path / "fifo")
    run("qemu-img", "create", "-f", "vmdk", tmp_path / "vmdk", "1M")
    for name, why in (
        ("small", "has 1 bytes"), ("fifo", "is no file"), ("none", "No such file"), ("", "is no file"),
        ("vmdk", "is vmdk, which is not started"),
    ):  # fmt: skip
        with pytest.raises(UnreadableError, match=why):
            look(tmp_path / name)


def test_a_damaged_qcow2_is_refused(tmp_path: Path) -> None:
    run("qemu-img", "create", "-f", "qcow2", tmp_path / "disk", "1M")
    content = (tmp_path / "disk").read_bytes()
    (tmp_path / "disk").write_bytes(content[:600])
    with pytest.raises(UnreadableError):
        look(tmp_path / "disk")


def test_what_cannot_be_told_is_left_to_the_firmware(tmp_path: Path) -> None:
    path = disk(tmp_path / "disk")
    with path.open("r+b") as file:
        file.seek(MIB)
        file.write(bytes(512))  # no file system that is known
    assert "uefi" not in look(path).lacks
