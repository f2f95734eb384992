"""GPT: the partition table of UEFI disks."""

import struct
import zlib
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Fact, Kind, Region
from ci_toolkit.images.limits import Budget

_MAGIC: Final = b"EFI PART"
_SECTORS: Final = (512, 4096)
_HEADER: Final = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY: Final = struct.Struct("<16s16sQQQ72s")
_PROTECTIVE: Final = 0xEE
# UEFI asks for 16 KiB of entries; more than this is damage.
_TABLE_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """One copy of the table: its header, decoded, and its entries."""

    sector: int
    own: int
    backup: int
    first_usable: int
    last_usable: int
    guid: bytes
    table: int
    count: int
    entry_size: int
    entries: bytes

    @property
    def table_size(self) -> int:
        return self.count * self.entry_size


def recognise(data: Data) -> bool:
    return any(data.read_at(sector, 8) == _MAGIC for sector in _SECTORS) or _backup_alone(data) is not None


def read(data: Data, budget: Budget) -> Container:
    """Read both copies of the table; the first one that is sound is believed, as the kernel does.

    Raises UnreadableError where neither is, for a disk that ends early, or partitions that lie beyond its end.
    """
    table, backup, skipped = _tables(data)
    partitions = tuple(
        _partition(data, table, backup, number, table.entries[start : start + _ENTRY.size], budget)
        for number, start in enumerate(range(0, len(table.entries), table.entry_size), 1)
        if any(table.entries[start : start + 16])
    )
    if (table.backup + 1) * table.sector > data.size:
        raise UnreadableError(
            f"the backup partition table belongs at sector {table.backup}, the disk ends at sector "
            f"{data.size // table.sector}: the image is cut"
        )
    return Container(
        format="gpt",
        entries=partitions,
        facts=_facts(table, backup),
        regions=_regions(data, table, backup),
        transparent=True,
        skipped=skipped,
    )


def _tables(data: Data) -> tuple[_Table, _Table | None, tuple[tuple[str, str], ...]]:
    """Return the table to believe, the other copy if that is sound too, and what is wrong with the first one."""
    sector = next((size for size in _SECTORS if data.read_at(size, 8) == _MAGIC), None)
    try:
        if sector is None:
            raise UnreadableError("the partition table has no header")
        first = _table(data, 1, sector)
    except UnreadableError as error:
        size = sector or _backup_alone(data) or _SECTORS[0]
        try:
            return _table(data, data.size // size - 1, size), None, (("", f"{error.message}; its backup was read"),)
        except UnreadableError:
            raise error from None
    try:
        backup = _table(data, first.backup, first.sector) if first.backup != first.own else None
    except UnreadableError:
        return first, None, ()
    same = backup is not None and (backup.count, backup.entry_size) == (first.count, first.entry_size)
    return first, backup if same else None, ()


def _backup_alone(data: Data) -> int | None:
    """Return the sector size of a disk that has nothing but the backup of its table, behind a protective MBR."""
    head = data.read_at(0, 512)
    if head[510:] != b"\x55\xaa" or _PROTECTIVE not in head[450:510:16]:
        return None
    return next((size for size in _SECTORS if data.read_at((data.size // size - 1) * size, 8) == _MAGIC), None)


def _table(data: Data, lba: int, sector: int) -> _Table:
    """Read the copy whose header is at LBA. Raises UnreadableError where header or entries are damaged or cut."""
    raw = data.read_at(lba * sector, sector)
    if len(raw) < sector:
        raise UnreadableError(f"the partition table's header is cut at byte {data.size}")
    magic, _, length, checksum, _, own, backup, first, last, guid, table, count, size, summed = _HEADER.unpack_from(raw)
    if magic != _MAGIC or size < _ENTRY.size or count * size > _TABLE_MAX or not _HEADER.size <= length <= sector:
        raise UnreadableError("the partition table's header is damaged")
    # The checksum of the header is that of the header without it.
    if own != lba or zlib.crc32(raw[:16] + bytes(4) + raw[20:length]) != checksum:
        raise UnreadableError("the partition table's header is damaged: its checksum is wrong")
    entries = data.read_at(table * sector, count * size)
    if len(entries) < count * size:
        raise UnreadableError(f"the partition table ends at byte {data.size}: the image is cut")
    if zlib.crc32(entries) != summed:
        raise UnreadableError("the partition table is damaged: the checksum of its entries is wrong")
    return _Table(
        sector=sector, own=lba, backup=backup, first_usable=first, last_usable=last,
        guid=guid, table=table, count=count, entry_size=size, entries=entries,
    )  # fmt: skip


def _partition(data: Data, table: _Table, backup: _Table | None, number: int, raw: bytes, budget: Budget) -> Entry:
    kind, guid, first, last, flags, name = _ENTRY.unpack(raw)
    label = name.decode("utf-16-le", "replace").partition("\0")[0]
    step = f"{number}:{label}" if label else str(number)
    # Partitions may overlap, and each may hold a disk with as many of them.
    budget.member(step)
    if last < first or (last + 1) * table.sector > data.size:
        raise UnreadableError(
            f"partition {step!r} ends at byte {(last + 1) * table.sector}, "
            f"the disk at byte {data.size}: the image is cut"
        )
    size = (last - first + 1) * table.sector
    values = (str(UUID(bytes_le=kind)), str(UUID(bytes_le=guid)), first, last, flags, label)
    return Entry(
        path=step,
        kind=Kind.PARTITION,
        size=size,
        number=number,
        facts=tuple(
            Fact(name=fact, value=value, places=_places(table, backup, number, offset, length))
            for (fact, offset, length), value in zip(_FIELDS, values, strict=True)
        ),
        data=data.window(first * table.sector, size),
    )


_FIELDS: Final = (
    ("partition_type", 0, 16),
    ("partition_guid", 16, 16),
    ("first_lba", 32, 8),
    ("last_lba", 40, 8),
    ("flags", 48, 8),
    ("label", 56, 72),
)


def _places(table: _Table, backup: _Table | None, number: int, offset: int, length: int) -> tuple[tuple[int, int], ...]:
    copies = [table] + ([backup] if backup else [])
    return tuple((c.table * c.sector + (number - 1) * c.entry_size + offset, length) for c in copies)


def _facts(table: _Table, backup: _Table | None) -> tuple[Fact, ...]:
    copies = [table] + ([backup] if backup else [])

    def fact(name: str, value: int | str, offset: int, length: int) -> Fact:
        return Fact(name=name, value=value, places=tuple((c.own * c.sector + offset, length) for c in copies))

    return (
        fact("disk_guid", str(UUID(bytes_le=table.guid)), 56, 16),
        fact("first_usable_lba", table.first_usable, 40, 8),
        fact("last_usable_lba", table.last_usable, 48, 8),
        Fact(name="sector_size", value=table.sector),
    )


def _regions(data: Data, table: _Table, backup: _Table | None) -> tuple[Region, ...]:
    sector = table.sector
    copies = sorted([table] + ([backup] if backup else []), key=lambda copy: copy.own)
    spans = sorted(
        span
        for copy in copies
        for span in ((copy.own * sector, sector), (copy.table * sector, copy.table_size))
        if span[0] + span[1] <= data.size
    )
    return (
        Region(name="protective MBR", data=data.window(0, 512)),
        *(Region(name="gpt header", data=data.window(*span)) for span in spans),
    )
