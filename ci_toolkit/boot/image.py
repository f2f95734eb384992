"""The image under test: whether QEMU may open it, and what in it a firmware can start."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data, OpenFile, whole
from ci_toolkit.images.entry import Container, Entry, Kind
from ci_toolkit.images.format import Format
from ci_toolkit.images.limits import Budget, Limits
from ci_toolkit.images.read import identify

BIOS: Final = "bios"
UEFI: Final = "uefi"
SECURE_BOOT: Final = "secure-boot"
# Not on the machine's board, but its network card's.
IPXE: Final = "ipxe"

NETBOOT: Final = "netboot"

# What a UEFI starts of a disk that it has not seen before (UEFI 2.10, 3.5.1.1).
LOADER: Final = "EFI/BOOT/BOOTX64.EFI"

# A partition of type EFI system, as GPT and as MBR name it.
_ESP: Final = ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "0xef")
# The code of a boot sector ends where the MBR has the disk's signature.
_CODE: Final = 440
_SIGNED: Final = b"\x55\xaa"
_SECTOR: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image: `format` is QEMU's word for it, or NETBOOT for a directory that is fetched.

    `lacks` has, for a firmware that finds nothing to start, why. `name` is for people; `box` is what the disk was taken
    out of, and `provider` whose, where that is a Vagrant box.
    """

    path: Path
    format: str
    lacks: Mapping[str, str]
    name: str = ""
    box: Path | None = None
    provider: str = ""

    @property
    def firmware(self) -> tuple[str, ...]:
        """Return the firmware kinds, but Secure Boot, that find something to start; all where that is not known."""
        if self.format == NETBOOT:
            return (IPXE,)
        return tuple(name for name in (BIOS, UEFI) if name not in self.lacks)

    @property
    def title(self) -> str:
        return self.name or self.path.name


def of_netboot(path: Path) -> Image:
    """Return the netboot directory at PATH, which is fetched and is no disk."""
    reason = "it is a netboot directory, which iPXE starts: leave --firmware out"
    return Image(path=path, format=NETBOOT, lacks=dict.fromkeys((BIOS, UEFI, SECURE_BOOT), reason))


def look(path: Path) -> Image:
    """Look at the image at PATH. Raises UnreadableError for what is no raw or whole qcow2 disk.

    A qcow2 may name any file of this machine as the one below it, or as the one with its data; the guest would have it.
    """
    try:
        with _opened(path) as data:
            return _look(path, data)
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from error


@contextmanager
def _opened(path: Path) -> Iterator[Data]:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not path.is_file():
            raise UnreadableError(f"{path} is no file", hint="Give a disk image: raw or qcow2.")
        yield whole(OpenFile(fd=fd, size=os.fstat(fd).st_size, name=os.fspath(path)))
    finally:
        os.close(fd)


def _look(path: Path, data: Data) -> Image:
    if data.size < _SECTOR:
        raise UnreadableError(f"{path} has {data.size} bytes: that is no disk")
    budget = Budget(Limits().scaled(data.size))
    known = identify(data)
    if known is None or known.name in ("gpt", "mbr", "iso9660"):
        return Image(path=path, format="raw", lacks=_lacks(data, known, budget))
    if known.name != "qcow2":
        raise UnreadableError(f"{path} is {known.name}, which is not started", hint="Give a disk: raw or qcow2.")
    opened = known.read(data, budget)
    if opened.skipped:
        raise UnreadableError(f"{path}: {opened.skipped[0][1]}", hint="Give a disk that needs no other file.")
    inside = opened.entries[0].data
    assert inside is not None
    return Image(path=path, format="qcow2", lacks=_lacks(inside, identify(inside), budget))


def _lacks(disk: Data, known: Format | None, budget: Budget) -> Mapping[str, str]:
    if known is not None and known.name == "iso9660":
        return {}  # what El Torito names is for the firmware to judge
    lacks: dict[str, str] = {}
    sector = disk.read_at(0, _SECTOR)
    if sector[510:] != _SIGNED or not any(sector[:_CODE]):
        lacks[BIOS] = "its first sector holds no boot code, which is all that a BIOS starts of a disk"
    missing = (
        "it has no partition table with an EFI system partition" if known is None else _no_loader(disk, known, budget)
    )
    if missing is not None:
        lacks[UEFI] = lacks[SECURE_BOOT] = missing
    return lacks


def _no_loader(disk: Data, table: Format, budget: Budget) -> str | None:
    """Return why a UEFI finds nothing to start, None where it does, or where that cannot be told."""
    try:
        systems = [entry for entry in table.read(disk, budget).entries if _is_system_partition(entry)]
        if not systems:
            return "it has no EFI system partition"
        names: set[str] = set()
        for entry in systems:
            opened = _container(entry.data, budget)
            if opened is None:
                return None
            names |= {one.path.upper() for one in opened.entries if one.kind is Kind.FILE}
    except UnreadableError:
        return None
    return None if LOADER in names else f"its EFI system partition has no {LOADER}"


def _container(data: Data | None, budget: Budget) -> Container | None:
    known = None if data is None else identify(data)
    return None if data is None or known is None or known.name != "vfat" else known.read(data, budget)


def _is_system_partition(entry: Entry) -> bool:
    return any(fact.name == "partition_type" and fact.value in _ESP for fact in entry.facts)
