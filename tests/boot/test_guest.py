"""What a guest is handed: the unit in the judgement of systemd's own program, the strings as systemd reads them."""

import base64
from pathlib import Path

import pytest
from bench import run

from ci_toolkit.boot import guest
from ci_toolkit.errors import UsageError


def script(path: Path, content: bytes) -> guest.Script:
    path.write_bytes(content)
    (found,) = guest.read_scripts([path])
    return found


def credentials(strings: tuple[str, ...]) -> dict[str, bytes]:
    prefix = "io.systemd.credential.binary:"
    pairs = (one.removeprefix(prefix).split("=", 1) for one in strings if one.startswith(prefix))
    return {name: base64.b64decode(value, validate=True) for name, value in pairs}


@pytest.mark.parametrize(
    ("first", "interpreter"),
    [
        (b"echo", ("/bin/sh",)),
        (b"#!/bin/bash", ("/bin/bash",)),
        (b"#! /usr/bin/env python3", ("/usr/bin/env", "python3")),
        (b"#!/bin/sh -eu\r", ("/bin/sh", "-eu")),
        (b"", ("/bin/sh",)),
    ],
)
def test_a_check_is_called_by_its_interpreter(tmp_path: Path, first: bytes, interpreter: tuple[str, ...]) -> None:
    assert script(tmp_path / "check", first + b"\ntrue\n").interpreter == interpreter


@pytest.mark.parametrize("first", [b"#!sh", b"#!", b"#!/bin/sh $(x)", b'#!/bin/sh "', b"#!/bin/sh %n", b"\x7fELF\0"])
def test_what_cannot_be_called_is_refused(tmp_path: Path, first: bytes) -> None:
    with pytest.raises(UsageError):
        script(tmp_path / "check", first + b"\n")


def test_too_much_is_refused(tmp_path: Path) -> None:
    (tmp_path / "check").write_bytes(b"x" * (guest.CHECKS_MAX // 2 + 1))
    with pytest.raises(UsageError, match="more than 512 KiB together"):
        guest.read_scripts([tmp_path / "check"] * 2)
    with pytest.raises(UsageError, match="there are 101 checks"):
        guest.read_scripts([tmp_path / "check"] * 101)
    with pytest.raises(UsageError, match="Is a directory"):
        guest.read_scripts([tmp_path])


def test_the_guest_gets_each_script_as_it_is_and_a_unit_that_systemd_takes(tmp_path: Path) -> None:
    scripts = [script(tmp_path / "a", b"\x00\xff".join([b"true\n"] * 2)), script(tmp_path / "b", b"#!/bin/sh -e\n")]
    strings = guest.strings(scripts, emulated=False, more=[("ssh.authorized_keys.root", b"key")])
    found = credentials(strings)
    assert found["ci-toolkit.check.0"] == scripts[0].content
    assert found["ci-toolkit.check.1"] == scripts[1].content
    assert found["ssh.authorized_keys.root"] == b"key"
    assert sum(one.startswith("io.systemd.stub.kernel-cmdline-extra=") for one in strings) == 1
    assert not [one for one in strings if "timeout" in one]
    unit = tmp_path / guest.SERVICE
    unit.write_bytes(found[f"systemd.extra-unit.{guest.SERVICE}"])
    assert f'%d/{guest.RUN} {guest.PORT} %d "/bin/sh" "/bin/sh -e"\n' in unit.read_text(encoding="utf-8")
    run("systemd-analyze", "verify", unit)


def test_a_slow_processor_is_no_fault_of_the_image() -> None:
    patient = [one for one in guest.strings((), emulated=True) if one.startswith("io.systemd.stub.")]
    assert patient == [
        "io.systemd.stub.kernel-cmdline-extra=console=tty0 console=ttyS0 systemd.firstboot=no no_timer_check "
        "systemd.default_timeout_start_sec=900 systemd.default_device_timeout_sec=900"
    ]


def test_the_guests_script_has_no_fault_that_shellcheck_knows() -> None:
    run("shellcheck", "--shell=sh", Path(guest.__file__).with_name("guest.sh"))
