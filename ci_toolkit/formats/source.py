"""The disk that is converted: what of it is not zero, what it is known by, and what lies on it.

Nothing here depends on how the file lies on this machine: a hole and written zeros are the same.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID, uuid5

from ci_toolkit.errors import UnreadableError, UsageError
from ci_toolkit.images.data import Data, OpenFile, Run
from ci_toolkit.images.disks.kinds import DISKS
from ci_toolkit.images.entry import Container
from ci_toolkit.images.filesystems.kinds import FILESYSTEMS, ISO9660
from ci_toolkit.images.limits import GIB, KIB, MIB, Budget, Limits
from ci_toolkit.images.partitions.kinds import GPT, MBR
from ci_toolkit.images.read import identify

SECTOR: Final = 512
UNIT: Final = 64 * KIB
_PIECE: Final = MIB
_ZEROS: Final = bytes(_PIECE)
# As large as a VHD can be, and the tables of no format take more than some megabytes up to here.
_LARGEST: Final = 2040 * GIB

# What identifiers are derived in: the UUID (version 5) of the address of this project.
_NAMESPACE: Final = UUID("bdf0e742-8943-5d3d-b6d1-94a162ea2e02")

_TABLES: Final = (GPT.name, MBR.name)
_DISKS: Final = tuple(disk.name for disk in DISKS)
_FILESYSTEMS: Final = tuple(system.name for system in FILESYSTEMS)

Seen = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Disk:
    """A raw disk of `size` bytes, whole sectors.

    `spans` are the (offset, length) of what is not zero, in whole units of UNIT but at the very end; `digest` is the
    SHA-256 of the size and of these units with their places. `table` is the partition table with its partitions, None
    where the disk is one file system.
    """

    name: str
    data: Data
    size: int
    spans: tuple[tuple[int, int], ...]
    digest: str
    table: Container | None
    budget: Budget

    @property
    def held(self) -> int:
        """How many bytes are in units that are not zero."""
        return sum(length for _, length in self.spans)

    def read(self, offset: int, length: int) -> bytes:
        """Return LENGTH bytes from OFFSET on, zeros beyond the end. Raises UnreadableError."""
        found = self.data.read_at(offset, length) if offset < self.data.size else b""
        return found if len(found) == length else found.ljust(length, b"\0")

    def blocks(self, size: int) -> Iterator[int]:
        """Yield the numbers of those blocks of SIZE bytes, a multiple of UNIT, in which there is more than zeros."""
        last = -1
        for offset, length in self.spans:
            for number in range(max(last + 1, offset // size), (offset + length - 1) // size + 1):
                yield number
                last = number

    def uuid(self, role: str) -> UUID:
        """Return the UUID of what plays ROLE for this disk, and for no other."""
        return uuid5(_NAMESPACE, f"{role} {self.digest}")

    def require_table(self) -> Container:
        """Return the partition table. Raises UnreadableError where there is none."""
        if self.table is None:
            raise UnreadableError(
                f"{self.name} has no partition table: no machine boots from it",
                hint="Convert it to tar.zst, oci or docker-archive, or build a disk (Format=disk in mkosi.conf).",
            )
        return self.table


@contextmanager
def open_disk(path: Path, seen: Seen = lambda _: None) -> Iterator[Disk]:
    """Open the image at PATH: a raw disk, a file system, or either in a qcow2, VMDK, VDI, VHD or VHDX.

    It is read once, of which SEEN is told in bytes. Raises UnreadableError.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from error
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableError(f"{path} is not a file", hint="Name the disk image that mkosi built: image.raw.")
        budget = Budget(Limits().scaled(found.st_blocks * 512))
        yield _disk(path, _opened(fd, found.st_size, str(path)), budget, seen)
    finally:
        os.close(fd)


def _opened(fd: int, size: int, name: str) -> Data:
    """Return a file with its holes as holes."""
    root = OpenFile(fd, size, name)
    runs: list[Run] = []
    position = 0
    while position < size:
        try:
            start = min(os.lseek(fd, position, os.SEEK_DATA), size)
        except OSError:  # nothing but a hole up to the end
            start = size
        if start > position:
            runs.append(Run(position, start - position, None))
        position = min(os.lseek(fd, start, os.SEEK_HOLE), size) if start < size else size
        if position > start:
            runs.append(Run(start, position - start, start))
    return Data(root, tuple(runs), size)


def _disk(path: Path, data: Data, budget: Budget, seen: Seen) -> Disk:
    try:
        data, table = _inside(data, budget)
    except UnreadableError as error:
        raise UnreadableError(f"{path}: {error.message}", hint=error.hint) from error
    size = -(-data.size // SECTOR) * SECTOR
    if size > _LARGEST:
        raise UsageError(f"{path} is a disk of {size} bytes, and none of more than {_LARGEST} is converted")
    spans, digest = _scan(data, size, seen)
    name = path.name
    for ending in (".raw", ".img", *(f".{kind}" for kind in _DISKS)):
        name = name.removesuffix(ending)
    return Disk(name=name, data=data, size=size, spans=spans, digest=digest, table=table, budget=budget)


def _inside(data: Data, budget: Budget) -> tuple[Data, Container | None]:
    """Return the raw disk in DATA, with its partition table, if it is no bare file system. Raises UnreadableError."""
    known = identify(data) if data.size else None
    if known is not None and known.name in _DISKS:
        container = known.read(data, budget)
        if not container.entries or container.entries[0].data is None:
            raise UnreadableError(container.skipped[0][1] if container.skipped else "the disk image holds no disk")
        data = container.entries[0].data
        known = identify(data) if data.size else None
    if known is ISO9660 and GPT.recognise(data):
        known = GPT  # a disk that is a disc as well
    if known is not None and known.name in _TABLES:
        return data, known.read(data, budget)
    if known is not None and known.name in _FILESYSTEMS:
        return data, None
    raise UnreadableError(
        f"no partition table and no file system is found{f', but {known.name}' if known else ''}",
        hint="Name the disk image that mkosi built: image.raw, not its compressed form.",
    )


def _scan(data: Data, size: int, seen: Seen) -> tuple[tuple[tuple[int, int], ...], str]:
    """Return the spans that are not zero, and the digest of them."""
    hashed = hashlib.sha256(size.to_bytes(8, "little"))
    spans: list[tuple[int, int]] = []
    offset = 0
    while offset < data.size:
        hole = data.hole_until(offset) // UNIT * UNIT
        if hole > offset:
            seen(hole - offset)
            offset = hole
            continue
        piece = data.read_at(offset, _PIECE)
        if piece != _ZEROS[: len(piece)]:
            for start in range(0, len(piece), UNIT):
                unit = piece[start : start + UNIT]
                if unit == _ZEROS[: len(unit)]:
                    continue
                length = -(-len(unit) // SECTOR) * SECTOR
                hashed.update((offset + start).to_bytes(8, "little"))
                hashed.update(unit.ljust(length, b"\0"))
                if spans and sum(spans[-1]) == offset + start:
                    spans[-1] = spans[-1][0], spans[-1][1] + length
                else:
                    spans.append((offset + start, length))
        seen(len(piece))
        offset += len(piece)
    return tuple(spans), hashed.hexdigest()
