"""What is booted over the network, against what objcopy and mcopy put into the disk."""

from pathlib import Path

import disks
import pytest
from bench import run
from bootable import Converted, to
from truths import tree_differences

from ci_toolkit.errors import UnreadableError


def test_kernel_and_initrd_are_those_of_the_unified_image(converted: Converted, disk: Path) -> None:
    made = converted("netboot")
    assert (made / "vmlinuz").read_bytes().rstrip(b"\0") == disk.with_name("linux").read_bytes().rstrip(b"\0")
    assert (made / "initrd").read_bytes().rstrip(b"\0") == disk.with_name("initrd").read_bytes()


def test_the_root_is_the_whole_file_system(tmp_path: Path, converted: Converted, disk: Path) -> None:
    archive = converted("netboot") / "root.tar.gz"
    run("tar", "-x", "-z", "--exclude=dev/*", "--no-same-owner", "-f", archive, "-C", tmp_path)
    assert tree_differences(disk.with_name("tree"), tmp_path) == set()


def test_the_script_keeps_the_command_line_but_what_names_the_disk(converted: Converted) -> None:
    script = (converted("netboot") / "boot.ipxe").read_text().splitlines()
    assert script[0] == "#!ipxe"
    (kernel,) = (line for line in script if line.startswith("kernel "))
    assert kernel.startswith("kernel ${base}vmlinuz initrd=initrd console=ttyS0 rd.systemd.pull=tar,")
    assert kernel.count("root=") == 1
    after = script[script.index(kernel) + 1 :]
    assert after[:2] == ["initrd ${base}initrd", "boot"]


def test_the_entries_of_a_boot_loader_are_followed(tmp_path: Path, disk: Path) -> None:
    entry = b"title x\nlinux /os/kernel\ninitrd /os/microcode\ninitrd /os/initrd\noptions quiet root=x\noptions rw\n"
    files = {
        "loader/entries/old-1.conf": b"linux /os/microcode\ninitrd /os/initrd\n",
        "loader/entries/os-2.conf": entry,
        "os/kernel": b"kernel" * 100, "os/microcode": b"microcode", "os/initrd": b"initrd",
    }  # fmt: skip
    esp = disks.fat(tmp_path / "esp", files)
    image = disks.gpt(tmp_path / "disk.raw", {"esp": esp, "root": disk.with_name("root")})
    (made,) = to(image, "netboot", tmp_path).results
    assert (made.path / "vmlinuz").read_bytes() == b"kernel" * 100
    assert (made.path / "initrd").read_bytes() == b"microcode" + b"initrd"
    assert " quiet rw rd.systemd" in (made.path / "boot.ipxe").read_text()


def test_a_disk_without_a_kernel_is_refused_with_where_one_is_looked_for(tmp_path: Path, disk: Path) -> None:
    image = disks.gpt(tmp_path / "disk.raw", {"root": disk.with_name("root")})
    with pytest.raises(UnreadableError, match="no kernel with an initrd") as caught:
        to(image, "netboot", tmp_path / "out")
    assert "loader/entries" in str(caught.value.hint)
    assert list((tmp_path / "out").iterdir()) == []
