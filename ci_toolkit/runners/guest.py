"""The first program of a virtual machine: makes it fit for builds, and runs what comes through its port.

    init=/opt/ci-toolkit/bin/python -- -I -m ci_toolkit.runners.guest '{"share": "/output/.ci-toolkit-x", …}'

The root file system is the host's own, read-only: what is written lies in memory, on the scratch disk, or in the one
directory that is shared.
"""

import contextlib
import ctypes
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from io import RawIOBase
from pathlib import Path
from typing import Final, NoReturn

from ci_toolkit import process
from ci_toolkit.process import Command
from ci_toolkit.runners import port
from ci_toolkit.runners.port import Answer, Boot, Job

# What QEMU's user-mode network gives a guest (its documentation, "Using the user mode network stack").
_ADDRESS: Final = "10.0.2.15/24"
_GATEWAY: Final = "10.0.2.2"
_NAMESERVER: Final = "10.0.2.3"

_MS_NOSUID: Final = 0x2
_MS_NODEV: Final = 0x4
_MS_BIND: Final = 0x1000
_RB_POWER_OFF: Final = 0x4321FEDC
_PORTS: Final = Path("/sys/class/virtio-ports")
_DISKS: Final = Path("/sys/block")
_GROUPS: Final = Path("/sys/fs/cgroup")
_RESERVED: Final = 256 << 20
_PATIENCE_SECONDS: Final = 60.0


def main(arguments: list[str]) -> NoReturn:
    """Set the machine up, serve the host until it says no more, and switch the machine off."""
    try:
        boot = port.boot(arguments[0])
        _mount_kernel()
        _load(boot.modules)
        _network()
        _mount_places(boot)
        agent = os.fork()
        if agent == 0:
            _limit_memory()
            with _device(_PORTS, "name", port.NAME).open("r+b", buffering=0) as line:
                serve(line)
            os._exit(0)
        # The first program is handed every process whose parent is gone.
        while os.wait()[0] != agent:
            continue
    except BaseException:
        traceback.print_exc()  # on the console, which the host keeps
    os.sync()
    ctypes.CDLL(None).reboot(_RB_POWER_OFF)
    os._exit(1)


def _mount_kernel() -> None:
    _mount("proc", "/proc", "proc", _MS_NOSUID)
    _mount("sysfs", "/sys", "sysfs", _MS_NOSUID)
    _mount("devtmpfs", "/dev", "devtmpfs", _MS_NOSUID)
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        Path("/dev", name).symlink_to(f"/proc/self/{target}")
    for place in ("/dev/pts", "/dev/shm"):
        Path(place).mkdir(exist_ok=True)
    _mount("devpts", "/dev/pts", "devpts", _MS_NOSUID, "ptmxmode=0666,mode=0620,gid=5")
    for place in ("/dev/shm", "/tmp", "/var/tmp"):
        _mount("tmpfs", place, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=1777")
    _mount("tmpfs", "/run", "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755")


def _limit_memory() -> None:
    """Put this process, and with it what it will run, into a control group that leaves memory to the rest.

    Without swap the kernel would drop the pages of every program and read them again, for minutes, before it kills the
    one that takes too much; in a group that is full, it kills at once. A kernel without such groups goes on as it did.
    """
    with contextlib.suppress(OSError):
        _mount("cgroup2", os.fspath(_GROUPS), "cgroup2", _MS_NOSUID)
        (_GROUPS / "cgroup.subtree_control").write_text("+memory", encoding="ascii")
        group = _GROUPS / "builds"
        group.mkdir()
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        (group / "memory.max").write_text(str(total - _RESERVED), encoding="ascii")
        (group / "cgroup.procs").write_text("0", encoding="ascii")


def _load(modules: Iterable[str]) -> None:
    for module in modules:
        _call("insmod", module)


def _network() -> None:
    """Set up the one network card, where the host gave one, and the name server behind it."""
    _call("ip", "link", "set", "lo", "up")
    cards = [card.name for card in Path("/sys/class/net").iterdir() if card.name != "lo"]
    for card in cards:
        _call("ip", "address", "add", _ADDRESS, "dev", card)
        _call("ip", "link", "set", card, "up")
        _call("ip", "route", "add", "default", "via", _GATEWAY)
    resolver = Path("/run/resolv.conf")
    resolver.write_text(f"nameserver {_NAMESERVER}\n" if cards else "", encoding="ascii")
    if Path("/etc/resolv.conf").is_file():
        _mount(os.fspath(resolver), "/etc/resolv.conf", None, _MS_BIND)


def _mount_places(boot: Boot) -> None:
    """Mount the scratch disk where builds lie, and what is shared with the host at the path that it has there."""
    disk = _device(_DISKS, "serial", port.DISK)
    # Nothing of this file system outlives the machine: no journal, nothing to be initialised beside the build.
    options = ("-O", "^has_journal", "-E", "lazy_itable_init=0,nodiscard", "-m", "0")
    _call("mke2fs", "-q", "-F", "-t", "ext4", *options, os.fspath(disk))
    Path(boot.inside).mkdir(parents=True)
    _mount(os.fspath(disk), boot.inside, "ext4", 0)
    Path(boot.inside, "lost+found").rmdir()
    # Where the host's own directory is hidden by a file system of ours, there is none yet.
    Path(boot.share).mkdir(parents=True, exist_ok=True)
    _mount(port.SHARE, boot.share, "virtiofs", _MS_NOSUID | _MS_NODEV)


def serve(line: RawIOBase) -> None:
    """Run one job after the other that comes through LINE until the host closes its end."""
    turn = threading.Lock()

    def say(said: Answer) -> None:
        data = memoryview(f"{port.encode(said)}\n".encode())
        with turn:
            while data:
                data = data[line.write(data) or 0 :]

    say(Answer())
    rest = b""
    while chunk := line.read(1 << 16):
        *whole, rest = (rest + chunk).split(b"\n")
        for request in whole:
            say(_run(port.job(request), lambda text: say(Answer(line=text))))


def _run(job: Job, on_line: Callable[[str], None]) -> Answer:
    command = Command(argv=job.argv, environment=job.environment, directory=Path(job.directory))
    completed = process.run(command, on_line=on_line)
    return Answer(exit_code=completed.exit_code, stdout=completed.stdout, stderr=completed.stderr)


def _device(places: Path, attribute: str, wanted: str) -> Path:
    """Return the device node whose ATTRIBUTE in sysfs is WANTED, as soon as it is there. Raises TimeoutError."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for place in places.iterdir() if places.is_dir() else ():
            file = place / attribute
            if file.exists() and file.read_text(encoding="utf-8").strip() == wanted:
                return Path("/dev", place.name)
        time.sleep(0.05)
    raise TimeoutError(f"no device of {places} has the {attribute} {wanted}")


def _call(*argv: str) -> None:
    completed = process.run(Command(argv=argv))
    if not completed.ok:
        raise OSError(f"{completed.command.shown()}: {completed.stderr.strip()}")


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    words = [os.fsencode(word) if word else None for word in (source, target, kind)]
    if libc.mount(*words, flags, options.encode() or None) != 0:
        raise OSError(ctypes.get_errno(), f"mount of {source}: {os.strerror(ctypes.get_errno())}", target)


if __name__ == "__main__":
    main(sys.argv[1:])
