"""What the guest is handed without touching the image: credentials and words for its kernel, in SMBIOS.

systemd reads credentials from the SMBIOS strings of type 11 (systemd.system-credentials(7)); from 256 on its
systemd-debug-generator makes units of them. The strings for the kernel's command line are read by systemd-stub
and systemd-boot, unless Secure Boot is on.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from ci_toolkit.errors import UsageError

SERVICE: Final = "ci-toolkit-boot.service"
RUN: Final = "ci-toolkit.run"
CHECK: Final = "ci-toolkit.check"
# The second serial port of a PC, whose driver every kernel has built in.
PORT: Final = "/dev/ttyS1"

# systemd takes a mebibyte of credentials in all.
CHECKS_MAX: Final = 512 << 10
COUNT_MAX: Final = 100

_UNIT: Final = """\
[Unit]
Description=What ci-toolkit boot asks and checks
ConditionPathExists=!/etc/initrd-release
After=multi-user.target

[Service]
Type=exec
ImportCredential=ci-toolkit.*
RuntimeDirectory=ci-toolkit-boot
ExecStart=/bin/sh %d/{run} {port} %d {interpreters}
"""
_WANTS: Final = f"[Unit]\nWants={SERVICE}\n"

# The last console is the one of programs; the screen is the kernel's own choice where there is none. On its first start
# systemd-firstboot may ask for a locale there, and wait for an answer for ever.
_KERNEL: Final = "console=tty0 console=ttyS0 systemd.firstboot=no"
# That an emulated processor is slow is no fault of the image: its units and devices get ten times as long as usual, and
# the kernel does not panic because the first ticks of its clock come late (no_timer_check, which KVM implies).
_PATIENT: Final = " no_timer_check systemd.default_timeout_start_sec=900 systemd.default_device_timeout_sec=900"
_FOR_KERNEL: Final = ("io.systemd.stub.kernel-cmdline-extra", "io.systemd.boot.kernel-cmdline-extra")

# What a unit's ExecStart= takes as it is, without quotes: an interpreter and, as Linux reads it, one argument.
_INTERPRETER: Final = re.compile(rb"#![ \t]*(/[\w./+-]+)(?:[ \t]+([\w./+=-]+))?[ \t]*\r?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One check: its name for people, what it holds, and the words that call its interpreter."""

    name: str
    content: bytes
    interpreter: tuple[str, ...]


def read_scripts(paths: Sequence[Path]) -> tuple[Script, ...]:
    """Read the checks at PATHS. Raises UsageError for one that is no script, or for too much of them."""
    if len(paths) > COUNT_MAX:
        raise UsageError(f"there are {len(paths)} checks, and {COUNT_MAX} can be handed to a guest")
    scripts = tuple(_read(path) for path in paths)
    if sum(len(script.content) for script in scripts) > CHECKS_MAX:
        raise UsageError(
            f"the checks have more than {CHECKS_MAX >> 10} KiB together", hint="Let them fetch what they need."
        )
    return scripts


def _read(path: Path) -> Script:
    try:
        with path.open("rb") as file:
            content = file.read(CHECKS_MAX + 1)
    except OSError as error:
        raise UsageError(f"the check {path} cannot be read: {error.strerror}", hint="Name a script.") from error
    first = content.partition(b"\n")[0]
    if b"\0" in first:
        raise UsageError(f"the check {path} is no script", hint="Write one that calls the program.")
    if not first.startswith(b"#!"):
        return Script(name=path.name, content=content, interpreter=("/bin/sh",))
    found = _INTERPRETER.fullmatch(first)
    if found is None:
        raise UsageError(f"the first line of the check {path} names no interpreter that can be called")
    return Script(name=path.name, content=content, interpreter=tuple(one.decode() for one in found.groups() if one))


def words(*, emulated: bool) -> str:
    """Return what the kernel is told besides, on its command line; EMULATED tells that its processor is."""
    return _KERNEL + (_PATIENT if emulated else "")


def strings(scripts: Sequence[Script], *, emulated: bool, more: Sequence[tuple[str, bytes]] = ()) -> tuple[str, ...]:
    """Return the SMBIOS strings that make a guest tell how it started and run SCRIPTS; MORE are further credentials.

    EMULATED tells that the guest's processor is.
    """
    interpreters = " ".join(f'"{" ".join(script.interpreter)}"' for script in scripts)
    unit = _UNIT.format(run=RUN, port=PORT, interpreters=interpreters)
    credentials = (
        (f"systemd.extra-unit.{SERVICE}", unit.encode()),
        ("systemd.unit-dropin.multi-user.target", _WANTS.encode()),
        (RUN, (files("ci_toolkit.boot") / "guest.sh").read_bytes()),
        *((f"{CHECK}.{number}", script.content) for number, script in enumerate(scripts)),
        *more,
    )
    return (
        *(f"io.systemd.credential.binary:{name}={base64.b64encode(data).decode()}" for name, data in credentials),
        *(f"{name}={words(emulated=emulated)}" for name in _FOR_KERNEL),
    )
