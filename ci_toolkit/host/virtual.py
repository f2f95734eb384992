"""What a virtual machine for builds needs of this machine: a kernel with its modules, virtiofsd, memory."""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from ci_toolkit import process
from ci_toolkit.host.capabilities import Capability
from ci_toolkit.process import MINIMAL, Command

# The kernel of the toolkit's own image; it mounts virtiofs without an initrd, for which others need modules.
HOME: Final = Path("/usr/lib/ci-toolkit")
_KERNEL: Final = "vmlinuz"
# The files of its modules, in the order in which they are loaded.
_MODULES: Final = "modules"

# What a guest hides with file systems in memory; the toolkit itself must not lie there.
_HIDDEN: Final = ("/tmp", "/var/tmp", "/run", "/dev", "/proc", "/sys")
_VIRTIOFSD_DIRECTORIES: Final = "/usr/libexec:/usr/lib/virtiofsd:/usr/lib:/usr/lib/qemu"

# virtiofsd makes its socket, then gives up what it does not need, which is where it may be refused.
_SECONDS: Final = 3.0
_SETTLES_SECONDS: Final = 0.1

_GIB: Final = 1 << 30
_LEAST_MEMORY: Final = 1 * _GIB
_MOST_MEMORY: Final = 8 * _GIB
_CGROUP: Final = Path("/sys/fs/cgroup")


def probe_virtiofsd() -> Capability:
    """Start virtiofsd and tell whether it waits for a guest; a root without capabilities cannot run it."""
    program = find_virtiofsd()
    refused = "virtiofsd is not installed" if program is None else _refusal(program)
    return Capability(
        name="virtiofsd",
        available=refused is None,
        reason=refused or f"{program} waits for a guest",
        why="It lets a virtual machine have this machine's files.",
        fix="Use the toolkit's container, with Docker's default capabilities or as a plain user.",
    )


def virtiofsd(program: str, *, socket: Path, directory: Path) -> tuple[str, ...]:
    """Return the call that lets the guest at SOCKET have DIRECTORY.

    Of the capabilities that virtiofsd wants, a container's root lacks one; without it, files are held open.
    """
    options = ("--sandbox=none", "--no-announce-submounts", "--inode-file-handles=never", "--modcaps=-dac_read_search")
    return (program, *options, f"--socket-path={socket}", f"--shared-dir={directory}")


def _refusal(program: str) -> str | None:
    with tempfile.TemporaryDirectory(prefix="ci-toolkit-", dir="/tmp") as name:
        socket, log = Path(name, "socket"), Path(name, "log")
        command = Command(argv=virtiofsd(program, socket=socket, directory=Path(name)))
        deadline = time.monotonic() + _SECONDS
        with process.background(command, log) as child:
            while not socket.exists() and child.exit_code() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            if socket.exists() and child.wait(_SETTLES_SECONDS) is None:
                return None
        said = log.read_text(encoding="utf-8", errors="backslashreplace").strip().splitlines()
        return f"virtiofsd does not run: {said[-1] if said else 'it said nothing'}"


def probe_kernel(home: Path = HOME, python: str = sys.executable) -> Capability:
    """Tell whether there is a kernel to boot, and whether its guest would find the toolkit."""
    kernel = find_kernel(home)
    hidden = next((place for place in _HIDDEN if Path(python).is_relative_to(place)), None)
    if kernel is None:
        reason = f"there is no kernel with modules in {home}"
    elif hidden is not None:
        reason = f"the toolkit lies in {hidden}, which a guest does not see"
    else:
        reason = f"{kernel}, {len(modules(home))} modules"
    return Capability(
        name="guest-kernel",
        available=kernel is not None and hidden is None,
        reason=reason,
        why="A virtual machine boots this machine's own files, with a kernel that can mount them by itself.",
        fix="Use the toolkit's container, which has one.",
    )


def find_virtiofsd() -> str | None:
    """Return the path of virtiofsd, which distributions keep outside PATH."""
    return shutil.which("virtiofsd", path=f"{MINIMAL['PATH']}:{_VIRTIOFSD_DIRECTORIES}")


def find_kernel(home: Path = HOME) -> Path | None:
    """Return the kernel to boot, None where there is none."""
    kernel = home / _KERNEL
    return kernel if os.access(kernel, os.R_OK) and (home / _MODULES).is_dir() else None


def modules(home: Path = HOME) -> tuple[Path, ...]:
    """Return the modules that the kernel needs, in the order in which they are loaded."""
    return tuple(sorted((home / _MODULES).glob("*.ko*")))


def memory(cgroup: Path = _CGROUP) -> int:
    """Return how many bytes of memory a guest may have: half of what is free, within bounds."""
    return max(_LEAST_MEMORY, min(_MOST_MEMORY, free_memory(cgroup) // 2)) >> 20 << 20


def free_memory(cgroup: Path = _CGROUP) -> int:
    """Return how many bytes of memory are free, within the limit of the control group."""
    free = _available()
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            free = min(free, int((cgroup / name).read_text(encoding="ascii")))
        except (OSError, ValueError):  # there is none, or it says "max"
            continue
    return free


def _available() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return _MOST_MEMORY
