"""A disk that is a disc as well: its first sectors hold an ISO 9660 file system with an El Torito catalogue.

Such a one is made when the image is built (systemd-repart's ElTorito=, xorriso): the catalogue names the place of the
ESP, and what looks for the root has to know discs. Written to a stick it is the disk that it was.
"""

from pathlib import Path
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.formats.source import UNIT, Disk
from ci_toolkit.formats.work import Work

# ECMA-119, 6.2.1 and 8; El Torito 1.0, figure 7.
_SECTOR: Final = 2048
_FIRST: Final = 16
_DESCRIPTORS_MAX: Final = 64
_MAGIC: Final = b"CD001"
_BOOT: Final = 0
_END: Final = 255
_TORITO: Final = b"EL TORITO SPECIFICATION"


def write(work: Work, target: Path) -> None:
    """Write the disk to TARGET, in whole sectors of a disc. Raises UnreadableError where it is no disc."""
    disk = work.disk
    if not _boots(disk):
        raise UnreadableError(
            f"{disk.name} is no disc: it has no ISO 9660 file system with an El Torito catalogue, and the initrd of a "
            "disk would not find its root on a disc",
            hint="Build it as one: ElTorito=yes in mkosi.conf, with a root that is found on a disc (docs/convert.md).",
        )
    done = work.progress("iso")
    with target.open("wb") as file:
        file.truncate(-(-disk.size // _SECTOR) * _SECTOR)
        for number in disk.blocks(UNIT):
            file.seek(number * UNIT)
            length = min(UNIT, disk.size - number * UNIT)
            file.write(disk.read(number * UNIT, length))
            done(length)


def _boots(disk: Disk) -> bool:
    """Tell whether one of the volume descriptors is a boot record of El Torito."""
    for number in range(_FIRST, _FIRST + _DESCRIPTORS_MAX):
        raw = disk.read(number * _SECTOR, _SECTOR)
        if raw[1:6] != _MAGIC or raw[0] == _END:
            return False
        if raw[0] == _BOOT and raw[7:39].rstrip(b"\0") == _TORITO:
            return True
    return False
