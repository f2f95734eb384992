"""VHD: dynamic for Virtual PC and Xen, fixed for Azure ("Virtual Hard Disk Image Format Specification", 1.0)."""

import struct
from array import array
from pathlib import Path
from typing import Final

from ci_toolkit.formats.source import SECTOR, Disk
from ci_toolkit.formats.work import Work
from ci_toolkit.images.limits import MIB

_FOOTER: Final = struct.Struct(">8sIIQI4sI4sQQHBBII16sB427x")
_HEADER: Final = struct.Struct(">8sQQIIII16sI4x512s192s256x")
_VERSION: Final = 0x10000
_RESERVED: Final = 2  # a feature that is always set
_FIXED, _DYNAMIC = 2, 3
_NOWHERE: Final = 0xFFFF_FFFF_FFFF_FFFF
_UNUSED: Final = 0xFFFF_FFFF
_BLOCK: Final = 2 * MIB
_BITMAP: Final = _BLOCK // SECTOR // 8
# Programs take the size of the disk from its geometry, which cannot say every size, unless Windows made the image.
_CREATOR: Final = b"win "
_SYSTEM: Final = b"Wi2k"
_CREATOR_VERSION: Final = 0xA0000
# Seconds since 2000: when it was converted is nobody's business.
_MOMENT: Final = 0


def write(work: Work, target: Path) -> None:
    """Write the disk to TARGET, as those blocks in which there is more than zeros."""
    disk = work.disk
    done = work.progress("vhd")
    count = -(-disk.size // _BLOCK)
    table = array("I", [_UNUSED]) * -(-count * 4 // SECTOR * SECTOR // 4)
    footer = _footer(disk, disk.size, _DYNAMIC, "vhd")
    end = _FOOTER.size + _HEADER.size + len(table) * 4
    with target.open("wb") as file:
        file.seek(end)
        for number in disk.blocks(_BLOCK):
            table[number] = end // SECTOR
            file.write(b"\xff" * _BITMAP)
            file.write(disk.read(number * _BLOCK, _BLOCK))
            end += _BITMAP + _BLOCK
            done(_BLOCK)
        file.write(footer)
        file.seek(0)
        file.write(footer)
        file.write(_header(count))
        table.byteswap()
        file.write(table.tobytes())


def fixed(work: Work, target: Path) -> None:
    """Write the disk to TARGET as Azure takes it: all of it, whole MiB, and the footer."""
    disk = work.disk
    done = work.progress("azure")
    size = -(-disk.size // MIB) * MIB
    with target.open("wb") as file:
        for offset, length in disk.spans:
            for start in range(offset, offset + length, MIB):
                piece = min(MIB, offset + length - start)
                file.seek(start)
                file.write(disk.read(start, piece))
                done(piece)
        file.seek(size)
        file.write(_footer(disk, size, _FIXED, "azure"))


def _footer(disk: Disk, size: int, kind: int, role: str) -> bytes:
    place = _NOWHERE if kind == _FIXED else _FOOTER.size
    cylinders, heads, sectors = geometry(size)

    def packed(checksum: int) -> bytes:
        return _FOOTER.pack(
            b"conectix", _RESERVED, _VERSION, place, _MOMENT, _CREATOR, _CREATOR_VERSION, _SYSTEM, size, size,
            cylinders, heads, sectors, kind, checksum, disk.uuid(role).bytes, 0,
        )  # fmt: skip

    return packed(_checksum(packed(0)))


def _header(count: int) -> bytes:
    def packed(checksum: int) -> bytes:
        table = _FOOTER.size + _HEADER.size
        return _HEADER.pack(b"cxsparse", _NOWHERE, table, _VERSION, count, _BLOCK, checksum, b"", 0, b"", b"")

    return packed(_checksum(packed(0)))


def _checksum(raw: bytes) -> int:
    return ~sum(raw) & 0xFFFF_FFFF


def geometry(size: int) -> tuple[int, int, int]:
    """Return (cylinders, heads, sectors) that stand for SIZE bytes, as the specification works them out."""
    total = min(size // SECTOR, 65535 * 16 * 255)
    if total >= 65535 * 16 * 63:
        sectors, heads = 255, 16
    else:
        sectors = 17
        heads = max(4, (total // sectors + 1023) // 1024)
        if total // sectors >= heads * 1024 or heads > 16:
            sectors, heads = 31, 16
        if total // sectors >= heads * 1024:
            sectors, heads = 63, 16
    return total // sectors // heads, heads, sectors
