"""Whole images, started: examples/debian's, with UEFI, and a guest of one sector in the toolkit's container."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fetched
import pytest
import sector

from ci_toolkit.boot import ground, image, start
from ci_toolkit.boot.start import Wishes
from ci_toolkit.console import Console
from ci_toolkit.runners import hypervisor
from tests.integration.conftest import ROOT, Run, toolkit

pytestmark = pytest.mark.integration

NO_ENGINE = "no container engine answers"
TOLD = "ci-toolkit hello - \nci-toolkit state - eA==\nci-toolkit end - \n"
# Emulated on a busy machine; alone it takes half a minute.
MINUTES = "15"


def boots(output: Path) -> dict[str, dict[str, object]]:
    report = json.loads((output / "boot.json").read_text(encoding="utf-8"))
    return {boot["firmware"]: boot for boot in report["boots"]}


def test_the_debian_example_comes_up_and_runs_its_check(debian: Run) -> None:
    """In the action's own run, which calls the same."""
    boot = boots(debian.output / "boot")["uefi"]
    assert (boot["reason"], boot["state"], boot["failed_units"]) == ("", "running", []), debian.stdout
    assert str(boot["startup"]).startswith("Startup finished in ")
    assert boot["checks"] == [
        {"name": "check.sh", "passed": True, "exit_code": 0, "reason": "", "output": "it is Debian\n"}
    ]


def test_what_it_said_and_showed_is_kept(debian: Run) -> None:
    output = debian.output / "boot"
    journal = (output / "uefi.journal.log").read_text(encoding="utf-8")
    assert "Reached target multi-user.target" in journal
    assert "Linux version" in (output / "uefi.serial.log").read_text(encoding="utf-8", errors="replace")
    assert (output / "uefi.screen.png").read_bytes().startswith(b"\x89PNG")


def test_an_image_without_a_bios_loader_is_told_by_one_sentence(debian: Run, tmp_path: Path) -> None:
    output = tmp_path / "output"
    completed = toolkit("boot", str(debian.output / "debian.raw"), "--firmware", "bios", "--output", str(output))
    assert completed.returncode == 1, completed.stderr
    reason = "the image has nothing that a BIOS starts: its first sector holds no boot code"
    assert str(boots(output)["bios"]["reason"]).startswith(reason)
    assert reason in " ".join(completed.stdout.split())


def test_secure_boot_refuses_what_nobody_signed(debian: Run, tmp_path: Path) -> None:
    image_path, output = str(debian.output / "debian.raw"), str(tmp_path / "output")
    completed = toolkit("boot", image_path, "--firmware", "secure-boot", "--output", output, "--time-limit", MINUTES)
    assert completed.returncode == 1, completed.stderr
    assert "Secure Boot refused the loader: no key that the firmware has signed it" in completed.stdout


def contained(image_path: Path, output: Path) -> int:
    """Start an image in the toolkit's container, as a machine without QEMU does."""
    console = Console()
    place = ground.Contained(container=hypervisor.probe(dict(os.environ), console, output))
    print(place.description)
    found = image.of_netboot(image_path) if image_path.is_dir() else image.look(image_path)
    wishes = Wishes(firmware=found.firmware, output=output, minutes=5.0)
    (boot,) = start.start(found, wishes, place, console)
    print(boot.reason or "up", *boot.files)
    return 0 if boot.passed else 1


CONTAINED = (
    "import sys; from pathlib import Path; from tests.integration.test_boot import contained; "
    "sys.exit(contained(Path(sys.argv[1]), Path(sys.argv[2])))"
)


def start_contained(tmp_path: Path, disk: Path) -> "subprocess.Popen[str]":
    output = tmp_path / "output"
    output.mkdir()
    return subprocess.Popen(
        (sys.executable, "-c", CONTAINED, disk, output),
        cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests/fakes'}"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.usefixtures("runner")
def test_without_qemu_the_container_starts_it(tmp_path: Path) -> None:
    with start_contained(tmp_path, sector.disk(tmp_path / "disk.raw", (sector.COM2, TOLD))) as process:
        said, complaint = process.communicate(timeout=300)
    if NO_ENGINE in complaint:
        pytest.skip(complaint.splitlines()[-1])
    assert process.returncode == 0, complaint
    assert said.startswith("QEMU in a container of ")
    assert said.endswith("up bios.serial.log bios.screen.png\n")
    assert (tmp_path / "output/bios.screen.png").stat().st_uid == os.getuid()


@pytest.mark.usefixtures("runner")
def test_without_qemu_the_container_fetches_a_netboot_directory(tmp_path: Path) -> None:
    with start_contained(tmp_path, fetched.directory(tmp_path / "netboot")) as process:
        said, complaint = process.communicate(timeout=600)
    if NO_ENGINE in complaint:
        pytest.skip(complaint.splitlines()[-1])
    assert process.returncode == 0, complaint
    assert said.endswith("up ipxe.serial.log ipxe.screen.png\n")


@pytest.mark.usefixtures("runner")
def test_an_interrupted_start_leaves_no_container(tmp_path: Path) -> None:
    disk = sector.disk(tmp_path / "disk.raw", (sector.COM1, "Loading\n"))
    log = tmp_path / "output/bios.serial.log"
    with start_contained(tmp_path, disk) as process:
        deadline = time.monotonic() + 120
        while process.poll() is None and not (log.exists() and b"Loading" in log.read_bytes()):
            if time.monotonic() > deadline:
                process.kill()
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    if NO_ENGINE in complaint:
        pytest.skip(complaint.splitlines()[-1])
    assert process.returncode != 0
    listed = subprocess.run(("pgrep", "-f", str(disk)), capture_output=True, text=True, check=False)
    assert listed.stdout == ""
