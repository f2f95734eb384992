"""VMDK of the kind streamOptimized: what VMware and OVF take, each grain a zlib stream ("Virtual Disk Format 5.0")."""

import struct
import zlib
from array import array
from pathlib import Path
from typing import BinaryIO, Final

from ci_toolkit.formats.parallel import packed
from ci_toolkit.formats.source import SECTOR, Disk
from ci_toolkit.formats.vhd import geometry
from ci_toolkit.formats.work import Work
from ci_toolkit.images.limits import KIB

_HEADER: Final = struct.Struct("<4sIIQQQQIQQQB4sH433x")
_MARKER: Final = struct.Struct("<QII496x")
_GRAIN_MARKER: Final = struct.Struct("<QI")
_FLAGS: Final = 0x30001  # the characters that show a damaged transfer, compressed grains, markers
_VERSION: Final = 3
_GRAIN: Final = 64 * KIB
_ENTRIES: Final = 512
_DESCRIPTOR_SECTORS: Final = 20
_OVERHEAD: Final = 128
_AT_END: Final = 0xFFFF_FFFF_FFFF_FFFF
_DEFLATE: Final = 1
_LEVEL: Final = 6
_STORED: Final = 0
_OF_TABLE, _OF_DIRECTORY, _OF_FOOTER, _OF_END = 1, 2, 3, 0
_TABLE_SECTORS: Final = _ENTRIES * 4 // SECTOR


def write(work: Work, target: Path) -> None:
    """Write the disk to TARGET."""
    disk = work.disk
    done = work.progress("vmdk")
    count = -(-disk.size // _GRAIN)
    directory = array("I", [0]) * -(-count // _ENTRIES)
    table = array("I", [0]) * _ENTRIES
    current = -1
    with target.open("wb") as file:
        file.write(_header(disk, _AT_END))
        file.write(_descriptor(disk).ljust((_OVERHEAD - 1) * SECTOR, b"\0"))
        for number, content, smaller in packed(disk, _GRAIN, _Deflate):
            if number // _ENTRIES != current:
                _end_table(file, directory, table, current)
                current = number // _ENTRIES
            table[number % _ENTRIES] = file.tell() // SECTOR
            stream = content if smaller else zlib.compress(content, _STORED)
            file.write(_GRAIN_MARKER.pack(number * _GRAIN // SECTOR, len(stream)) + stream)
            _fill(file)
            done(_GRAIN)
        _end_table(file, directory, table, current)
        file.write(_MARKER.pack(-(-len(directory) * 4 // SECTOR), 0, _OF_DIRECTORY))
        place = file.tell() // SECTOR
        file.write(directory.tobytes())
        _fill(file)
        file.write(_MARKER.pack(1, 0, _OF_FOOTER) + _header(disk, place) + _MARKER.pack(0, 0, _OF_END))


class _Deflate:
    def compress(self, data: bytes, /) -> bytes:
        return zlib.compress(data, _LEVEL)


def _end_table(file: BinaryIO, directory: "array[int]", table: "array[int]", number: int) -> None:
    """Write the TABLE of NUMBER behind its grains, and empty it."""
    if number < 0:
        return
    file.write(_MARKER.pack(_TABLE_SECTORS, 0, _OF_TABLE))
    directory[number] = file.tell() // SECTOR
    file.write(table.tobytes())
    table[:] = array("I", [0]) * _ENTRIES


def _fill(file: BinaryIO) -> None:
    file.write(bytes(-file.tell() % SECTOR))


def _header(disk: Disk, directory: int) -> bytes:
    capacity = disk.size // SECTOR
    return _HEADER.pack(
        b"KDMV", _VERSION, _FLAGS, capacity, _GRAIN // SECTOR, 1, _DESCRIPTOR_SECTORS, _ENTRIES, 0, directory,
        _OVERHEAD, 0, b"\n \r\n", _DEFLATE,
    )  # fmt: skip


def _descriptor(disk: Disk) -> bytes:
    """Return the text that describes the disk; the name in it is that of no file, so that a new one changes nothing."""
    cylinders, heads, sectors = geometry(disk.size)
    image, nobody = disk.uuid("vmdk"), "00000000-0000-0000-0000-000000000000"
    lines = (
        "# Disk DescriptorFile",
        "version=1",
        f"CID={_content_id(disk)}",
        "parentCID=ffffffff",
        'createType="streamOptimized"',
        "",
        "# Extent description",
        f'RDONLY {disk.size // SECTOR} SPARSE "disk.vmdk"',
        "",
        "# The Disk Data Base",
        "#DDB",
        'ddb.virtualHWVersion = "4"',
        'ddb.adapterType = "lsilogic"',
        f'ddb.geometry.cylinders = "{cylinders}"',
        f'ddb.geometry.heads = "{heads}"',
        f'ddb.geometry.sectors = "{sectors}"',
        f'ddb.uuid.image = "{image}"',
        f'ddb.uuid.parent = "{nobody}"',
        f'ddb.uuid.modification = "{nobody}"',
        f'ddb.uuid.parentmodification = "{nobody}"',
        "",
    )
    return "\n".join(lines).encode()


def _content_id(disk: Disk) -> str:
    """Return eight digits of the content; the highest two values mean that there is none."""
    return f"{min(int(disk.digest[:8], 16), 0xFFFF_FFFD):08x}"
