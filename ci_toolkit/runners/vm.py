"""Build in a virtual machine: the way that is left where no user namespace can be had."""

import os
import shutil
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ci_toolkit.errors import HostError
from ci_toolkit.host import kvm, virtual
from ci_toolkit.host.capabilities import Capabilities
from ci_toolkit.host.environment import Environment
from ci_toolkit.process import MINIMAL, Command, Completed
from ci_toolkit.runners import machine
from ci_toolkit.runners.machine import Hardware, Machine
from ci_toolkit.runners.runner import INSIDE, Request
from ci_toolkit.runners.sandbox import NamespaceSandbox

NAME = "vm"
NEEDS = ("qemu", "virtiofsd", "guest-kernel")

_CONSOLE: Final = "console.log"
_PACKAGES: Final = INSIDE / "packages"


def obstacles(capabilities: Capabilities) -> tuple[str, ...]:
    """Return what is missing here for a virtual machine."""
    missing = (capabilities[name] for name in NEEDS)
    return tuple(f"{c.name}: {c.reason}" for c in missing if not c.available)


@contextmanager
def start(request: Request) -> Iterator["VirtualPlace"]:
    """Boot a machine and switch it off at the end; what its kernel said is kept where that ends badly.

    Raises HostError when it does not come up.
    """
    accelerator = kvm.accelerator()
    hardware = _hardware(accelerator, request)
    base = request.scratch.parent
    request.console.say(f"Booting a virtual machine: {accelerator.reason}")
    try:
        with machine.boot(hardware, share=base, directory=base) as running:
            place = VirtualPlace(machine=running, request=request, hardware=hardware)
            place.fetch_packages()
            yield place
            place.keep_packages()
    except BaseException:
        console = base / _CONSOLE
        if console.exists() and console.stat().st_size:
            request.console.say(f"What the machine's kernel said: {request.rescue(console)}")
        raise


def _hardware(accelerator: kvm.Accelerator, request: Request) -> Hardware:
    kernel, modules, virtiofsd = virtual.find_kernel(), virtual.modules(), virtual.find_virtiofsd()
    if kernel is None or virtiofsd is None:
        raise HostError("nothing here boots a virtual machine", hint="See `ci-toolkit doctor`.")
    room = os.statvfs(request.scratch)
    return Hardware(
        accelerator=accelerator.name,
        processor=accelerator.processor,
        cpus=len(os.sched_getaffinity(0)),
        memory=virtual.memory(),
        disk=room.f_bavail * room.f_frsize // 4096 * 4096,
        kernel=kernel,
        modules=modules,
        virtiofsd=virtiofsd,
        network=request.network,
    )


