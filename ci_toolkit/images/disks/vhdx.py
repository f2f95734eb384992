"""VHDX: Hyper-V's disk images, fixed and dynamic ([MS-VHDX])."""

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.disks import disk
from ci_toolkit.images.disks.disk import Piece, within
from ci_toolkit.images.entry import Container, Fact, Region
from ci_toolkit.images.limits import KIB, MIB, Budget

_MAGIC: Final = b"vhdxfile"
_HEADERS: Final = (64 * KIB, 128 * KIB)
_TABLES: Final = (192 * KIB, 256 * KIB)
_HEADER: Final = struct.Struct("<4sIQ16s16s16sHHIQ")
_REGION: Final = struct.Struct("<16sQII")
_ITEM: Final = struct.Struct("<16sIII4x")
_TABLE: Final = 64 * KIB
# More of either than the specification allows would be damage.
_REGIONS_MAX: Final = 2047
_ITEMS_MAX: Final = 1023
BLOCK_TABLE: Final = UUID("2dc27766-f623-4200-9d64-115e9bfd4a08")
METADATA: Final = UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
PARAMETERS: Final = UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
SIZE: Final = UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
IDENTITY: Final = UUID("beca12ab-b2e6-4523-93ef-c309e000c746")
SECTOR: Final = UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f")
PHYSICAL: Final = UUID("cda348c7-445d-4471-9cc9-e9885251c556")
_HAS_PARENT: Final = 2
_WHOLE, _PART = 6, 7
_NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    place: int
    sequence: int
    file: UUID
    content: UUID
    log: UUID
    log_length: int
    log_offset: int


def recognise(data: Data) -> bool:
    return data.read_at(0, 8) == _MAGIC


def read(data: Data, budget: Budget) -> Container:
    """Read headers and tables. Raises UnreadableError for those that cannot be believed or are cut."""
    headers = list(_headers(data))
    if not headers:
        raise UnreadableError("no header of the disk image is whole: it is damaged or cut")
    header = max(headers, key=lambda one: one.sequence)
    regions = _table(data)
    if BLOCK_TABLE not in regions or METADATA not in regions:
        raise UnreadableError("the disk image has no table of blocks or no metadata")
    items = _items(data, regions[METADATA][0])
    values = {name: _number(data, items, item, size) for name, item, size in _NUMBERS}
    if values["flags"] & _HAS_PARENT:
        refused = "the disk image holds only what differs from another one"
    else:
        refused = "the disk image was not closed: what its log holds is missing from it" if _open(data, header) else ""
    inside = None if refused else _assembled(data, values, regions[BLOCK_TABLE], budget)
    facts = (*_facts(data, headers, header), *_described(data, items, values))
    return disk.container("vhdx", inside, budget, facts, _regions(data, header, regions), refused)


# What is stored in the metadata: name of the fact, item, and size.
_NUMBERS: Final = (
    ("block_size", PARAMETERS, 4),
    ("flags", PARAMETERS, 8),
    ("disk_size", SIZE, 8),
    ("sector_size", SECTOR, 4),
    ("physical_sector_size", PHYSICAL, 4),
)


def _headers(data: Data) -> Iterator[_Header]:
    for place in _HEADERS:
        raw = data.read_at(place, 4 * KIB)
        if raw[:4] != b"head" or len(raw) < 4 * KIB:
            continue
        _, checksum, sequence, file, content, log, _, _, length, offset = _HEADER.unpack_from(raw)
        if crc32c(raw[:4] + bytes(4) + raw[8:]) == checksum:
            yield _Header(
                place=place, sequence=sequence, file=UUID(bytes_le=file), content=UUID(bytes_le=content),
                log=UUID(bytes_le=log), log_length=length, log_offset=offset,
            )  # fmt: skip


def _table(data: Data) -> dict[UUID, tuple[int, int]]:
    """Return the (offset, length) of the regions, by what they are."""
    raw = within(data, _TABLES[0], _TABLE, "the table of regions")
    (count,) = struct.unpack_from("<I", raw, 8)
    if raw[:4] != b"regi" or count > _REGIONS_MAX:
        raise UnreadableError("the table of regions is damaged")
    rows = (_REGION.unpack_from(raw, 16 + number * _REGION.size) for number in range(count))
    return {UUID(bytes_le=kind): (offset, length) for kind, offset, length, _ in rows}


def _items(data: Data, start: int) -> dict[UUID, tuple[int, int]]:
    """Return the (offset, length) in the file of the metadata, by what they are."""
    raw = within(data, start, _TABLE, "the table of metadata")
    (count,) = struct.unpack_from("<H", raw, 10)
    if raw[:8] != b"metadata" or count > _ITEMS_MAX:
        raise UnreadableError("the table of metadata is damaged")
    rows = (_ITEM.unpack_from(raw, 32 + number * _ITEM.size) for number in range(count))
    return {UUID(bytes_le=item): (start + offset, length) for item, offset, length, _ in rows}


