"""What has to be unpacked before QEMU may have it: boxes, clouds' archives, compressed disks, VMDK, VDI, VHD, VHDX.

A disk of those formats may name other files of this machine, so our own readers take it out, as raw bytes.
"""

import json
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ci_toolkit import process
from ci_toolkit.boot.outcome import Boot, Check
from ci_toolkit.console import Console
from ci_toolkit.errors import FULL, HostError, UnreadableError
from ci_toolkit.host import leftovers
from ci_toolkit.images.archives import tar
from ci_toolkit.images.data import Data, OpenFile, whole
from ci_toolkit.images.disks.kinds import DISKS
from ci_toolkit.images.entry import Entry, Kind
from ci_toolkit.images.limits import MIB, Budget, Limits
from ci_toolkit.images.read import COMPRESSIONS, identify
from ci_toolkit.process import MINIMAL, Command

CHECK: Final = "vagrant box add"

_DISKS: Final = tuple(one.name for one in DISKS)
_METADATA: Final = "metadata.json"
_METADATA_MAX: Final = 1 * MIB
# How a box calls its disk (vagrant-libvirt's older form, VirtualBox's), and the tarballs of Google.
_DISK_NAMES: Final = (("box.img",), ("disk.raw",))
_SUFFIXES: Final = (".vmdk", ".qcow2", ".vdi", ".vhdx", ".vhd", ".img", ".raw")
_NAME: Final = "ci-toolkit-boot"
# How the directory of a run is called.
_RUN: Final = ".ci-toolkit-"
_SECONDS: Final = 900.0
# What is left of the disk that things are unpacked to.
_SPARED: Final = 1 << 30
HINT: Final = "Give a disk image, a Vagrant box, a netboot directory, or a container image."


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """The disk that was taken out, at `path`; `provider` is that of a Vagrant box, "" where it is none."""

    path: Path
    provider: str = ""


@contextmanager
def opened(path: Path, room: Path, console: Console) -> Iterator[Unpacked | None]:
    """Yield the disk in the file at PATH, unpacked in the directory ROOM; None where QEMU can have it as it is.

    Raises UnreadableError where there is none in it, HostError where it does not fit.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from error
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            yield None
            return
        data = whole(OpenFile(fd=fd, size=found.st_size, name=os.fspath(path)))
        known = identify(data)
        if known is None or known.name not in {*COMPRESSIONS, "tar", *_DISKS} - {"qcow2"}:
            yield None
            return
        console.say(f"Unpacking {path}")
        budget = Budget(Limits().scaled(found.st_blocks * 512))
        disk, provider = _disk(path, data, budget)
        with leftovers.directory(room, _RUN) as place:
            target = place / "disk.raw"
            _write(_raw(path, disk, budget), target)
            yield Unpacked(path=target, provider=provider)
    finally:
        os.close(fd)


def _disk(path: Path, data: Data, budget: Budget) -> tuple[Data, str]:
    """Return what holds the disk, and the provider of a box."""
    known = identify(data)
    if known is not None and known.name in COMPRESSIONS:
        opened = known.read(data, budget)
        inner = opened.entries[0].data if opened.entries else None
        if inner is None:
            raise UnreadableError(f"{path} cannot be decompressed", hint=HINT)
        data, known = inner, identify(inner)
    if known is None or known.name != "tar":
        return data, ""
    files = {
        entry.path.removeprefix("./"): entry
        for entry in tar.read(data, budget).entries
        if entry.kind is Kind.FILE and entry.data is not None
    }
    told = _metadata(files.get(_METADATA))
    provider = told.get("provider")
    found = _named(files, told)
    if found is None or found.data is None:
        raise UnreadableError(f"{path} holds no disk that is known: no box, and no archive of a disk", hint=HINT)
    return found.data, provider if isinstance(provider, str) else ""


def _metadata(entry: Entry | None) -> Mapping[str, object]:
    if entry is None or entry.data is None or entry.size > _METADATA_MAX:
        return {}
    try:
        told = json.loads(entry.data.read_at(0, entry.size))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _named(files: Mapping[str, Entry], told: Mapping[str, object]) -> Entry | None:
    """Return the first disk: the one that the box's metadata names, or the one that is called as disks are."""
    disks = told.get("disks")
    first = disks[0] if isinstance(disks, list) and disks else None
    name = first.get("path") if isinstance(first, dict) else None
    if isinstance(name, str) and name in files:
        return files[name]
    for names in _DISK_NAMES:
        if names[0] in files:
            return files[names[0]]
    return next((files[one] for one in sorted(files) if "/" not in one and one.endswith(_SUFFIXES)), None)


