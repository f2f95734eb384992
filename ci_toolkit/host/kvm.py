"""Prove /dev/kvm by booting a kernel: a node that opens, or even makes a virtual machine, proves nothing.

There are hosts (nested ones, mostly) where a guest hangs in early boot, and hosts where QEMU aborts. So a real kernel
is started without a disk; the proof is its own complaint that it found none.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_toolkit import process
from ci_toolkit.host.capabilities import Capability
from ci_toolkit.host.tools import emulator
from ci_toolkit.process import MINIMAL, Command, Completed

DEVICE: Final = Path("/dev/kvm")

# Where a kernel may lie, the toolkit's own image first; the newest of a pattern is taken.
KERNELS: Final = ("usr/lib/ci-toolkit/vmlinuz", "usr/lib/modules/*/vmlinuz", "boot/vmlinuz-*", "boot/vmlinuz")

# A guest is at its complaint within two seconds on slow hosts with KVM; one that hangs never is.
SECONDS: Final = 10.0

# init/do_mounts.c says it on every architecture.
PROOF: Final = "Unable to mount root"

_FIX_NODE: Final = "Let the job use the node: `--device /dev/kvm`, and mode 0666 by a udev rule on the host."
_FIX_PROOF: Final = (
    "Install QEMU (qemu-system-x86) and a kernel (linux-image-cloud-amd64; Debian's names), or run the doctor in the "
    "toolkit's image, which has both."
)
_FIX_GUEST: Final = "Take another kind of machine: this one's (nested) virtualisation is broken. A VM is emulated here."

# Architecture -> machine type, first serial console, and the processors to try: a plain one is left where QEMU aborts
# over a feature of the richest.
MACHINES: Final = {
    "x86_64": ("q35", "ttyS0", ("max", "qemu64")),
    "aarch64": ("virt", "ttyAMA0", ("max",)),
    "riscv64": ("virt", "ttyS0", ("max",)),
}


def probe(*, device: Path = DEVICE, root: Path = Path("/"), seconds: float = SECONDS) -> Capability:
    """Boot a kernel of ROOT with KVM and return whether it ran; without DEVICE nothing is booted."""
    refused = _refuses(device)
    if refused is not None:
        return _capability(available=False, reason=refused, fix=_FIX_NODE)
    return boot("kvm", kernels=find_kernels(root), seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """How to run a virtual machine: QEMU's name of the accelerator and of the processor, and why this one."""

    name: str
    processor: str
    reason: str


def accelerator(*, device: Path = DEVICE, root: Path = Path("/"), seconds: float = SECONDS) -> Accelerator:
    """Return KVM where a guest ran with it, with the processor that it ran on, else emulation."""
    refused = _refuses(device)
    tried = [] if refused is not None else list(_attempts("kvm", find_kernels(root), seconds))
    for processor, answer in tried:
        if answer.available:
            return Accelerator(name="kvm", processor=processor, reason=answer.reason)
    why = refused or "; ".join(answer.reason for _, answer in tried)
    return Accelerator(name="tcg", processor="max", reason=f"emulated, without KVM: {why}")


def untried() -> Capability:
    """Return the answer of a quick probe, which boots nothing."""
    return _capability(
        available=False, reason="not tried: `ci-toolkit doctor` boots a kernel to prove it", fix=_FIX_PROOF
    )


def boot(accelerator: str, *, kernels: Iterable[Path], seconds: float) -> Capability:
    """Boot the first of KERNELS that can be read with QEMU's ACCELERATOR, "kvm" or "tcg", and judge it."""
    answers = [answer for _, answer in _attempts(accelerator, kernels, seconds)]
    together = "; ".join(answer.reason for answer in answers)
    return answers[-1] if len(answers) == 1 or answers[-1].available else _capability(available=False, reason=together)


def _attempts(accelerator: str, kernels: Iterable[Path], seconds: float) -> Iterator[tuple[str, Capability]]:
    """Yield each processor that was tried with the answer; the last one ran, or hung, or there is no other."""
    machine = os.uname().machine
    kernel = next((path for path in kernels if os.access(path, os.R_OK)), None)
    if machine not in MACHINES or shutil.which(emulator(machine), path=MINIMAL["PATH"]) is None:
        yield (
            "",
            _capability(available=False, reason=f"not proven: {emulator(machine)} is not installed", fix=_FIX_PROOF),
        )
        return
    if kernel is None:
        where = ", ".join(f"/{pattern}" for pattern in KERNELS)
        yield (
            "",
            _capability(available=False, reason=f"not proven: no kernel that can be read at {where}", fix=_FIX_PROOF),
        )
        return
    for processor in MACHINES[machine][2]:
        completed = process.run(command(machine, accelerator, processor, kernel), timeout_seconds=seconds)
        answer = judge(completed, f"{accelerator}, -cpu {processor}", kernel, seconds)
        yield processor, answer
        if answer.available or completed.exit_code == 124:
            return


def command(machine: str, accelerator: str, processor: str, kernel: Path) -> Command:
    """Return the call of QEMU that boots KERNEL with a serial console and nothing else."""
    kind, console, _ = MACHINES[machine]
    return Command(
        argv=(
            *(emulator(machine), "-machine", kind, "-accel", accelerator, "-cpu", processor, "-m", "256", "-smp", "1"),
            *("-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"),
            *("-kernel", os.fspath(kernel), "-append", f"console={console} earlyprintk=serial panic=-1"),
        ),
        directory=Path("/proc"),  # where a QEMU that aborts cannot leave a core file
    )


def judge(completed: Completed, how: str, kernel: Path, seconds: float) -> Capability:
    """Return what the run of QEMU proves: the guest's own words, how far it came, or QEMU's complaint.

    HOW names the accelerator and the processor for the reader.
    """
    lines = [line.strip() for line in completed.stdout.splitlines() if line.strip()]
    if any(PROOF in line for line in lines):
        return _capability(available=True, reason=f"a guest booted {kernel} to its end ({how})")
    if completed.exit_code == 124:
        reached = f"the last it said: {lines[-1][:120]}" if lines else "it said nothing"
        reason = f"the guest hangs ({how}): {seconds:.0f} s after its start {reached}"
    else:
        said = (completed.stderr.strip().splitlines() or lines or ["no message"])[-1]
        reason = f"QEMU ended with exit code {completed.exit_code} ({how}): {said[:200]}"
    return _capability(available=False, reason=reason)


def find_kernels(root: Path = Path("/")) -> tuple[Path, ...]:
    """Return the kernels below ROOT, in the order of KERNELS, the newest name first."""
    return tuple(path for pattern in KERNELS for path in sorted(root.glob(pattern), reverse=True))


def _refuses(device: Path) -> str | None:
    """Return why DEVICE cannot be opened for reading and writing, or None."""
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        return f"{device} is not there"
    except OSError as error:
        return f"{device} (group {_group(device)}): {error.strerror}"
    return None


def _group(device: Path) -> str:
    try:
        return str(device.stat().st_gid)
    except OSError:
        return "unknown"


def _capability(*, available: bool, reason: str, fix: str = _FIX_GUEST) -> Capability:
    return Capability(
        name="kvm",
        available=available,
        reason=reason,
        why="With KVM a virtual machine takes minutes, emulated ten times that; a host where guests hang must not be "
        "trusted with one.",
        fix=fix,
    )
