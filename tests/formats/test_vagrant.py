"""Boxes, added by Vagrant and unpacked by tar."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import disks
import pytest
from bench import run
from bootable import Converted, to

from ci_toolkit.formats.source import open_disk
from ci_toolkit.formats.vagrant import address, boots_by_uefi_alone

pytestmark = pytest.mark.slow

PROVIDERS = ("libvirt", "virtualbox")
OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"
RASD = "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData}"


def unpacked(box: Path, place: Path) -> Path:
    place.mkdir()
    run("tar", "-x", "-z", "-f", box, "-C", place)
    return place


@pytest.mark.parametrize("provider", PROVIDERS)
def test_vagrant_adds_the_box(tmp_path: Path, converted: Converted, provider: str) -> None:
    home = {"VAGRANT_HOME": str(tmp_path / "home"), "HOME": str(tmp_path), "VAGRANT_CHECKPOINT_DISABLE": "1"}
    box = converted(f"vagrant-{provider}")
    run("vagrant", "box", "add", "--name", "test", "--provider", provider, box, environment=home)
    assert f"test ({provider}, 0)" in run("vagrant", "box", "list", environment=home).decode()
    kept = tmp_path / "home/boxes/test/0" / provider
    told = json.loads((kept / "metadata.json").read_text())
    assert told["provider"] == provider


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_vagrantfile_is_one(tmp_path: Path, converted: Converted, provider: str) -> None:
    place = unpacked(converted(f"vagrant-{provider}"), tmp_path / "box")
    assert b"Syntax OK" in run("ruby", "-c", place / "Vagrantfile")


def test_the_box_for_libvirt_holds_the_disk(tmp_path: Path, converted: Converted, disk: Path) -> None:
    place = unpacked(converted("vagrant-libvirt"), tmp_path / "box")
    assert sorted(path.name for path in place.iterdir()) == ["Vagrantfile", "box.img", "metadata.json"]
    run("qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", place / "box.img", disk)
    told = json.loads((place / "metadata.json").read_text())
    assert told == {"provider": "libvirt", "format": "qcow2", "virtual_size": 1}


def test_the_box_for_virtualbox_describes_the_machine(tmp_path: Path, converted: Converted, disk: Path) -> None:
    place = unpacked(converted("vagrant-virtualbox"), tmp_path / "box")
    tree = ET.parse(place / "box.ovf").getroot()
    (file,) = tree.iter(f"{OVF}File")
    vmdk = place / file.attrib[f"{OVF}href"]
    assert vmdk.stat().st_size == int(file.attrib[f"{OVF}size"])
    run("qemu-img", "compare", "-q", "-f", "vmdk", "-F", "raw", vmdk, disk)
    (described,) = tree.iter(f"{OVF}Disk")
    assert int(described.attrib[f"{OVF}capacity"]) == disk.stat().st_size
    items = {item.findtext(f"{RASD}ResourceType"): item.findtext(f"{RASD}Address") for item in tree.iter(f"{OVF}Item")}
    mac = re.search(r'base_mac = "(\w+)"', (place / "Vagrantfile").read_text())
    assert mac is not None and mac[1] == items["10"]
    assert re.fullmatch("080027[0-9A-F]{6}", mac[1])
    assert '"--firmware", "efi"' in (place / "Vagrantfile").read_text()


def test_a_name_that_xml_would_take_for_more_is_kept(tmp_path: Path, disk: Path) -> None:
    image = tmp_path / "a&<b>\"'.raw"
    image.write_bytes(disk.read_bytes())
    (made,) = to(image, "vagrant-virtualbox", tmp_path).results
    tree = ET.parse(unpacked(made.path, tmp_path / "box") / "box.ovf").getroot()
    (system,) = tree.iter(f"{OVF}VirtualSystem")
    assert system.attrib[f"{OVF}id"] == "a&<b>\"'"


def test_another_disk_has_another_address(tmp_path: Path, disk: Path) -> None:
    other = tmp_path / "other.raw"
    other.write_bytes(disk.read_bytes()[:-1] + b"\1")
    with open_disk(disk) as one, open_disk(other) as two:
        assert address(one) != address(two)


def test_a_disk_with_a_place_for_a_boot_loader_boots_by_the_bios(tmp_path: Path, disk: Path) -> None:
    image = disks.gpt(tmp_path / "disk.raw", {"bios": disk.with_name("esp")})
    kind = "21686148-6449-6E6F-744E-656564454649"
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--part-type", image, "1", kind)
    with open_disk(image) as found, open_disk(disk) as efi:
        assert not boots_by_uefi_alone(found.require_table())
        assert boots_by_uefi_alone(efi.require_table())
