"""A cloud image of Debian: its seed, its SSH server, and a key that was made for this start, all in one boot."""

import json
import shutil
from pathlib import Path

import pytest

from tests.integration import small
from tests.integration.conftest import Run, toolkit

pytestmark = pytest.mark.integration

# Emulated on a busy machine; alone it takes two.
MINUTES = "20"

# With the initrd of examples/debian, which takes as long to build as the rest.
DEFINITION = """\
[Distribution]
Distribution=debian
Release=trixie

[Output]
Format=disk
ImageId=cloud
SplitArtifacts=

[Content]
Bootable=yes
Bootloader=systemd-boot
Initrds=initrd.cpio.zst
Packages=linux-image-cloud-amd64
         systemd
         systemd-boot
         systemd-boot-efi
         systemd-sysv
         udev
         dbus
         e2fsprogs
         openssh-server
         cloud-init
RemoveFiles=/etc/ssh/ssh_host_*
"""
NETWORK = "[Match]\nType=ether\n[Network]\nDHCP=yes\n"
# The image's own network stays, and no other cloud is asked.
CLOUD = "network: {config: disabled}\ndatasource_list: [NoCloud]\n"

USER_DATA = """\
#cloud-config
write_files:
- {path: /etc/seeded, content: by the seed}
runcmd:
- [touch, /run/seed-ran]
"""
# Runs over SSH. cloud-init's 2 are warnings: that it finds no `ip` to print the network with.
CHECK = """\
#!/bin/sh -ex
test "$(id -un)" = root
test -n "$SSH_CONNECTION"
test "$(hostname)" = ci-toolkit
cloud-init status --wait || test $? = 2
grep -q "by the seed" /etc/seeded
test -e /run/seed-ran
"""


def define(place: Path, initrd: Path) -> Path:
    """Write the definition of the image to PLACE, with a copy of INITRD."""
    files = {
        "mkosi.conf": DEFINITION,
        "mkosi.extra/etc/systemd/network/80-dhcp.network": NETWORK,
        "mkosi.extra/etc/cloud/cloud.cfg.d/99-here.cfg": CLOUD,
    }
    small.write(place, files)
    shutil.copyfile(initrd, place / "initrd.cpio.zst")
    small.commit(place)
    return place


def start(image: Path, place: Path) -> Run:
    """Start IMAGE with the seed, and run the check over SSH."""
    (place / "user-data").write_text(USER_DATA, encoding="utf-8")
    (place / "seeded").write_text(CHECK, encoding="utf-8")
    output = place / "boot"
    completed = toolkit(
        *("boot", str(image), "--ssh", "root", "--check", str(place / "seeded")),
        *("--user-data", str(place / "user-data"), "--output", str(output), "--time-limit", MINUTES),
    )
    return Run(exit_code=completed.returncode, stdout=completed.stdout, stderr=completed.stderr, output=output)


@pytest.fixture(scope="module")
def started(debian: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    base = tmp_path_factory.mktemp("cloud")
    definition = define(base / "definition", debian.output / "initrd.cpio.zst")
    built = toolkit("build", str(definition), "--output", str(base / "output"))
    assert built.returncode == 0, built.stderr
    return start(base / "output/cloud.raw", base)


def test_a_seed_and_a_key_reach_a_real_guest(started: Run) -> None:
    (boot,) = json.loads((started.output / "boot.json").read_text(encoding="utf-8"))["boots"]
    (check,) = boot["checks"]
    assert (check["exit_code"], check["reason"]) == (0, ""), check["output"]
    assert started.exit_code == 0, started.stderr
    assert (boot["reason"], boot["failed_units"]) == ("", []), started.stdout
    assert "tcp [::]:22" in boot["ports"]


def test_cloud_init_says_where_its_data_came_from(started: Run) -> None:
    journal = (started.output / "uefi.journal.log").read_text(encoding="utf-8")
    assert "DataSourceNoCloud" in journal