def _raw(path: Path, data: Data, budget: Budget) -> Data:
    """Return the raw disk in DATA. Raises UnreadableError where other files are needed for it."""
    known = identify(data)
    if known is None or known.name not in _DISKS:
        return data
    opened = known.read(data, budget)
    if opened.skipped or not opened.entries or opened.entries[0].data is None:
        reason = opened.skipped[0][1] if opened.skipped else "it holds no disk"
        raise UnreadableError(f"{path}: {reason}", hint="Give a disk that needs no other file.")
    return opened.entries[0].data


def _write(data: Data, target: Path) -> None:
    """Write DATA to TARGET, with holes where it has zeros. Raises HostError where that does not fit."""
    left = shutil.disk_usage(target.parent).free - _SPARED
    zeros = bytes(MIB)
    try:
        with target.open("wb") as file:
            file.truncate(data.size)
            offset = 0
            while offset < data.size:
                hole = data.hole_until(offset)
                if hole > offset:
                    offset = hole
                    continue
                piece = data.read_at(offset, MIB)
                if piece != zeros[: len(piece)]:
                    left -= len(piece)
                    if left < 0:
                        raise OSError(FULL[0], "full")
                    file.seek(offset)
                    file.write(piece)
                offset += len(piece)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise HostError(
            f"the disk is full: no room for what is unpacked in {target.parent.parent}", hint="Name another --output."
        ) from error


def added(boots: tuple[Boot, ...], path: Path, provider: str, room: Path, console: Console) -> tuple[Boot, ...]:
    """Return BOOTS, of which the first tells how the real Vagrant took the box at PATH, where there is one."""
    if not boots:
        return boots
    with console.step("Add the box with Vagrant"):
        check = _add(path, provider, room)
    if check is None:
        note = "Vagrant is not installed here: that it takes the box was not tried."
        return (replace(boots[0], notes=(*boots[0].notes, note)), *boots[1:])
    return (replace(boots[0], checks=(*boots[0].checks, check)), *boots[1:])


def _add(path: Path, provider: str, room: Path) -> Check | None:
    """Let Vagrant add the box, in a home of its own, and remove it again; None where there is no Vagrant."""
    if shutil.which("vagrant", path=MINIMAL["PATH"]) is None:
        return None
    deadline = time.monotonic() + _SECONDS
    with leftovers.directory(room, _RUN) as place:
        home = os.fspath(place)
        environment = {**MINIMAL, "HOME": home, "TMPDIR": home, "VAGRANT_HOME": f"{home}/vagrant"}
        environment["VAGRANT_CHECKPOINT_DISABLE"] = "1"
        limit = f"--fsize={max(shutil.disk_usage(room).free - _SPARED, _SPARED)}"
        of_provider = ("--provider", provider) if provider else ()
        calls = (
            ("add", "--name", _NAME, *of_provider, "--", os.fspath(path.absolute())),
            ("remove", "--all", "--force", _NAME),
        )
        said = ""
        for call in calls:
            command = Command(argv=("prlimit", limit, "vagrant", "box", *call), environment=environment)
            done = process.run(command, timeout_seconds=max(1.0, deadline - time.monotonic()))
            said += done.stdout + done.stderr
            if not done.ok:
                reason = "it took too long" if done.late else ""
                return Check(name=CHECK, exit_code=None if done.late else done.exit_code, output=said, reason=reason)
    return Check(name=CHECK, exit_code=0, output=said)
