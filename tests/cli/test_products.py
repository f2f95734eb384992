"""What the action makes of an image that it built: formats and starts, and what is told of them."""

import hashlib
import json
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import fake_github
import pytest
import sector
from bench import run
from call import Call
from fake_github import FakeGitHub
from fake_runner import FakeRunner

from ci_toolkit.boot.machine import PROGRAM
from ci_toolkit.errors import ExitCode, UsageError

Use = Callable[[FakeRunner], FakeRunner]

TOLD = "ci-toolkit hello - \nci-toolkit state - eA==\nci-toolkit failed - \nci-toolkit ended 0 {}\nci-toolkit end - \n"
PASSED, FAILED = "MA==", "Nw=="  # "0" and "7" as base64


def disk(folder: Path, exit_code: str) -> bytes:
    """A disk with a partition and a boot sector that says what a guest says whose one check ended so."""
    path = sector.disk(folder / "disk.raw", (sector.COM2, TOLD.format(exit_code)), size=4 << 20)
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--wipe=never", path, stdin=b"label: dos\n2048,,L\n")
    return path.read_bytes()


@pytest.fixture
def check(tmp_path: Path) -> Path:
    path = tmp_path / "web.sh"
    path.write_text("true\n", encoding="utf-8")
    return path


def on_github(folder: Path, github: FakeGitHub, **inputs: str) -> Call:
    environ = {f"INPUT_{name.upper()}": value for name, value in inputs.items()}
    return Call(
        folder, "github/pull_request", GITHUB_API_URL=github.server.url, INPUT_TOKEN=fake_github.TOKEN, **environ
    )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed")
@pytest.mark.parametrize("command", ["verify", "build"])
def test_an_image_is_converted_and_started_and_all_of_it_is_told(
    tmp_path: Path, use: Use, github: FakeGitHub, check: Path, command: str
) -> None:
    image = disk(tmp_path, PASSED)
    use(FakeRunner(lambda _: image))
    asked = {"formats": "qcow2, vdi", "boot": "bios", "boot_check": str(check)}
    call = on_github(tmp_path, github, command=command, **asked)
    assert call("action") == ExitCode.FINE, call.said
    made = {
        row["format"]: row
        for row in json.loads(call.outputs_of_step()["artifacts"])
        if row["path"] != str(call.output / "image.txt")
    }
    assert set(made) == {"qcow2", "vdi"}
    (comment,) = github.bodies
    for name, row in made.items():
        path = Path(row["path"])
        assert path.parent == call.output
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
        assert path.stat().st_size == row["size"]
        told = run("qemu-img", "info", "--output=json", path)
        assert json.loads(told)["format"] == name
        assert f"| {name} | `{path.name}` | " in comment
    (start,) = (line for line in comment.splitlines() if line.startswith("| BIOS"))
    assert start.endswith(" | none | ✅ 1 of 1 |")
    assert json.loads((call.output / "boot/boot.json").read_text(encoding="utf-8"))["verdict"] == "passed"
    assert (call.output / "boot/bios.serial.log").exists()
    assert "up" in call.shown


@pytest.mark.slow
@pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed")
def test_a_check_that_fails_fails_the_job_its_status_and_a_test_of_gitlabs(
    tmp_path: Path, use: Use, github: FakeGitHub, check: Path
) -> None:
    image = disk(tmp_path, FAILED)
    use(FakeRunner(lambda _: image))
    call = on_github(tmp_path, github, boot="bios", boot_check=str(check))
    assert call("action") == ExitCode.POLICY
    (comment,) = github.bodies
    assert "### ❌ Reproducible, but a check failed with BIOS" in comment
    assert "check `web.sh`: exit code 7" in comment
    assert [status["state"] for status in github.statuses] == ["failure"]
    root = ET.parse(call.output / "report.junit.xml").getroot()
    failed = [case.attrib["name"] for case in root.iter("testcase") if case.find("failure") is not None]
    assert failed == ["web.sh"]
    assert call.outputs_of_step()["reproducible"] == "true"


def test_an_image_that_did_not_come_out_as_it_should_is_left_alone(
    tmp_path: Path, use: Use, github: FakeGitHub
) -> None:
    use(FakeRunner(lambda surroundings: f"built on {surroundings.hostname}\n"))
    call = on_github(tmp_path, github, formats="qcow2", boot="bios")
    assert call("action") == ExitCode.POLICY
    assert "neither converted nor started" in github.bodies[0]
    assert [path.name for path in call.output.glob("*.qcow2")] == []
    assert not (call.output / "boot").exists()


def test_an_image_that_is_no_disk_is_told_with_the_reason_and_its_report_is_there(
    tmp_path: Path, use: Use, github: FakeGitHub
) -> None:
    use(FakeRunner(lambda _: "same"))
    call = on_github(tmp_path, github, formats="qcow2", boot="uefi, bios")
    assert call("action") == ExitCode.UNREADABLE
    (comment,) = github.bodies
    words = "it was not converted to qcow2 and it did not start with UEFI, BIOS"
    assert f"### ❌ Reproducible, but {words}" in comment
    assert "| qcow2 | ❌ " in comment
    assert "that is no disk" in comment
    assert (call.output / "report.json").exists()
    assert [status["state"] for status in github.statuses] == ["failure"]


@pytest.mark.parametrize(
    ("inputs", "word"),
    [
        ({"formats": "qcow3"}, "qcow3"),
        ({"formats": "raw"}, "raw"),
        ({"boot": "coreboot"}, "coreboot"),
        ({"boot": "bios", "boot_check": "/nowhere/check.sh"}, "/nowhere/check.sh"),
        ({"boot_check": "check.sh"}, "boot-check"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_built(
    tmp_path: Path, use: Use, github: FakeGitHub, inputs: dict[str, str], word: str
) -> None:
    runner = use(FakeRunner(lambda _: "same"))
    with pytest.raises(UsageError, match=word):
        on_github(tmp_path, github, **inputs)("action")
    assert runner.place is None


def test_what_was_asked_of_the_image_is_listed_once_and_blanks_do_not_count(
    tmp_path: Path, use: Use, github: FakeGitHub
) -> None:
    use(FakeRunner(lambda _: "same"))
    call = on_github(tmp_path, github, formats=" qcow2,, qcow2 ,\n")
    assert call("action") == ExitCode.UNREADABLE
    report = json.loads((call.output / "report.json").read_text(encoding="utf-8"))
    assert [one["format"] for one in report["formats"]] == ["qcow2"]
