"""Vagrant boxes: a gzipped tar archive of a disk, what the provider has to know, and a Vagrantfile.

https://developer.hashicorp.com/vagrant/docs/boxes/format
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ci_toolkit.formats import gzip, ovf, tar
from ci_toolkit.formats.source import Disk
from ci_toolkit.formats.work import Work
from ci_toolkit.images.entry import Container
from ci_toolkit.images.limits import GIB, MIB

_BIOS_BOOT: Final = "21686148-6449-6e6f-744e-656564454649"
# The first three bytes of every address that VirtualBox gives out.
_VIRTUALBOX: Final = "080027"

_LIBVIRT_FILE: Final = """\
Vagrant.configure("2") do |config|
  config.vm.provider :libvirt do |libvirt|
    libvirt.disk_bus = "virtio"
  end
end
"""
_VIRTUALBOX_FILE: Final = """\
Vagrant.configure("2") do |config|
  config.vm.base_mac = "%s"
  config.vm.provider :virtualbox do |virtualbox|
    virtualbox.customize ["modifyvm", :id, "--firmware", "%s"]
  end
end
"""


def libvirt(work: Work, target: Path) -> None:
    """Write a box for vagrant-libvirt to TARGET."""
    work.disk.require_table()
    disk = work.part("qcow2")
    told = {"provider": "libvirt", "format": "qcow2", "virtual_size": -(-work.disk.size // GIB)}
    files = {"metadata.json": _json(told), "Vagrantfile": _LIBVIRT_FILE.encode()}
    _pack(work, target, files, ("box.img", disk))


def virtualbox(work: Work, target: Path) -> None:
    """Write a box for VirtualBox to TARGET."""
    table = work.disk.require_table()
    disk = work.part("vmdk")
    firmware = "efi" if boots_by_uefi_alone(table) else "bios"
    files = {
        "metadata.json": _json({"provider": "virtualbox"}),
        "Vagrantfile": (_VIRTUALBOX_FILE % (address(work.disk), firmware)).encode(),
        "box.ovf": ovf.describe(work.disk, address(work.disk), disk.stat().st_size).encode(),
    }
    _pack(work, target, files, (ovf.DISK_FILE, disk))


def address(disk: Disk) -> str:
    """Return the MAC address that the machine of DISK has, as twelve digits."""
    return _VIRTUALBOX + disk.digest[:6].upper()


def boots_by_uefi_alone(table: Container) -> bool:
    """Tell whether TABLE has no place for a boot loader of the BIOS: GPT without a BIOS boot partition."""
    kinds = [fact.value for entry in table.entries for fact in entry.facts if fact.name == "partition_type"]
    return table.format == "gpt" and _BIOS_BOOT not in kinds


def _pack(work: Work, target: Path, files: dict[str, bytes], disk: tuple[str, Path]) -> None:
    """Write FILES and the (name, place) of a disk, which is compressed already, in this order."""
    name, place = disk
    size = place.stat().st_size
    done = work.progress(target.suffixes[-2].strip(".") + " box", size)

    def content() -> Iterator[bytes]:
        for member, text in files.items():
            yield tar.plain(member, len(text)) + text + tar.padded(len(text))
        yield tar.plain(name, size)
        with place.open("rb") as file:
            while piece := file.read(MIB):
                yield piece
                done(len(piece))
        yield tar.padded(size) + tar.END

    with target.open("wb") as file:
        file.writelines(gzip.compressed(content(), gzip.STORED))


def _json(content: dict[str, object]) -> bytes:
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()
