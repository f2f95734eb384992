"""The verb: what it refuses before it starts anything, what it leaves, and its exit codes."""

import json
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sector

from ci_toolkit.boot import ground
from ci_toolkit.boot.machine import PROGRAM
from ci_toolkit.cli import main
from ci_toolkit.errors import ExitCode, HostError
from ci_toolkit.host.kvm import Accelerator
from ci_toolkit.runners import hypervisor

TOLD = "ci-toolkit hello - \nci-toolkit state - eA==\nci-toolkit ended 0 {}\nci-toolkit end - \n"
PASSED, FAILED = "MA==", "MQ=="  # "0" and "1" as base64

Call = Callable[..., int]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    monkeypatch.chdir(tmp_path)
    return lambda *words: main.run(["boot", *map(str, words)])


@pytest.fixture
def check(tmp_path: Path) -> Path:
    path = tmp_path / "check.sh"
    path.write_text("true\n", encoding="utf-8")
    return path


@pytest.fixture
def emulated() -> None:
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"{PROGRAM} is not installed")


def guest(folder: Path, exit_code: str) -> Path:
    return sector.disk(folder / "disk.raw", (sector.COM2, TOLD.format(exit_code)))


def reports(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


@pytest.mark.usefixtures("emulated")
@pytest.mark.parametrize(("told", "code", "verdict"), [(PASSED, 0, "passed"), (FAILED, 1, "failed")])
def test_the_exit_code_follows_the_checks_and_the_reports_are_written(
    call: Call, tmp_path: Path, check: Path, capfd: pytest.CaptureFixture[str], told: str, code: int, verdict: str
) -> None:
    assert call(guest(tmp_path, told), "--check", check) == code
    report = json.loads((tmp_path / "boot/boot.json").read_text(encoding="utf-8"))
    assert report["verdict"] == verdict
    assert [boot["firmware"] for boot in report["boots"]] == ["bios"]
    assert reports(tmp_path / "boot") == {"boot.json", "boot.junit.xml", "bios.serial.log", "bios.screen.png"}
    out = capfd.readouterr().out
    assert f"{1 - code} of 1 passed" in out


@pytest.mark.usefixtures("emulated")
def test_json_goes_to_stdout_and_a_baseline_is_compared_with(
    call: Call, tmp_path: Path, check: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(guest(tmp_path, PASSED), "--check", check, "--json", "--output", tmp_path / "old") == ExitCode.FINE
    assert json.loads(capfd.readouterr().out)["verdict"] == "passed"
    baseline = tmp_path / "old/boot.json"
    assert call(guest(tmp_path, FAILED), "--check", check, "--baseline", baseline) == ExitCode.POLICY
    assert "BIOS: the check check.sh passed before" in capfd.readouterr().out


def test_firmware_that_has_nothing_to_start_is_told_without_a_start(
    call: Call, tmp_path: Path, check: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []

    @contextmanager
    def find(*_: Any, **needed: Any) -> Any:
        started.append(needed["kinds"])
        yield ground.Here(accelerator=Accelerator(name="tcg", processor="max", reason="emulated"))

    monkeypatch.setattr(ground, "find", find)
    (tmp_path / "empty.raw").write_bytes(bytes(1 << 20))
    assert call(tmp_path / "empty.raw", "--check", check) == ExitCode.POLICY
    assert started == [[]]
    out = capfd.readouterr().out
    assert "the image has nothing that a BIOS starts: its first sector holds no boot code" in out
    assert "the image has nothing that a UEFI starts: it has no partition table" in out
    report = json.loads((tmp_path / "boot/boot.json").read_text(encoding="utf-8"))
    assert [one["reason"] for boot in report["boots"] for one in boot["checks"]] == ["the image was not up"] * 2


def test_without_qemu_anywhere_both_reasons_are_told(
    call: Call, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def probe(*_: Any) -> Any:
        raise HostError("no container engine answers")

    monkeypatch.setattr(ground, "PROGRAM", "no-such-qemu")
    monkeypatch.setattr(hypervisor, "probe", probe)
    assert call(sector.disk(tmp_path / "disk.raw")) == ExitCode.HOST
    err = capfd.readouterr().err
    assert "this machine: no-such-qemu is not installed" in err
    assert "container: no container engine answers" in err


def test_what_cannot_be_read_ends_with_6_and_a_wrong_call_with_2(
    call: Call, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    disk = sector.disk(tmp_path / "disk.raw")
    broken = tmp_path / "boot.json"
    broken.write_text("{", encoding="utf-8")
    assert call(tmp_path / "none") == ExitCode.UNREADABLE
    assert call(tmp_path) == ExitCode.UNREADABLE
    assert call(disk, "--baseline", broken) == ExitCode.UNREADABLE
    wrong: tuple[tuple[object, ...], ...] = (
        ("--check", tmp_path / "none"),
        ("--user-data", tmp_path),
        ("--ssh-key", broken),
        ("--ssh", "me"),
        ("--ssh", "root", "--ssh-key", tmp_path),
        ("--time-limit", "soon"),
        ("--firmware", "coreboot"),
        ("--output", broken),
    )
    for words in wrong:
        assert call(disk, *words) == ExitCode.USAGE, words
    assert "Traceback" not in capfd.readouterr().err
    assert reports(tmp_path / "boot") == set()
