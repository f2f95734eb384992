"""The boot sector of FAT12, FAT16 and FAT32, and the chains of clusters in the allocation table.

The layout is that of Microsoft's "FAT: General Overview of On-Disk Format".
"""

import struct
import sys
from array import array
from dataclasses import dataclass
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data

_BOOT: Final = struct.Struct("<3s8sHBHBHHBHHHII")
_FAT32: Final = struct.Struct("<IHHIHH")
# Cluster counts below these make a table of 12, or of 16, bits.
_FAT12_MAX: Final = 4085
_FAT16_MAX: Final = 65525
_END: Final = {12: 0xFF8, 16: 0xFFF8, 32: 0x0FFFFFF8}
_CLUSTERS_MAX: Final = 1 << 28
# Of 32 bits, four have no meaning.
_MASK: Final = 0x0FFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """Geometry in bytes. `extended` is where the volume id and label fields begin; `backup` the boot sector's copy."""

    sector: int
    cluster: int
    reserved: int
    copies: int
    table_size: int
    root_offset: int
    root_size: int
    root_cluster: int
    data_offset: int
    clusters: int
    bits: int
    size: int
    system: bytes
    volume_id: int
    label: bytes
    extended: int
    info: int
    backup: int


def recognise(data: Data) -> bool:
    head = data.read_at(0, 512)
    if len(head) < 512 or head[510:] != b"\x55\xaa" or head[0] not in (0xEB, 0xE9):
        return False
    _, _, sector, cluster, reserved, copies, _, _, media, *_ = _BOOT.unpack_from(head)
    return (
        sector in (512, 1024, 2048, 4096)
        and cluster != 0
        and cluster & (cluster - 1) == 0
        and reserved > 0
        and copies in (1, 2)
        and media >= 0xF0
    )


def read_boot(data: Data) -> Boot:
    """Read the boot sector. Raises UnreadableError when it makes no sense or the image ends before its last sector."""
    head = data.read_at(0, 512)
    _, system, sector, per_cluster, reserved, copies, roots, small, _, table16, _, _, _, large = _BOOT.unpack_from(head)
    table32, _, _, root_cluster, info, backup = _FAT32.unpack_from(head, 36)
    wide = table16 == 0
    table = (table32 if wide else table16) * sector
    size = (small or large) * sector
    root_offset = reserved * sector + copies * table
    root_size = -(-roots * 32 // sector) * sector
    data_offset = root_offset + root_size
    clusters = (size - data_offset) // (per_cluster * sector)
    bits = 32 if wide else 12 if clusters < _FAT12_MAX else 16
    extended = 64 if wide else 36
    if not 0 < clusters <= _CLUSTERS_MAX or table * 8 < (clusters + 2) * bits:
        raise UnreadableError("the FAT boot sector is damaged")
    if size > data.size:
        raise UnreadableError(f"the FAT file system has {size} bytes, only {data.size} are here: it is cut")
    return Boot(
        sector=sector, cluster=per_cluster * sector, reserved=reserved * sector, copies=copies, table_size=table,
        root_offset=root_offset, root_size=root_size, root_cluster=root_cluster if wide else 0,
        data_offset=data_offset, clusters=clusters, bits=bits, size=size, system=system,
        volume_id=int.from_bytes(head[extended + 3 : extended + 7], "little"), label=head[extended + 7 : extended + 18],
        extended=extended, info=info * sector if wide else 0, backup=backup * sector if wide else 0,
    )  # fmt: skip


class Table:
    """The first copy of the allocation table."""

    def __init__(self, data: Data, boot: Boot) -> None:
        self._boot = boot
        # No cluster belongs to two files, so all chains together are no longer than the table.
        self._left = 2 * boot.clusters
        raw = data.read_at(boot.reserved, (boot.clusters + 2) * boot.bits + 7 >> 3)
        self._next = _next12(raw) if boot.bits == 12 else _words("H" if boot.bits == 16 else "I", raw)

    def chain(self, first: int) -> list[tuple[int, int]]:
        """Return (first cluster, number of clusters) for each run of a chain. Raises UnreadableError."""
        runs: list[tuple[int, int]] = []
        cluster = first
        table, left, last = self._next, self._left, self._boot.clusters + 2
        while cluster < _END[self._boot.bits]:
            begin = cluster
            # Nearly all of them follow each other, and a kernel has tens of thousands.
            while True:
                if not 2 <= cluster < last or left == 0:
                    self._left = left
                    raise UnreadableError(f"the chain from cluster {first} is damaged")
                left -= 1
                following = table[cluster] & _MASK
                if following != cluster + 1:
                    break
                cluster = following
            runs.append((begin, cluster + 1 - begin))
            cluster = following
        self._left = left
        return runs


def _words(code: str, raw: bytes) -> "array[int]":
    found: array[int] = array(code)
    found.frombytes(raw[: len(raw) // found.itemsize * found.itemsize])
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _next12(raw: bytes) -> "array[int]":
    found = array("H")
    for start in range(0, len(raw) - 2, 3):
        low, middle, high = raw[start : start + 3]
        found.extend((low | (middle & 0xF) << 8, middle >> 4 | high << 4))
    if len(raw) % 3 == 2:
        found.append(raw[-2] | (raw[-1] & 0xF) << 8)
    return found