def _number(data: Data, items: dict[UUID, tuple[int, int]], item: UUID, end: int) -> int:
    """Return the number of 4 or 8 bytes of an item; the flags are the last 4 of 8."""
    if item not in items:
        raise UnreadableError("the metadata of the disk image are not complete")
    raw = within(data, items[item][0], end, "the metadata")
    return int.from_bytes(raw[4:] if item == PARAMETERS and end == 8 else raw, "little")


def _open(data: Data, header: _Header) -> bool:
    """Tell whether the log may hold what was not written to its place yet."""
    if header.log == _NOBODY or header.log_length == 0:
        return False
    for offset in range(header.log_offset, header.log_offset + min(header.log_length, 64 * MIB), 4 * KIB):
        raw = data.read_at(offset, 48) if offset < data.size else b""
        if raw[:4] == b"loge" and UUID(bytes_le=raw[32:48].ljust(16, b"\0")) == header.log:
            return True
    return False


def _assembled(data: Data, values: dict[str, int], table: tuple[int, int], budget: Budget) -> Data:
    block, size, sector = values["block_size"], values["disk_size"], values["sector_size"]
    if not MIB <= block <= 256 * MIB or block & (block - 1) or sector not in (512, 4096) or size >= 1 << 62:
        raise UnreadableError("the metadata of the disk image are damaged")
    ratio = (sector << 23) // block
    count = -(-size // block)
    # After so many blocks, an entry stands for a bitmap of them, which only differencing disks have.
    length = (count + (count - 1) // ratio) * 8 if count else 0
    if length > table[1]:
        raise UnreadableError("the table of blocks is damaged")
    budget.attribute(length)
    entries = array("Q", within(data, table[0], length, "the table of blocks"))
    return disk.assembled(data, _pieces(entries, count, ratio, block), size)


def _pieces(entries: "array[int]", count: int, ratio: int, block: int) -> Iterator[Piece]:
    for number in range(count):
        entry = entries[number + number // ratio]
        if entry & 7 in (_WHOLE, _PART):
            yield number * block, block, entry >> 20 << 20


def _facts(data: Data, headers: list[_Header], header: _Header) -> Iterator[Fact]:
    creator = data.read_at(8, 512).decode("utf-16-le", "replace").partition("\0")[0]
    yield Fact(name="creator", value=creator, places=((8, 512),))
    for one in headers:
        prefix = "" if one is header else "second_"
        # Drawn at first, and counted up from there.
        yield Fact(name=f"{prefix}sequence", value=one.sequence, places=((one.place + 8, 8),))
        for name, value, offset in (
            ("uuid", one.file, 16),
            ("content_uuid", one.content, 32),
            ("log_uuid", one.log, 48),
        ):
            yield Fact(name=prefix + name, value=str(value), places=((one.place + offset, 16),))
        checksum = int.from_bytes(data.read_at(one.place + 4, 4), "little")
        yield Fact(name=f"{prefix}header_checksum", value=checksum, places=((one.place + 4, 4),))


def _described(data: Data, items: dict[UUID, tuple[int, int]], values: dict[str, int]) -> Iterator[Fact]:
    for name, item, end in _NUMBERS:
        start = 4 if name == "flags" else 0
        yield Fact(name=name, value=values[name], places=((items[item][0] + start, end - start),))
    if IDENTITY in items:
        place = items[IDENTITY][0]
        raw = within(data, place, 16, "the metadata")
        yield Fact(name="disk_uuid", value=str(UUID(bytes_le=raw)), places=((place, 16),))


def _regions(data: Data, header: _Header, regions: dict[UUID, tuple[int, int]]) -> Iterator[Region]:
    names = {BLOCK_TABLE: "block table", METADATA: "metadata"}
    spans = [("header", 0, 64 * KIB), *(("header", place, 4 * KIB) for place in _HEADERS)]
    spans += [("region table", place, _TABLE) for place in _TABLES]
    spans += [(names.get(kind, "metadata"), *span) for kind, span in regions.items()]
    spans += [("log", header.log_offset, header.log_length)]
    for name, offset, length in spans:
        yield from disk.spots(data, name, [(offset, length)])


def crc32c(raw: bytes) -> int:
    value = 0xFFFF_FFFF
    for byte in raw:
        value = _CRC[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFF_FFFF


def _remainders() -> Iterator[int]:
    """Yield the table of Castagnoli's polynomial."""
    for number in range(256):
        value = number
        for _ in range(8):
            value = value >> 1 ^ (0x82F6_3B78 if value & 1 else 0)
        yield value


_CRC: Final = tuple(_remainders())
