"""VHDX: Hyper-V's format, dynamic ([MS-VHDX] version 9.0)."""

import struct
from array import array
from pathlib import Path
from typing import Final
from uuid import UUID

from ci_toolkit.formats.source import SECTOR, Disk
from ci_toolkit.formats.work import Work
from ci_toolkit.images.disks.vhdx import BLOCK_TABLE, IDENTITY, METADATA, PARAMETERS, PHYSICAL, SIZE, crc32c
from ci_toolkit.images.disks.vhdx import SECTOR as SECTOR_SIZE
from ci_toolkit.images.limits import KIB, MIB

_CREATOR: Final = "ci-toolkit"
_HEADERS: Final = (64 * KIB, 128 * KIB)
_TABLES: Final = (192 * KIB, 256 * KIB)
_HEADER: Final = struct.Struct("<4sIQ16s16s16sHHIQ")
_REGION: Final = struct.Struct("<16sQII")
_ITEM: Final = struct.Struct("<16sIII4x")
_REGIONS: Final = 64 * KIB
_LOG: Final = MIB
_DESCRIPTION: Final = 2 * MIB
_BLOCKS: Final = 3 * MIB
_BLOCK: Final = 2 * MIB
_PER_BITMAP: Final = (SECTOR << 23) // _BLOCK
_WHOLE: Final = 6
_REQUIRED: Final = 4
_OF_THE_DISK: Final = 2
_NOBODY: Final = UUID(int=0).bytes_le
_PHYSICAL_SECTOR: Final = 4096


def write(work: Work, target: Path) -> None:
    """Write the disk to TARGET."""
    disk = work.disk
    done = work.progress("vhdx")
    count = -(-disk.size // _BLOCK)
    # An entry for a bitmap, which only differencing disks have, stands after so many blocks.
    entries = array("Q", [0]) * (count + (count - 1) // _PER_BITMAP)
    length = -(-len(entries) * 8 // MIB) * MIB
    end = _BLOCKS + length
    with target.open("wb") as file:
        for number in disk.blocks(_BLOCK):
            entries[number + number // _PER_BITMAP] = end | _WHOLE
            file.seek(end)
            file.write(disk.read(number * _BLOCK, _BLOCK))
            end += _BLOCK
            done(_BLOCK)
        for offset, content in _tables(disk, length):
            file.seek(offset)
            file.write(content)
        file.seek(_BLOCKS)
        file.write(entries.tobytes())
        file.truncate(end)


def _tables(disk: Disk, length: int) -> list[tuple[int, bytes]]:
    """Return all that stands before the table of blocks, of LENGTH bytes, as (offset, content)."""
    regions = [(BLOCK_TABLE, _BLOCKS, length), (METADATA, _DESCRIPTION, MIB)]
    rows = b"".join(_REGION.pack(kind.bytes_le, offset, size, 1) for kind, offset, size in regions)
    table = _summed(struct.pack("<4sIII", b"regi", 0, len(regions), 0) + rows, _REGIONS)
    return [
        (0, b"vhdxfile" + _CREATOR.encode("utf-16-le")),
        *((place, _header(disk, sequence)) for sequence, place in enumerate(_HEADERS, 1)),
        *((place, table) for place in _TABLES),
        *_metadata(disk),
    ]


def _header(disk: Disk, sequence: int) -> bytes:
    file, content = disk.uuid("vhdx").bytes_le, disk.uuid("vhdx content").bytes_le
    raw = _HEADER.pack(b"head", 0, sequence, file, content, _NOBODY, 0, 1, _LOG, MIB)
    return _summed(raw, 4 * KIB)


def _metadata(disk: Disk) -> list[tuple[int, bytes]]:
    items = (
        (PARAMETERS, struct.pack("<II", _BLOCK, 0), _REQUIRED),
        (SIZE, struct.pack("<Q", disk.size), _REQUIRED | _OF_THE_DISK),
        (IDENTITY, disk.uuid("vhdx disk").bytes_le, _REQUIRED | _OF_THE_DISK),
        (SECTOR_SIZE, struct.pack("<I", SECTOR), _REQUIRED | _OF_THE_DISK),
        (PHYSICAL, struct.pack("<I", _PHYSICAL_SECTOR), _REQUIRED | _OF_THE_DISK),
    )
    table = struct.pack("<8sHH20x", b"metadata", 0, len(items))
    values = b""
    for kind, value, flags in items:
        table += _ITEM.pack(kind.bytes_le, 64 * KIB + len(values), len(value), flags)
        values += value
    return [(_DESCRIPTION, table), (_DESCRIPTION + 64 * KIB, values)]


def _summed(raw: bytes, size: int) -> bytes:
    """Return RAW, filled up to SIZE, with its checksum in bytes 4 to 8, which were zero."""
    raw = raw.ljust(size, b"\0")
    return raw[:4] + crc32c(raw).to_bytes(4, "little") + raw[8:]
