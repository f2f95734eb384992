"""Real starts: SeaBIOS and a guest of one sector, within seconds; tests/integration has whole images."""

import io
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import sector

from ci_toolkit.boot import ground, image, lines, start
from ci_toolkit.boot.guest import read_scripts
from ci_toolkit.boot.machine import PROGRAM
from ci_toolkit.boot.outcome import Boot
from ci_toolkit.boot.start import Wishes
from ci_toolkit.console import Console
from ci_toolkit.host.kvm import Accelerator

ROOT = Path(__file__).parents[2]
EMULATED = Accelerator(name="tcg", processor="max", reason="emulated")
# base64 of "running", of "a.service loaded", and of the kernel's table with a TCP socket that listens on 0.0.0.0:22.
HELLO = "ci-toolkit hello - \nci-toolkit state - cnVubmluZw==\nci-toolkit failed - YS5zZXJ2aWNlIGxvYWRlZA==\n"
CHECKED = "ci-toolkit output 0 b29wcw==\nci-toolkit ended 0 Mw==\n"  # "oops", "3"
END = "ci-toolkit end - \n"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed"),
]


class Try:
    """One start of a disk, and what was said meanwhile."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.narration = io.StringIO()
        output.mkdir()

    def __call__(self, disk: Path, *checks: Path, minutes: float = 1.0) -> Boot:
        wishes = Wishes(firmware=("bios",), output=self.output, minutes=minutes, scripts=read_scripts(checks))
        place = ground.Here(accelerator=EMULATED)
        (boot,) = start.start(image.look(disk), wishes, place, Console(narration=self.narration))
        return boot


@pytest.fixture
def attempt(tmp_path: Path) -> Try:
    return Try(tmp_path / "output")


@pytest.fixture
def check(tmp_path: Path) -> Path:
    path = tmp_path / "check"
    path.write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    return path


def test_what_the_guest_tells_is_put_together(attempt: Try, tmp_path: Path, check: Path) -> None:
    disk = sector.disk(tmp_path / "disk.raw", (sector.COM1, "Hello\n"), (sector.COM2, HELLO + CHECKED + END))
    boot = attempt(disk, check)
    assert (boot.reason, boot.sign, boot.state) == ("", "systemd's own word", "running")
    assert boot.failed_units == ("a.service",)
    (told,) = boot.checks
    assert (told.name, told.exit_code, told.output, told.passed) == ("check", 3, "oops", False)
    assert boot.booted
    assert not boot.passed
    assert "Hello" in (attempt.output / "bios.serial.log").read_text(encoding="utf-8")
    assert "Check check: exit code 3" in attempt.narration.getvalue()


def test_the_screenshot_is_a_picture(attempt: Try, tmp_path: Path) -> None:
    boot = attempt(sector.disk(tmp_path / "disk.raw", (sector.COM2, HELLO + END)))
    assert boot.files == ("bios.serial.log", "bios.screen.png")
    told = subprocess.run(("file", attempt.output / "bios.screen.png"), capture_output=True, text=True, check=True)
    assert "PNG image data, 720 x 400" in told.stdout


def test_a_login_prompt_is_enough_and_checks_that_were_not_run_fail(
    attempt: Try, tmp_path: Path, check: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "_GRACE_SECONDS", {"tcg": 1.0})
    boot = attempt(sector.disk(tmp_path / "disk.raw", (sector.COM1, "\x1b[1mDebian\x1b[0m\r\nhost login: ")), check)
    assert (boot.reason, boot.sign) == ("", "a login prompt")
    assert boot.failed_units is None
    assert not boot.passed
    assert boot.checks[0].reason == "the guest ran no checks"
    assert boot.notes[0].startswith("The image ran nothing of what it was handed")


def test_a_disk_that_gives_up_is_told_by_the_bios(attempt: Try, tmp_path: Path) -> None:
    boot = attempt(sector.disk(tmp_path / "disk.raw", end=sector.GIVE_UP))
    assert boot.reason == "the BIOS found nothing on the disk that it could start"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("[  1.0] Kernel panic - not syncing: VFS: no root\x1b[2J", "the kernel panicked: VFS: no root"),
        ("You are in emergency mode. After", "systemd gave up and went into emergency mode"),
    ],
)
def test_a_guest_that_breaks_is_not_waited_for(attempt: Try, tmp_path: Path, said: str, reason: str) -> None:
    boot = attempt(sector.disk(tmp_path / "disk.raw", (sector.COM1, said + "\n")))
    assert boot.reason == reason
    assert "bios.screen.png" in boot.files


def test_a_guest_that_hangs_is_given_up_with_its_last_words(attempt: Try, tmp_path: Path, check: Path) -> None:
    boot = attempt(sector.disk(tmp_path / "disk.raw", (sector.COM1, "Loading it all\n")), check, minutes=0.1)
    assert boot.reason == "it was not up after 0.1 minutes (time-limit); the last it said: Loading it all"
    assert boot.checks[0].reason == boot.reason


def test_checks_that_do_not_end_are_told_from_a_start_that_does_not(attempt: Try, tmp_path: Path, check: Path) -> None:
    boot = attempt(sector.disk(tmp_path / "disk.raw", (sector.COM2, HELLO)), check, minutes=0.1)
    assert boot.booted
    assert not boot.passed
    assert boot.checks[0].reason.startswith("it had not told all after 0.1 minutes")


def test_a_systemd_that_never_ends_starting_units_is_not_up(attempt: Try, tmp_path: Path, check: Path) -> None:
    said = (sector.COM1, "host login: "), (sector.COM2, "ci-toolkit hello - \n")
    boot = attempt(sector.disk(tmp_path / "disk.raw", *said), check, minutes=0.1)
    assert boot.sign == "a login prompt"
    assert boot.reason.startswith("it had not told all after 0.1 minutes (time-limit)")


def test_the_image_is_not_changed_and_nothing_is_left(
    attempt: Try, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = sector.disk(tmp_path / "disk.raw", (sector.COM2, HELLO + END))
    disk.chmod(0o444)
    before, used, listening = disk.read_bytes(), [], lines.listening

    def listen(directory: Path) -> AbstractContextManager[lines.Sockets]:
        used.append(directory)
        return listening(directory)

    monkeypatch.setattr(lines, "listening", listen)
    attempt(disk)
    assert disk.read_bytes() == before
    assert [path.exists() for path in used] == [False]
    assert {path.name for path in attempt.output.iterdir()} == {"bios.serial.log", "bios.screen.png"}


def test_a_flood_on_the_console_is_cut(attempt: Try, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_toolkit.boot.screen.LOG_MAX", 1000)
    # After the text it jumps back to the begin, over and over.
    length = len(sector.BEGIN) + len(sector.say(sector.COM1, 0))
    again = b"\xeb" + bytes([256 - length - 2])
    attempt(sector.disk(tmp_path / "disk.raw", (sector.COM1, "All work\n"), end=again), minutes=0.1)
    log = (attempt.output / "bios.serial.log").read_text(encoding="utf-8")
    assert len(log) < 1100
    assert log.endswith("(what came after this was not kept)\n")


def test_what_a_guest_may_write_leaves_some_room(tmp_path: Path) -> None:
    (_, option) = start._limited(tmp_path)
    free = shutil.disk_usage(tmp_path).free
    assert (1 << 30) <= int(option.removeprefix("--fsize=")) <= max(free, 1 << 30)


def children(parent: int) -> list[int]:
    listed = subprocess.run(("pgrep", "--parent", str(parent)), capture_output=True, text=True, check=False)
    return [int(word) for word in listed.stdout.split()]


def wait_for(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupt_leaves_no_qemu_and_a_polite_one_no_file(tmp_path: Path, number: signal.Signals) -> None:
    disk = sector.disk(tmp_path / "disk.raw", (sector.COM1, "Loading\n"))
    output = tmp_path / "output"
    argv = (sys.executable, "-m", "ci_toolkit", "boot", disk, "--firmware", "bios", "--output", output)
    log = output / "bios.serial.log"
    with subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_for(lambda: log.exists() and b"Loading" in log.read_bytes())
            (qemu,) = children(process.pid)
            call = Path(f"/proc/{qemu}/cmdline").read_text(encoding="utf-8")
            limits = Path(f"/proc/{qemu}/limits").read_text(encoding="ascii")
        except BaseException:
            process.kill()
            raise
        process.send_signal(number)
        process.communicate(timeout=60)
    # A guest cannot fill the disk of this machine: of EFBIG it hears as an error of its own disk.
    assert re.search(r"^Max file size +\d+ ", limits, re.MULTILINE)
    assert process.returncode == (130 if number is not signal.SIGKILL else -9)
    wait_for(lambda: not Path(f"/proc/{qemu}").exists())
    found = re.search(r"path=(/tmp/ci-toolkit-\w+)/console", call)
    assert found is not None
    if number is signal.SIGKILL:
        shutil.rmtree(found[1], ignore_errors=True)  # which nobody could do
    assert not Path(found[1]).exists()
    assert [path.name for path in output.iterdir()] == ["bios.serial.log"]
