"""One virtual machine: QEMU with this machine's own root file system, and a port through which it runs programs."""

import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ci_toolkit import process
from ci_toolkit.errors import BuildError, HostError, ToolkitError
from ci_toolkit.host import virtual
from ci_toolkit.host.kvm import MACHINES
from ci_toolkit.host.tools import emulator
from ci_toolkit.process import Background, Command, Completed
from ci_toolkit.runners import listening, port
from ci_toolkit.runners.port import Answer, Boot, Job
from ci_toolkit.runners.runner import INSIDE

# From the start of QEMU to the guest's first word; an emulated processor on a busy machine is slow.
SECONDS: Final = {"kvm": 60.0, "tcg": 300.0}
# It ends when we do, however that was (util-linux).
_LEASH: Final = ("setpriv", "--pdeathsig", "KILL", "--")
_SOCKET_SECONDS: Final = 10.0
_END_SECONDS: Final = 5.0
_LAST_LINES: Final = 8
_NETWORK: Final = ("-netdev", "user,id=network", "-device", "virtio-net-pci,netdev=network")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What a machine is made of: an accelerator and a processor for QEMU, a kernel and its modules, in order to load.

    `memory` and `disk` are in bytes; the disk takes the room that is used.
    """

    accelerator: str
    processor: str
    cpus: int
    memory: int
    disk: int
    kernel: Path
    modules: tuple[Path, ...]
    virtiofsd: str
    network: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The files of a machine: the directory of its sockets, its disk, and what its kernel says."""

    sockets: Path
    disk: Path
    console: Path


@dataclass(kw_only=True)
class Machine:
    """A running machine, which does one job at a time. `console` is the file that has what its kernel said.

    Another thread waits for its turn.
    """

    line: socket.socket
    qemu: Background
    console: Path
    rest: bytearray = field(default_factory=bytearray)
    turn: threading.Lock = field(default_factory=threading.Lock)

    def execute(
        self, command: Command, on_line: Callable[[str], None] | None, timeout_seconds: float | None = None
    ) -> Completed:
        """Run COMMAND as the guest's root and wait for it; see process.run. Raises BuildError when the guest is gone.

        One that is late goes on until the machine is switched off.
        """
        end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        job = Job(argv=command.argv, environment=command.environment, directory=os.fspath(command.directory or "/"))
        with self.turn:
            with self._lost():
                self.line.settimeout(None)
                self.line.sendall(f"{port.encode(job)}\n".encode())
            try:
                while (answer := self._answer(end)).exit_code is None:
                    if on_line is not None:
                        on_line(answer.line)
            except TimeoutError:
                return Completed(command=command, exit_code=124, stdout="", stderr="", late=True)
        return Completed(command=command, exit_code=answer.exit_code, stdout=answer.stdout, stderr=answer.stderr)

    def wait(self, seconds: float) -> None:
        """Wait for the guest's first word. Raises HostError when it does not come within SECONDS."""
        try:
            self._answer(time.monotonic() + seconds, HostError)
        except TimeoutError as error:
            raise HostError(
                f"the virtual machine did not come up; the last it said:\n{self.last_words()}",
                hint="See `ci-toolkit doctor`.",
            ) from error

    def stop(self) -> None:
        """Say no more, upon which the guest switches itself off."""
        with suppress(OSError):
            self.line.shutdown(socket.SHUT_RDWR)

    def last_words(self) -> str:
        """Return the end of what the guest's kernel said."""
        text = self.console.read_text(encoding="utf-8", errors="backslashreplace") if self.console.exists() else ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return "\n".join(lines[-_LAST_LINES:]) or "(nothing)"

    def _answer(self, deadline: float | None, gone: type[ToolkitError] = BuildError) -> Answer:
        """Wait for an answer until DEADLINE, of the monotonic clock. Raises TimeoutError then, GONE without a guest."""
        with self._lost(gone):
            while (end := self.rest.find(b"\n")) < 0:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError
                self.line.settimeout(left)
                chunk = self.line.recv(1 << 16)
                if not chunk:
                    raise ConnectionResetError("it has ended")
                self.rest += chunk
            said = bytes(self.rest[:end])
            del self.rest[: end + 1]
            return port.answer(said)

    @contextmanager
    def _lost(self, gone: type[ToolkitError] = BuildError) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise gone(
                f"the virtual machine is gone ({error}); the last its kernel said:\n{self.last_words()}",
                hint="Did it run out of memory?",
            ) from error


