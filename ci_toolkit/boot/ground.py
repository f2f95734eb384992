"""Where QEMU runs: on this machine, or in a container of the toolkit's image."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ci_toolkit import process
from ci_toolkit.boot import firmware
from ci_toolkit.boot.firmware import Firmware
from ci_toolkit.boot.lines import Running
from ci_toolkit.boot.machine import PROGRAM
from ci_toolkit.console import Console
from ci_toolkit.errors import HostError
from ci_toolkit.host import kvm
from ci_toolkit.host.kvm import Accelerator
from ci_toolkit.process import MINIMAL, Background, Command
from ci_toolkit.runners import hypervisor

# QEMU ends when we do, however that was (util-linux).
_LEASH: Final = ("setpriv", "--pdeathsig", "KILL", "--")
_ARCHITECTURE: Final = "x86_64"
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

    @property
    def uefi(self) -> Firmware | None:
        """The UEFI firmware that is there, None where there is none."""

    @property
    def description(self) -> str:
        """Where this is, for the reader."""

    def start(
        self, argv: tuple[str, ...], places: Places, *, disk: Path, ssh: tuple[str, int] | None
    ) -> AbstractContextManager[Running]:
        """Run QEMU until the context ends; `ssh` is the address here that has to lead to the guest's server."""

    def ssh_inside(self, address: tuple[str, int]) -> tuple[str, int]:
        """Return where QEMU has to listen for what comes to ADDRESS here."""


@contextmanager
def find(environ: Mapping[str, str], console: Console, *, output: Path, needs_uefi: bool) -> Iterator[Ground]:
    """Yield the place to start QEMU in: here where all is there that it takes, else a container.

    OUTPUT is a directory that a container has to see. Raises HostError with the reasons of both where there is none.
    """
    missing = _missing(needs_uefi=needs_uefi)
    if missing is None:
        yield Here(accelerator=_accelerator(), uefi=firmware.find())
        return
    try:
        found = hypervisor.probe(environ, console, output)
    except HostError as error:
        raise HostError(
            f"nothing here can start an image\nthis machine: {missing}\ncontainer: {error.message}",
            hint="Install qemu-system-x86 and ovmf (Debian's names), or Docker for the toolkit's container.",
        ) from error
    yield Contained(container=found)


def _missing(*, needs_uefi: bool) -> str | None:
    if shutil.which(PROGRAM, path=MINIMAL["PATH"]) is None:
        return f"{PROGRAM} is not installed"
    if needs_uefi and firmware.find() is None:
        return "no UEFI firmware for x86_64 is described below /usr/share/qemu/firmware (ovmf, edk2-ovmf)"
    return None


def _accelerator() -> Accelerator:
    if os.uname().machine != _ARCHITECTURE:
        return Accelerator(name="tcg", processor="max", reason=f"emulated: this machine is {os.uname().machine}")
    return kvm.accelerator()


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """This machine."""

    accelerator: Accelerator
    uefi: Firmware | None
    description: str = "QEMU of this machine"

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

    @property
    def accelerator(self) -> Accelerator:
        return self.container.accelerator

    @property
    def uefi(self) -> Firmware | None:
        return Firmware(code=hypervisor.UEFI[0], variables=hypervisor.UEFI[1])

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
