"""What the host says to QEMU and to a guest; the guest's own program answers, without a machine round it."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_toolkit import process
from ci_toolkit.errors import BuildError, HostError
from ci_toolkit.process import MINIMAL, Background, Command
from ci_toolkit.runners import guest, machine, port
from ci_toolkit.runners.machine import Hardware, Machine, Places
from ci_toolkit.runners.port import Answer, Boot


def hardware(**given: object) -> Hardware:
    plain: dict[str, object] = {
        "accelerator": "tcg",
        "processor": "max",
        "cpus": 3,
        "memory": 2 << 30,
        "disk": 10 << 30,
        "kernel": Path("/boot/vmlinuz"),
        "modules": (Path("/m/1.ko"),),
        "virtiofsd": "/usr/libexec/virtiofsd",
    }
    return Hardware(**{**plain, **given})  # type: ignore[arg-type]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Machine, socket.socket]]:
    """A machine whose guest is a thread of this process, and the guest's end of the line."""
    ours, theirs = socket.socketpair()
    with process.background(Command(argv=("sleep", "60")), tmp_path / "log") as child:
        yield Machine(line=ours, qemu=child, console=tmp_path / "console.log"), theirs
    ours.close()
    theirs.close()


@pytest.fixture
def served(running: tuple[Machine, socket.socket]) -> Iterator[Machine]:
    made, theirs = running
    with theirs.makefile("rwb", buffering=0) as line:
        thread = threading.Thread(target=guest.serve, args=(line,))
        thread.start()
        made.wait(10)
        yield made
        made.line.close()
        thread.join(10)
        assert not thread.is_alive(), "the guest goes on when the host is gone"


def test_a_command_runs_with_what_it_was_given_and_nothing_else(served: Machine, tmp_path: Path) -> None:
    command = Command(argv=("/usr/bin/env",), environment={"A": "b c"}, directory=tmp_path)
    assert served.execute(command, None).stdout.splitlines() == ["A=b c"]
    assert served.execute(Command(argv=("pwd",), directory=tmp_path), None).stdout == f"{tmp_path}\n"


def test_lines_come_while_the_program_runs_and_all_of_it_at_the_end(served: Machine) -> None:
    seen: list[str] = []
    script = "echo one; sleep 0.1; echo two >&2; sleep 0.1; printf three; exit 7"
    completed = served.execute(Command(argv=("sh", "-c", script)), seen.append)
    assert seen == ["one\n", "two\n", "three"]
    assert (completed.exit_code, completed.stdout, completed.stderr) == (7, "one\nthree", "two\n")


def test_a_program_that_is_not_there_is_told_as_a_shell_would(served: Machine) -> None:
    completed = served.execute(Command(argv=("no-such-program",)), None)
    assert completed.exit_code == 127
    assert "no-such-program" in completed.stderr


def test_a_guest_that_ends_is_an_error_with_the_last_it_said(running: tuple[Machine, socket.socket]) -> None:
    made, theirs = running
    made.console.write_text("[ 1.0] booting\n[ 2.0] Out of memory: Killed process 1\n")
    theirs.close()
    with pytest.raises(BuildError, match="Out of memory: Killed process 1"):
        made.execute(Command(argv=("true",)), None)


def test_a_command_that_takes_too_long_is_late(running: tuple[Machine, socket.socket]) -> None:
    made, theirs = running
    theirs.sendall(f"{port.encode(Answer(line='busy'))}\n".encode())
    seen: list[str] = []
    late = made.execute(Command(argv=("sleep", "1000")), seen.append, 0.2)
    assert (late.late, late.exit_code, seen) == (True, 124, ["busy"])


def test_a_guest_that_says_nothing_is_not_waited_for_for_ever(running: tuple[Machine, socket.socket]) -> None:
    made, _ = running
    made.console.write_text("[ 1.0] hangs here\n")
    with pytest.raises(HostError, match=r"did not come up; the last it said:\n.*hangs here"):
        made.wait(0.2)


def test_a_guest_that_talks_nonsense_is_an_error(running: tuple[Machine, socket.socket]) -> None:
    made, theirs = running
    for nonsense in (b"{}\n", b"hello\n", b"[]\n", b'{"line":1,"exit_code":"x","stdout":"","stderr":""}\n'):
        theirs.sendall(nonsense)
        with pytest.raises(HostError, match="is gone"):
            made.wait(5)


def test_qemu_is_told_what_the_machine_is_made_of(tmp_path: Path) -> None:
    told = Boot(modules=(), inside="/inside", share="/share")
    places = Places(sockets=tmp_path / "a,b", disk=tmp_path / "disk", console=tmp_path / "console")
    argv = machine.command(hardware(), told, places).argv
    text = " ".join(argv)
    assert "-smp 3 -m 2048M" in text
    assert f"path={tmp_path}/a,,b/root" in text, "a comma in a path is doubled"
    assert argv[argv.index("-append") + 1].endswith(
        f"init={sys.executable} -- -I -m ci_toolkit.runners.guest {port.word(told)}"
    )
    assert "kvm" not in text
    assert text.count("network") == 2
    assert "network" not in " ".join(machine.command(hardware(network=False), told, places).argv)
    assert "-accel kvm " in " ".join(machine.command(hardware(accelerator="kvm"), told, places).argv)


def test_qemu_takes_every_option(tmp_path: Path) -> None:
    """QEMU's own word: it reads all of them, and then finds no kernel."""
    program = shutil.which(f"qemu-system-{os.uname().machine}", path=MINIMAL["PATH"])
    if program is None:
        pytest.skip("QEMU is not installed")
    told = Boot(modules=(), inside="/inside", share="/share")
    places = Places(sockets=tmp_path, disk=tmp_path / "disk", console=tmp_path / "console")
    places.disk.write_bytes(bytes(1 << 20))
    listeners = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    for tag, listener in zip((port.ROOT, port.SHARE), listeners, strict=True):
        listener.bind(str(tmp_path / tag))
        listener.listen()
    command = machine.command(hardware(memory=64 << 20, cpus=1, kernel=tmp_path / "none"), told, places)
    completed = process.run(command, timeout_seconds=20)
    for listener in listeners:
        listener.close()
    assert "none" in completed.stderr and "could not" in completed.stderr.lower(), completed.stderr


def test_what_cannot_be_started_is_said_in_its_own_words(tmp_path: Path) -> None:
    daemon = tmp_path / "virtiofsd"
    daemon.write_text("#!/bin/sh\necho it cannot do that >&2\nexit 1\n")
    daemon.chmod(0o755)
    with (
        pytest.raises(HostError, match="it cannot do that"),
        machine.boot(hardware(virtiofsd=str(daemon)), share=tmp_path, directory=tmp_path),
    ):
        pytest.fail("there is no such machine")


def test_a_program_in_the_background_ends_with_its_children(tmp_path: Path) -> None:
    argv = ("sh", "-c", "sleep 1000 & echo $!; wait")
    with process.background(Command(argv=argv), tmp_path / "log") as child:
        assert isinstance(child, Background)
        assert child.wait(0.3) is None
        pid = int((tmp_path / "log").read_text())
        assert subprocess.run(("kill", "-0", str(pid)), check=False).returncode == 0
    assert child.exit_code() == 128 + 15
    assert subprocess.run(("kill", "-0", str(pid)), check=False, capture_output=True).returncode != 0
