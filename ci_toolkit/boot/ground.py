"""Where QEMU runs: on this machine, or in a container of the toolkit's image."""

import os
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ci_toolkit import process
from ci_toolkit.boot import firmware
from ci_toolkit.boot.firmware import Firmware
from ci_toolkit.boot.image import BIOS, IPXE, SECURE_BOOT
from ci_toolkit.boot.lines import Running
from ci_toolkit.boot.machine import PROGRAM
from ci_toolkit.console import Console
from ci_toolkit.errors import HostError
from ci_toolkit.host import kvm
from ci_toolkit.host.kvm import Accelerator
from ci_toolkit.process import MINIMAL, Background, Command
from ci_toolkit.runners import hypervisor
from ci_toolkit.runners.container import PYTHON

# QEMU ends when we do, however that was (util-linux).
_LEASH: Final = ("setpriv", "--pdeathsig", "KILL", "--")
_ARCHITECTURE: Final = "x86_64"
# SeaBIOS, and the iPXE of a network card, come with QEMU.
_WITHOUT: Final = (BIOS, IPXE)
_LAST_BYTES: Final = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Directories that QEMU needs: `work` with what it is given, and `room` for what the guest writes to its disk."""

    work: Path
    room: Path


class Ground(Protocol):
    """A place where QEMU can be started."""

    @property
    def accelerator(self) -> Accelerator:
        """What runs the guest's instructions, and why."""

    def uefi(self, kind: str) -> Firmware | None:
        """Return the firmware of KIND, one of those of image.py; None for a BIOS."""

    @property
    def description(self) -> str:
        """Where this is, for the reader."""

    @property
    def python(self) -> str:
        """Return the interpreter that programs beside QEMU can be run with."""

    def start(
        self, argv: tuple[str, ...], places: Places, *, disk: Path, ssh: tuple[str, int] | None
    ) -> AbstractContextManager[Running]:
        """Run QEMU until the context ends; `ssh` is the address here that has to lead to the guest's server."""

    def ssh_inside(self, address: tuple[str, int]) -> tuple[str, int]:
        """Return where QEMU has to listen for what comes to ADDRESS here."""


@contextmanager
def find(environ: Mapping[str, str], console: Console, *, output: Path, kinds: Collection[str]) -> Iterator[Ground]:
    """Yield the place to start QEMU in: here where all is there that the firmware KINDS take, else a container.

    OUTPUT is a directory that a container has to see. Raises HostError with the reasons of both where there is none.
    """
    missing = _missing(kinds)
    if missing is None:
        yield Here(accelerator=_accelerator())
        return
    try:
        found = hypervisor.probe(environ, console, output)
    except HostError as error:
        raise HostError(
            f"nothing here can start an image\nthis machine: {missing}\ncontainer: {error.message}",
            hint="Install qemu-system-x86 and ovmf (Debian's names), or Docker for the toolkit's container.",
        ) from error
    yield Contained(container=found)


def _missing(kinds: Collection[str]) -> str | None:
    if shutil.which(PROGRAM, path=MINIMAL["PATH"]) is None:
        return f"{PROGRAM} is not installed"
    for kind in kinds:
        if kind not in _WITHOUT and _here(kind) is None:
            return f"no firmware for {kind} on x86_64 is described below /usr/share/qemu/firmware (ovmf, edk2-ovmf)"
    return None


def _here(kind: str) -> Firmware | None:
    return None if kind in _WITHOUT else firmware.find(secure=kind == SECURE_BOOT)


def _accelerator() -> Accelerator:
    if os.uname().machine != _ARCHITECTURE:
        return Accelerator(name="tcg", processor="max", reason=f"emulated: this machine is {os.uname().machine}")
    return kvm.accelerator()


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """This machine."""

    accelerator: Accelerator
    description: str = "QEMU of this machine"
    python: str = sys.executable

    def uefi(self, kind: str) -> Firmware | None:
        return _here(kind)

    @contextmanager
    def start(
        self, argv: tuple[str, ...], places: Places, *, disk: Path, ssh: tuple[str, int] | None
    ) -> Iterator[Running]:
        log = places.work / "qemu.log"
        command = Command(argv=(*_LEASH, *argv), environment={**MINIMAL, "TMPDIR": os.fspath(places.room)})
        with process.background(command, log) as child:
            yield Child(child=child, log=log)

    def ssh_inside(self, address: tuple[str, int]) -> tuple[str, int]:
        return address


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """QEMU as a program of ours."""

    child: Background
    log: Path

    def exit_code(self) -> int | None:
        return self.child.exit_code()

    def words(self) -> str:
        with self.log.open("rb") as file:
            said = file.read(_LAST_BYTES).decode("utf-8", "backslashreplace").strip().splitlines()
        return said[-1] if said else "it said nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contained:
    """A container of the toolkit's image for each start."""

    container: hypervisor.Hypervisor
    python: str = PYTHON

    @property
    def accelerator(self) -> Accelerator:
        return self.container.accelerator

    def uefi(self, kind: str) -> Firmware | None:
        if kind in _WITHOUT:
            return None
        code, variables = hypervisor.SECURE_BOOT if kind == SECURE_BOOT else hypervisor.UEFI
        return Firmware(code=code, variables=variables, protected=kind == SECURE_BOOT)

    @property
    def description(self) -> str:
        return self.container.description

    @contextmanager
    def start(
        self, argv: tuple[str, ...], places: Places, *, disk: Path, ssh: tuple[str, int] | None
    ) -> Iterator[Running]:
        with self.container.start(argv, writable=(places.work, places.room), readable=(disk,), port=ssh) as running:
            yield running

    def ssh_inside(self, address: tuple[str, int]) -> tuple[str, int]:
        return hypervisor.SSH
