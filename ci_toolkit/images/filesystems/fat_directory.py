"""Directories of FAT: slots of 32 bytes, with long names spread over the slots before."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

_SLOT: Final = struct.Struct("<8s3sBBBHHHHHHHI")
_LONG: Final = struct.Struct("<B10sBBB12sH4s")
_LONG_NAME: Final = 0x0F
_LABEL: Final = 0x08
_DIRECTORY: Final = 0x10
_DELETED: Final = 0xE5
# Windows NT's marks for short names that are lower case.
_LOWER_BASE: Final = 0x08
_LOWER_EXTENSION: Final = 0x10


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One name; times are nanoseconds since the epoch, read as UTC, since FAT stores local time without a zone."""

    position: int
    name: str
    short: str
    attributes: int
    cluster: int
    size: int
    modified_ns: int
    created_ns: int
    accessed_ns: int

    @property
    def is_directory(self) -> bool:
        return bool(self.attributes & _DIRECTORY)

    @property
    def is_label(self) -> bool:
        return bool(self.attributes & _LABEL)


def slots(raw: bytes, *, wide: bool) -> Iterator[Slot]:
    """Yield the names of a directory's bytes up to its end mark, without "." and "..".

    Only a FAT32, which is WIDE, keeps the high half of a cluster's number; others may have anything there.
    """
    long: dict[int, bytes] = {}
    checksum = -1
    for position in range(0, len(raw) - 31, 32):
        first, attributes = raw[position], raw[position + 11]
        if first == 0:
            return
        if first == _DELETED:
            long = {}
            continue
        if attributes & 0x3F == _LONG_NAME:
            order, one, _, _, check, two, _, three = _LONG.unpack_from(raw, position)
            if order & 0x40 or check != checksum:
                long, checksum = {}, check
            long[order & 0x3F] = one + two + three
            continue
        slot = _slot(raw, position, long if checksum == _checksum(raw[position : position + 11]) else {}, wide=wide)
        long = {}
        if slot.is_label or slot.short not in (".", ".."):
            yield slot


def _slot(raw: bytes, position: int, long: dict[int, bytes], *, wide: bool) -> Slot:
    (
        base, extension, attributes, case, tenths, created_time, created_date, accessed_date,
        cluster_high, modified_time, modified_date, cluster_low, size,
    ) = _SLOT.unpack_from(raw, position)  # fmt: skip
    short = _short(base, extension, case, label=bool(attributes & _LABEL))
    # Decoded as a whole, since a character of two units may lie in two slots.
    name = b"".join(part for _, part in sorted(long.items())).decode("utf-16-le", "replace").partition("\0")[0]
    return Slot(
        position=position,
        name=(name or short).replace("/", "\ufffd"),
        short=short,
        attributes=attributes,
        cluster=cluster_low | (cluster_high << 16 if wide else 0),
        size=size,
        modified_ns=_nanoseconds(modified_date, modified_time),
        created_ns=_nanoseconds(created_date, created_time) + tenths * 10_000_000,
        accessed_ns=_nanoseconds(accessed_date, 0),
    )


def _short(base: bytes, extension: bytes, case: int, *, label: bool) -> str:
    if base[:1] == b"\x05":
        base = b"\xe5" + base[1:]
    if label:
        return (base + extension).decode("cp437").rstrip(" \0")
    front = base.decode("cp437").rstrip(" ")
    back = extension.decode("cp437").rstrip(" ")
    front = front.lower() if case & _LOWER_BASE else front
    back = back.lower() if case & _LOWER_EXTENSION else back
    return f"{front}.{back}" if back else front


def _checksum(name: bytes) -> int:
    total = 0
    for byte in name:
        total = ((total & 1) << 7) + (total >> 1) + byte & 0xFF
    return total


@lru_cache(maxsize=1024)
def _nanoseconds(date: int, time: int) -> int:
    """Return 0 for a time that was never set; impossible ones count from their date's first possible day."""
    if date == 0:
        return 0
    year, month, day = 1980 + (date >> 9), min(12, max(1, date >> 5 & 0xF)), max(1, date & 0x1F)
    midnight = int(datetime(year, month, 1, tzinfo=UTC).timestamp()) + (day - 1) * 86400
    return (midnight + (time >> 11) * 3600 + (time >> 5 & 0x3F) * 60 + (time & 0x1F) * 2) * 1_000_000_000
