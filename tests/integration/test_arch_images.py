"""Images of Arch as they are shipped: the cloud image whole, and a box by a configuration as others write it."""

import io
import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.arch import images
from tests.integration import small
from tests.integration.conftest import ROOT

pytestmark = pytest.mark.integration

CLOUD = next(case for case in images.CASES if case.profile == "cloud")

# A repository with an image for each profile, whose script makes a box of mkosi's disk: what is in wide use.
BOXES = {
    "mkosi.conf": """\
[Distribution]
Distribution=arch

[Output]
Format=disk
ImageId=archbox

[Content]
Bootable=no
Packages=base
""",
    "mkosi.repart/10-root.conf": """\
[Partition]
Type=root
Format=ext4
CopyFiles=/
Minimize=guess
""",
    "mkosi.repart/00-esp.conf": """\
[Partition]
Type=esp
Format=vfat
SizeMinBytes=33M
SizeMaxBytes=33M
""",
    "mkosi.profiles/libvirt/mkosi.conf": "[Content]\nHostname=boxed\n",
    "mkosi.profiles/libvirt/mkosi.postinst.chroot": """\
#!/bin/bash
set -e
useradd -m -U vagrant
install -d -m 0700 -o vagrant -g vagrant /home/vagrant/.ssh
echo 'ssh-ed25519 AAAA box' > /home/vagrant/.ssh/authorized_keys
chown vagrant:vagrant /home/vagrant/.ssh/authorized_keys
chmod 0600 /home/vagrant/.ssh/authorized_keys
""",
    "mkosi.profiles/libvirt/mkosi.postoutput": """\
#!/bin/bash
set -e
cd "$OUTPUTDIR"
qemu-img convert -f raw -O qcow2 archbox.raw box.img
gigabytes=$(( ($(stat -c %s archbox.raw) + 1073741823) / 1073741824 ))
printf '{"format":"qcow2","provider":"libvirt","virtual_size":%s}' "$gigabytes" > metadata.json
printf 'Vagrant.configure("2") do |config|\\nend\\n' > Vagrantfile
tar -czf archbox.libvirt.box Vagrantfile metadata.json box.img
rm Vagrantfile metadata.json box.img
""",
}


@pytest.fixture(scope="module")
def cloud(served: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[images.Row, Path]]:
    """The cloud image, built twice and converted, and where it is."""
    base = tmp_path_factory.mktemp("cloud")
    output = base / "output"
    row = images.verify(CLOUD, output, served, base / "cache")
    if not row.failed:
        images.convert(CLOUD, row, output)
    yield row, output


def test_the_cloud_image_has_one_digest_and_is_converted(cloud: tuple[images.Row, Path]) -> None:
    row, output = cloud
    assert not row.failed, output.with_suffix(".verify.log").read_text(encoding="utf-8")[-3000:]
    assert row.digest.startswith("one, ")
    told = subprocess.run(
        ("qemu-img", "check", output / "converted/arch-cloud.qcow2"), check=False, capture_output=True
    )
    assert told.returncode == 0, told.stderr


def test_both_firmwares_find_something_to_start(cloud: tuple[images.Row, Path]) -> None:
    disk = images.main(CLOUD, cloud[1])
    table = json.loads(subprocess.run(("sfdisk", "--json", disk), capture_output=True, check=True).stdout)
    esp, bios, root = table["partitiontable"]["partitions"]
    with disk.open("rb") as file:
        boot_sector = file.read(512)
        file.seek(bios["start"] * 512)
        core = file.read(bios["size"] * 512)
    assert b"GRUB" in boot_sector
    assert any(core)
    assert root["type"] == "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
    listed = subprocess.run(
        ("mdir", "-i", f"{disk}@@{esp['start'] * 512}", "-b", "-/", "::"), capture_output=True, text=True, check=True
    ).stdout.upper()
    assert "/EFI/BOOT/BOOTX64.EFI" in listed
    assert re.search(r"/EFI/LINUX/\S+\.EFI", listed)


def test_a_configuration_whose_script_makes_a_box_works_unchanged(served: tuple[str, ...], tmp_path: Path) -> None:
    small.write(tmp_path / "boxes", BOXES)
    small.commit(tmp_path / "boxes")
    output = tmp_path / "output"
    words = ("build", str(tmp_path / "boxes"), "--profile", "libvirt", "--runner", "container", "--output", str(output))
    log = tmp_path / "log"
    code = images.toolkit(*words, "--", *served, log=log, cache=tmp_path / "cache")
    assert code == 0, log.read_text(encoding="utf-8")[-3000:]
    with tarfile.open(output / "archbox.libvirt.box") as box:
        assert set(box.getnames()) == {"Vagrantfile", "metadata.json", "box.img"}
        metadata, disk = (box.extractfile(name) for name in ("metadata.json", "box.img"))
        assert metadata is not None
        assert disk is not None
        assert json.load(metadata)["provider"] == "libvirt"
        assert io.BytesIO(disk.read(4)).getvalue() == b"QFI\xfb"
    for path, mode in ((".ssh", "0700"), (".ssh/authorized_keys", "0600")):
        told = inspected(output / "archbox.raw", f"/home/vagrant/{path}", tmp_path)
        assert re.search(rf"Mode: +{mode} .*User: +1000 +Group: +1000", told), told


def inspected(disk: Path, path: str, scratch: Path) -> str:
    """Return what debugfs tells of PATH in the root of DISK, in one line."""
    table = json.loads(subprocess.run(("sfdisk", "--json", disk), capture_output=True, check=True).stdout)
    root = table["partitiontable"]["partitions"][-1]
    with disk.open("rb") as file:
        file.seek(root["start"] * 512)
        (scratch / "root").write_bytes(file.read(root["size"] * 512))
    argv = ("debugfs", "-R", f"stat {path}", scratch / "root")
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.replace("\n", " ")


def test_the_table_names_what_failed() -> None:
    row = images.Row(name="cloud", failed=["verify", "bios"])
    assert dict(zip(images.HEAD, row.cells(), strict=True))["failed"] == "verify, bios"


def test_each_profile_of_the_example_has_its_row() -> None:
    profiles = {path.name for path in (ROOT / "examples/arch/mkosi.profiles").iterdir()}
    assert profiles == {name for case in images.CASES for name in case.profile.split(",") if name}