@contextmanager
def boot(hardware: Hardware, *, share: Path, directory: Path) -> Iterator[Machine]:
    """Start a machine that may write to SHARE, wait until it is ready, and switch it off at the end.

    DIRECTORY takes its disk and its logs. Raises HostError when it does not come up.
    """
    with ExitStack() as stack:
        # The path of a socket may have 107 bytes; none is needed any more when all are connected.
        until_connected = stack.enter_context(ExitStack())
        temporary = tempfile.TemporaryDirectory(prefix="ci-toolkit-", dir="/tmp", ignore_cleanup_errors=True)
        sockets = Path(until_connected.enter_context(temporary))
        places = Places(sockets=sockets, disk=directory / "disk", console=directory / "console.log")
        for tag, place, options in (
            (port.ROOT, Path("/"), ("--readonly", "--cache=always")),
            (port.SHARE, share, ("--xattr",)),
        ):
            argv = virtual.virtiofsd(hardware.virtiofsd, socket=sockets / tag, directory=place)
            log = directory / f"{tag}.log"
            daemon = stack.enter_context(process.background(Command(argv=(*_LEASH, *argv, *options)), log))
            _wait(sockets / tag, daemon, log)
        with places.disk.open("wb") as disk:
            disk.truncate(hardware.disk)
        told = Boot(modules=tuple(map(os.fspath, hardware.modules)), inside=os.fspath(INSIDE), share=os.fspath(share))
        log = directory / "qemu.log"
        qemu = stack.enter_context(process.background(command(hardware, told, places), log))
        _wait(sockets / "port", qemu, log)
        line = stack.enter_context(socket.socket(socket.AF_UNIX))
        line.connect(os.fspath(sockets / "port"))
        machine = Machine(line=line, qemu=qemu, console=places.console)
        machine.wait(SECONDS[hardware.accelerator])
        until_connected.close()
        yield machine
        # It switches itself off when nobody listens any more; what is interrupted is ended without asking.
        line.close()
        qemu.wait(_END_SECONDS)


def command(hardware: Hardware, told: Boot, places: Places) -> Command:
    """Return the call of QEMU for a machine."""
    kind, console, _ = MACHINES[os.uname().machine]
    memory = f"{hardware.memory >> 20}M"
    init = f"init={sys.executable} -- -I -m ci_toolkit.runners.guest {port.word(told)}"
    kernel = f"console={console} loglevel=4 panic=-1 rootfstype=virtiofs root={port.ROOT} ro {init}"
    threads = ",thread=multi" if hardware.accelerator == "tcg" else ""
    return Command(
        argv=(
            *_LEASH,
            emulator(os.uname().machine),
            *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
            *("-machine", f"{kind},memory-backend=memory", "-accel", f"{hardware.accelerator}{threads}"),
            *("-cpu", hardware.processor, "-smp", str(hardware.cpus), "-m", memory),
            *("-object", f"memory-backend-memfd,id=memory,size={memory},share=on"),
            *("-kernel", os.fspath(hardware.kernel), "-append", kernel),
            *("-chardev", f"file,id=console,path={_escaped(places.console)}", "-serial", "chardev:console"),
            *_shared(port.ROOT, places),
            *_shared(port.SHARE, places),
            *("-drive", f"if=none,id=disk,format=raw,cache=unsafe,discard=unmap,file={_escaped(places.disk)}"),
            *("-device", f"virtio-blk-pci,drive=disk,serial={port.DISK}"),
            *(_NETWORK if hardware.network else ()),
            *("-device", "virtio-rng-pci", "-device", "virtio-serial-pci"),
            *("-chardev", f"socket,id=port,server=on,wait=off,path={_escaped(places.sockets / 'port')}"),
            *("-device", f"virtserialport,chardev=port,name={port.NAME}"),
        )
    )


def _shared(tag: str, places: Places) -> tuple[str, ...]:
    socket_path = _escaped(places.sockets / tag)
    return ("-chardev", f"socket,id={tag},path={socket_path}", "-device", f"vhost-user-fs-pci,chardev={tag},tag={tag}")


def _escaped(path: Path) -> str:
    """Return PATH as a value among QEMU's options, where a comma stands doubled."""
    return os.fspath(path).replace(",", ",,")


def _wait(path: Path, program: Background, log: Path) -> None:
    listening.wait(path, program, log, seconds=_SOCKET_SECONDS, failed="the virtual machine cannot be started")
