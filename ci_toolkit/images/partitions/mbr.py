"""MBR: the partition table of BIOS disks, with the chain of logical partitions."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Fact, Kind, Region
from ci_toolkit.images.limits import Budget

_SECTOR: Final = 512
_ENTRY: Final = struct.Struct("<B3sB3sII")
_TABLE: Final = 446
_EXTENDED: Final = frozenset({0x05, 0x0F, 0x85})
# As many as Linux shows.
_LOGICAL_MAX: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slot:
    """One line of a table; `place` is its byte offset on the disk, `first` counts sectors from the disk's start."""

    status: int
    kind: int
    first: int
    sectors: int
    place: int


def recognise(data: Data) -> bool:
    head = data.read_at(0, _SECTOR)
    if len(head) < _SECTOR or head[510:] != b"\x55\xaa":
        return False
    slots = _slots(head, 0, 0)
    return any(slot.kind for slot in slots) and all(_sane(slot) for slot in slots)


def read(data: Data, budget: Budget) -> Container:
    """Read the table. Raises UnreadableError for a partition beyond the disk's end."""
    head = data.read_at(0, _SECTOR)
    primary = [(number, slot) for number, slot in enumerate(_slots(head, 0, 0), 1) if slot.kind]
    logical: list[tuple[int, _Slot]] = []
    tables = [0]
    for _, slot in primary:
        if slot.kind in _EXTENDED:
            for table, found in _chain(data, slot.first):
                tables.append(table)
                if found is not None:
                    logical.append((5 + len(logical), found))
    partitions = [(number, slot) for number, slot in primary if slot.kind not in _EXTENDED] + logical
    return Container(
        format="mbr",
        entries=tuple(_partition(data, number, slot, budget) for number, slot in partitions),
        facts=(
            Fact(name="disk_signature", value=f"0x{int.from_bytes(head[440:444], 'little'):08x}", places=((440, 4),)),
        ),
        regions=(
            Region(name="boot code", data=data.window(0, 440)),
            *(Region(name="partition table", data=data.window(t + 440, _SECTOR - 440)) for t in sorted(set(tables))),
        ),
        transparent=True,
    )


def _slots(sector: bytes, place: int, base: int) -> list[_Slot]:
    slots = []
    for start in range(_TABLE, _TABLE + 64, _ENTRY.size):
        status, _, kind, _, first, sectors = _ENTRY.unpack_from(sector, start)
        slots.append(_Slot(status=status, kind=kind, first=base + first, sectors=sectors, place=place + start))
    return slots


def _sane(slot: _Slot) -> bool:
    return slot.status in (0, 0x80) and (slot.kind == 0 or (slot.first > 0 and slot.sectors > 0))


def _chain(data: Data, extended: int) -> Iterator[tuple[int, _Slot | None]]:
    """Yield the place of each logical partition's table, and the partition in it."""
    table = extended
    seen: set[int] = set()
    while table not in seen and len(seen) < _LOGICAL_MAX:
        seen.add(table)
        sector = data.read_at(table * _SECTOR, _SECTOR)
        if len(sector) < _SECTOR:
            raise UnreadableError(
                f"the table of logical partitions at sector {table} lies beyond the end: the image is cut"
            )
        if sector[510:] != b"\x55\xaa":
            return
        own, following = _slots(sector, table * _SECTOR, 0)[:2]
        here = _Slot(
            status=own.status, kind=own.kind, first=table + own.first, sectors=own.sectors, place=own.place
        )  # fmt: skip
        yield table * _SECTOR, here if own.kind else None
        if following.kind not in _EXTENDED:
            return
        table = extended + following.first


def _partition(data: Data, number: int, slot: _Slot, budget: Budget) -> Entry:
    budget.member(str(number))
    start, size = slot.first * _SECTOR, slot.sectors * _SECTOR
    if start + size > data.size:
        raise UnreadableError(
            f"partition {number} ends at byte {start + size}, the disk at byte {data.size}: the image is cut"
        )
    return Entry(
        path=str(number),
        kind=Kind.PARTITION,
        size=size,
        number=number,
        facts=(
            Fact(name="partition_type", value=f"0x{slot.kind:02x}", places=((slot.place + 4, 1),)),
            Fact(name="flags", value=slot.status, places=((slot.place, 1),)),
            Fact(name="first_lba", value=slot.first, places=((slot.place + 8, 4),)),
            Fact(name="sectors", value=slot.sectors, places=((slot.place + 12, 4),)),
        ),
        data=data.window(start, size),
    )