@dataclass(kw_only=True)
class VirtualPlace:
    """A running machine, whose scratch disk is INSIDE; `seen` are the caller's files that it has already."""

    machine: Machine
    request: Request
    hardware: Hardware
    seen: set[str] = field(default_factory=set)
    copying: threading.Lock = field(default_factory=threading.Lock)

    one_at_a_time = "the virtual machine does one job after the other"
    toolkit_image = None

    def stop(self) -> None:
        """Let the machine end with whatever it does."""
        self.machine.stop()

    @property
    def cannot_vary(self) -> Mapping[str, str]:
        return {}

    @property
    def emulated(self) -> bool:
        return self.hardware.accelerator != "kvm"

    @property
    def description(self) -> str:
        hardware = self.hardware
        how = "emulated" if self.emulated else "KVM"
        network = "" if hardware.network else ", no network"
        return f"vm: QEMU, {how}, {hardware.cpus} processors, {hardware.memory >> 20} MiB{network}"

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

    def sandbox(self, environment: Environment) -> "VirtualSandbox":
        """Return a sandbox in the machine with the surroundings ENVIRONMENT."""
        return VirtualSandbox(
            place=self,
            inner=NamespaceSandbox(
                environment=environment,
                execute=self.execute,
                python=sys.executable,
                scratch=INSIDE,
                packages=_PACKAGES,
                bind=False,
                may_chown=True,
                caller=(os.getuid(), os.getgid()),
            ),
        )

    def execute(
        self, command: Command, on_line: Callable[[str], None] | None, timeout_seconds: float | None
    ) -> Completed:
        """Run COMMAND as the machine's root, after what the caller put into the scratch directory has been copied."""
        with self.copying:
            new = {path.name for path in self.request.scratch.iterdir()} - self.seen
            for name in sorted(new):
                self.copy(self.request.scratch / name, INSIDE / name)
            self.seen |= new
        return self.machine.execute(command, on_line, timeout_seconds)

    def copy(self, source: Path, target: Path) -> None:
        """Copy SOURCE to TARGET, both as the machine sees them, owned by its root, with holes. Raises HostError."""
        self.demand("mkdir", "--parents", "--", os.fspath(target.parent))
        options = ("--recursive", "--no-dereference", "--preserve=mode,timestamps,links", "--sparse=always")
        self.demand("cp", *options, "--", os.fspath(source), os.fspath(target))

    def demand(self, *argv: str) -> str:
        """Run ARGV as the machine's root and return what it wrote. Raises HostError when it fails."""
        command = Command(argv=argv, environment=MINIMAL)
        completed = self.machine.execute(command, None)
        if not completed.ok:
            raise HostError(f"{command.shown()} failed in the virtual machine: {completed.stderr.strip()}")
        return completed.stdout

    def fetch_packages(self) -> None:
        """Copy the package cache in: it lies on the scratch disk, where any user can own it, while the machine runs."""
        shared = self.request.scratch.parent / "cached"
        shutil.copytree(self.request.packages, shared, symlinks=True, copy_function=_link)
        self.copy(shared, _PACKAGES)
        shutil.rmtree(shared)

    def keep_packages(self) -> None:
        """Copy back what is new in the package cache; where that fails, the next build fetches it again."""
        try:
            self._copy_packages_back()
        except (HostError, OSError) as error:
            self.request.console.warn(f"new packages did not get into the cache: {error}")

    def _copy_packages_back(self) -> None:
        base, packages = self.request.scratch.parent, self.request.packages
        listed = self.demand("find", os.fspath(_PACKAGES), "-type", "f", "-printf", "%s %Ts %P\n")
        rows = (line.split(" ", 2) for line in listed.splitlines())
        new = [name for size, time, name in rows if _stamp(packages / name) != (int(size), int(time))]
        if not new:
            return
        (base / "new.list").write_text("".join(f"{name}\0" for name in new), encoding="utf-8")
        archive = base / "new.tar"
        wanted = (f"--directory={_PACKAGES}", "--null", f"--files-from={base / 'new.list'}")
        self.demand("tar", "--create", f"--file={archive}", *wanted)
        with tarfile.open(archive) as found:
            found.extractall(packages, filter="data")
        archive.unlink()


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, int(found.st_mtime)


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualSandbox:
    """Commands run through `launch` in the machine; files go in and out through what both sides see."""

    place: VirtualPlace
    inner: NamespaceSandbox

    def run(
        self,
        command: Command,
        *,
        on_line: Callable[[str], None] | None = None,
        timeout_seconds: float | None = None,
    ) -> Completed:
        """Run COMMAND as root of a namespace in the machine; see process.Sandbox."""
        return self.inner.run(command, on_line=on_line, timeout_seconds=timeout_seconds)

    def attach(self, command: Command) -> int:
        """Refuse; see sandbox.unattached."""
        return self.inner.attach(command)

    def copy_in(self, source: Path, target: Path) -> None:
        """Copy SOURCE, below the directory of the run, to TARGET and give everything there to the build's root."""
        self.place.copy(source, target)
        self.inner.own(target)

    def copy_out(self, source: Path, target: Path) -> None:
        """Move SOURCE to TARGET, below the directory of the run; there it is the caller's."""
        self.place.copy(source, target)
        self.place.demand("rm", "--recursive", "--", os.fspath(source))

    def make(self, *directories: Path) -> None:
        """Make DIRECTORIES in the machine for the build's root."""
        self.inner.make(*directories)

    def share(self, source: Path, target: Path) -> None:
        """Copy what SOURCE has and TARGET lacks, both in the machine."""
        self.inner.share(source, target)

    def own(self, *places: Path) -> None:
        """Give PLACES in the machine to the build's root."""
        self.inner.own(*places)

    def give_back(self, place: Path) -> None:
        """Copy the package cache back where PLACE is that; leave others, nobody else is in the machine."""
        if place == _PACKAGES:
            self.place.keep_packages()
