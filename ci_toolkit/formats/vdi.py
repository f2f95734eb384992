"""VDI: VirtualBox's own format, dynamic: a map of blocks, and those blocks in which there is more than zeros.

The layout is that of VirtualBox's VDICore.h, version 1.1, with map and blocks at whole MiB as VirtualBox has them.
"""

import struct
from array import array
from pathlib import Path
from typing import Final
from uuid import UUID

from ci_toolkit.formats.source import SECTOR, Disk
from ci_toolkit.formats.work import Work
from ci_toolkit.images.limits import MIB

_TEXT: Final = b"<<< Oracle VM VirtualBox Disk Image >>>\n"
_BEFORE: Final = struct.Struct("<64sII")
_SIGNATURE: Final = 0xBEDA107F
_VERSION: Final = 0x10001
# Length, type, flags, comment, places of map and blocks; three numbers of a geometry that nobody uses, sector size, a
# word of padding; size of the disk, of a block and of what stands before each; blocks and those that are stored; UUIDs
# of the image, its last change, what it builds on and that one's last change; another geometry.
_HEADER: Final = struct.Struct("<III256sII12xI4xQIIII16s16s16s16s12xI")
_DYNAMIC: Final = 1
_BLOCK: Final = MIB
_NEVER: Final = 0xFFFF_FFFF
_NOBODY: Final = UUID(int=0).bytes_le


def write(work: Work, target: Path) -> None:
    """Write the disk to TARGET."""
    disk = work.disk
    done = work.progress("vdi")
    count = -(-disk.size // _BLOCK)
    blocks = array("I", [_NEVER]) * count
    start = MIB + -(-count * 4 // MIB) * MIB
    stored = 0
    with target.open("wb") as file:
        for number in disk.blocks(_BLOCK):
            file.seek(start + stored * _BLOCK)
            file.write(disk.read(number * _BLOCK, _BLOCK))
            blocks[number] = stored
            stored += 1
            done(_BLOCK)
        file.seek(0)
        file.write(_header(disk, count, stored, start))
        file.seek(MIB)
        file.write(blocks.tobytes())
        file.truncate(start + stored * _BLOCK)


def _header(disk: Disk, count: int, stored: int, start: int) -> bytes:
    created, modified = disk.uuid("vdi").bytes_le, disk.uuid("vdi modification").bytes_le
    return _BEFORE.pack(_TEXT, _SIGNATURE, _VERSION) + _HEADER.pack(
        _HEADER.size, _DYNAMIC, 0, b"", MIB, start, SECTOR, disk.size, _BLOCK, 0, count, stored,
        created, modified, _NOBODY, _NOBODY, SECTOR,
    )  # fmt: skip
