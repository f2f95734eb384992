"""VHD: Virtual PC's disk images, fixed (a raw disk with a footer) and dynamic."""

import struct
from array import array
from collections.abc import Iterator
from typing import Final
from uuid import UUID

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.disks import disk
from ci_toolkit.images.disks.disk import within
from ci_toolkit.images.entry import Container, Fact, Region
from ci_toolkit.images.limits import Budget

_MAGIC: Final = b"conectix"
_DYNAMIC: Final = b"cxsparse"
_FOOTER: Final = 512
_HEADER: Final = 1024
_SECTOR: Final = 512
_TYPES: Final = {2: "fixed", 3: "dynamic", 4: "difference"}
_UNUSED: Final = 0xFFFF_FFFF
# Seconds between 1970 and 2000, from which VHD counts.
_EPOCH: Final = 946_684_800
_NUMBERS: Final = (
    ("features", 8, ">I"),
    ("format_version", 12, ">I"),
    ("creator_version", 32, ">I"),
    ("original_size", 40, ">Q"),
    ("disk_size", 48, ">Q"),
    ("geometry", 56, ">I"),
    ("checksum", 64, ">I"),
    ("saved_state", 84, ">B"),
)


def recognise(data: Data) -> bool:
    if data.read_at(0, 8) == _MAGIC:
        return data.size > _FOOTER
    # A footer is the end of whatever lies before it: its checksum must be right.
    footer = data.read_at(data.size - _FOOTER, _FOOTER) if data.size > _FOOTER else b""
    return footer[:8] == _MAGIC and _checksum(footer) == struct.unpack_from(">I", footer, 64)[0]


def read(data: Data, budget: Budget) -> Container:
    """Read footer, header and table. Raises UnreadableError for those that cannot be believed or are cut."""
    end = data.size - _FOOTER
    footer = within(data, end, _FOOTER, "the footer") if end >= 0 else b""
    if footer[:8] != _MAGIC:
        raise UnreadableError(f"there is no footer at the end, byte {data.size}: the image is cut")
    (number,) = struct.unpack_from(">I", footer, 60)
    kind = _TYPES.get(number, str(number))
    copies = (end, 0) if kind != "fixed" and data.read_at(0, _FOOTER) == footer else (end,)
    facts = list(_facts(footer, kind, copies))
    regions = disk.spots(data, "footer", [(place, _FOOTER) for place in copies])
    if kind == "fixed":
        (size,) = struct.unpack_from(">Q", footer, 48)
        if size > end:
            raise UnreadableError(f"the disk ends at byte {size}, the file at byte {end}: the image is cut")
        return disk.container("vhd", data.window(0, size), budget, facts, regions)
    if kind != "dynamic":
        return disk.container(
            "vhd", None, budget, facts, regions, f"the disk image is of the kind {kind}: it builds on another one"
        )
    return _dynamic(data, footer, budget, facts, regions)


def _dynamic(data: Data, footer: bytes, budget: Budget, facts: list[Fact], regions: list[Region]) -> Container:
    place, size = struct.unpack_from(">Q", footer, 16)[0], struct.unpack_from(">Q", footer, 48)[0]
    header = within(data, place, _HEADER, "the header")
    table, _, count, block, checksum = struct.unpack_from(">QIIII", header, 16)
    if header[:8] != _DYNAMIC or block < _SECTOR or block > 1 << 30 or block % _SECTOR or count * block < size:
        raise UnreadableError("the header of the disk image is damaged")
    budget.attribute(count * 4)
    blocks = array("I", within(data, table, count * 4, "the table of blocks"))
    blocks.byteswap()
    # A bit for each sector of a block stands before it, in whole sectors.
    bitmap = -(-block // _SECTOR // 8 // _SECTOR) * _SECTOR
    used = [(number, sector * _SECTOR) for number, sector in enumerate(blocks) if sector != _UNUSED]
    inside = disk.assembled(data, [(number * block, block, at + bitmap) for number, at in used], size)
    facts += [
        Fact(name="block_size", value=block, places=((place + 32, 4),)),
        Fact(name="header_checksum", value=checksum, places=((place + 36, 4),)),
    ]
    regions += disk.spots(data, "header", [(place, _HEADER)])
    regions += disk.spots(data, "block table", [(table, -(-count * 4 // _SECTOR) * _SECTOR)])
    regions += disk.spots(data, "block bitmaps", [(at, bitmap) for _, at in used])
    return disk.container("vhd", inside, budget, facts, regions)


def _checksum(footer: bytes) -> int:
    return ~(sum(footer[:64]) + sum(footer[68:])) & 0xFFFF_FFFF


def _facts(footer: bytes, kind: str, copies: tuple[int, ...]) -> Iterator[Fact]:
    def places(offset: int, length: int) -> tuple[tuple[int, int], ...]:
        return tuple((copy + offset, length) for copy in copies)

    yield Fact(name="image_type", value=kind, places=places(60, 4))
    yield Fact(name="creator", value=footer[28:32].decode("latin-1").strip(" \0"), places=places(28, 4))
    yield Fact(name="creator_os", value=footer[36:40].decode("latin-1").strip(" \0"), places=places(36, 4))
    yield Fact(name="uuid", value=str(UUID(bytes=footer[68:84])), places=places(68, 16))
    moment = _EPOCH + int.from_bytes(footer[24:28], "big")
    yield Fact(name="creation_time", value=moment, places=places(24, 4))
    for name, offset, form in _NUMBERS:
        yield Fact(
            name=name, value=struct.unpack_from(form, footer, offset)[0], places=places(offset, struct.calcsize(form))
        )  # fmt: skip
