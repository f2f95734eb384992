"""The headers of ELF files of both widths and both byte orders."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.limits import KIB, MIB, Budget

MAGIC: Final = b"\x7fELF"
NOBITS: Final = 8
NOTE: Final = 7
PT_LOAD: Final = 1
PT_DYNAMIC: Final = 2
PT_INTERP: Final = 3
PT_NOTE: Final = 4

_WIDE: Final = 2
# Counts that do not fit are kept in the first section.
_ESCAPED_NAMES: Final = 0xFFFF
_ESCAPED_SEGMENTS: Final = 0xFFFF
_TABLE_MAX: Final = 64 * MIB
_NAMES_MAX: Final = 16 * MIB
_NAME_MAX: Final = 4 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The file header; `order` is struct's sign of the byte order."""

    wide: bool
    order: str
    system: int
    kind: int
    machine: int
    entry_point: int
    flags: int
    size: int
    segments_at: int
    segment_size: int
    segment_count: int
    sections_at: int
    section_size: int
    section_count: int
    names_index: int

    @property
    def flags_at(self) -> int:
        return 48 if self.wide else 36


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    header_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    kind: int
    offset: int
    address: int
    size: int


def header(data: Data) -> Header:
    """Read the file header. Raises UnreadableError for one that is cut, or of sizes that no program writes."""
    raw = data.read_at(0, 64)
    wide = raw[4:5] == b"\2"
    order = ">" if raw[5:6] == b"\2" else "<"
    if len(raw) < (64 if wide else 52):
        raise UnreadableError("the ELF header is cut")
    fields = struct.unpack_from(f"{order}HHI{'QQQ' if wide else 'III'}IHHHHHH", raw, 16)
    kind, machine, _, entry, segments_at, sections_at, flags, size = fields[:8]
    segment_size, segment_count, section_size, section_count, names_index = fields[8:]
    if (segment_count and segment_size != (56 if wide else 32)) or (
        sections_at and section_size != (64 if wide else 40)
    ):
        raise UnreadableError("the ELF header is damaged: its tables have rows of another size")
    found = Header(
        wide=wide, order=order, system=raw[7], kind=kind, machine=machine, entry_point=entry, flags=flags, size=size,
        segments_at=segments_at, segment_size=segment_size, segment_count=segment_count,
        sections_at=sections_at, section_size=section_size, section_count=section_count, names_index=names_index,
    )  # fmt: skip
    return _counted(data, found) if sections_at else found


def _counted(data: Data, found: Header) -> Header:
    """Take counts that do not fit into the header from the first section."""
    escaped = not found.section_count or found.names_index == _ESCAPED_NAMES
    if not escaped and found.segment_count != _ESCAPED_SEGMENTS:
        return found
    first = _row(data.read_at(found.sections_at, found.section_size), found)
    return Header(
        wide=found.wide, order=found.order, system=found.system, kind=found.kind, machine=found.machine,
        entry_point=found.entry_point, flags=found.flags, size=found.size,
        segments_at=found.segments_at, segment_size=found.segment_size,
        segment_count=first[7] if found.segment_count == _ESCAPED_SEGMENTS else found.segment_count,
        sections_at=found.sections_at, section_size=found.section_size,
        section_count=found.section_count or first[5],
        names_index=first[6] if found.names_index == _ESCAPED_NAMES else found.names_index,
    )  # fmt: skip


def sections(data: Data, found: Header, budget: Budget) -> list[Section]:
    """Read the table of sections. Raises UnreadableError when it is cut or damaged."""
    size = found.section_size
    if not found.sections_at or not found.section_count:
        return []
    table = _table(data, found.sections_at, found.section_count * size, "sections")
    rows = [_row(table[place : place + size], found) for place in range(0, len(table), size)]
    names = b""
    if 0 < found.names_index < len(rows):
        _, _, _, _, offset, length, *_ = rows[found.names_index]
        if length > _NAMES_MAX or offset + length > data.size:
            raise UnreadableError("the ELF file ends before the names of its sections: it is cut or damaged")
        names = data.read_at(offset, length)
    result = []
    # The first section is none.
    for number, (name, kind, flags, address, offset, length, *_) in enumerate(rows[1:], 1):
        title = names[name : name + _NAME_MAX].partition(b"\0")[0].decode("utf-8", "surrogateescape")
        budget.member(title)
        if kind not in (0, NOBITS) and offset + length > data.size:
            raise UnreadableError(f"section {title!r} ends at byte {offset + length} of {data.size}: the file is cut")
        result.append(
            Section(
                name=title or f"section {number}", kind=kind, flags=flags, address=address, offset=offset, size=length,
                header_at=found.sections_at + number * size,
            )
        )  # fmt: skip
    return result


def segments(data: Data, found: Header, budget: Budget) -> list[Segment]:
    """Read the table of segments. Raises UnreadableError when it is cut."""
    if not found.segments_at or not found.segment_count:
        return []
    table = _table(data, found.segments_at, found.segment_count * found.segment_size, "segments")
    return list(_segments(table, found, budget))


def _segments(table: bytes, found: Header, budget: Budget) -> Iterator[Segment]:
    for place in range(0, len(table), found.segment_size):
        budget.member("")
        if found.wide:
            kind, _, offset, address, _, size = struct.unpack_from(f"{found.order}IIQQQQ", table, place)
        else:
            kind, offset, address, _, size = struct.unpack_from(f"{found.order}IIIII", table, place)
        yield Segment(kind=kind, offset=offset, address=address, size=size)


def _row(raw: bytes, found: Header) -> tuple[int, ...]:
    try:
        return struct.unpack(f"{found.order}II{'QQQQIIQQ' if found.wide else 'IIIIIIII'}", raw)
    except struct.error as error:
        raise UnreadableError("the table of ELF sections is cut") from error


def _table(data: Data, offset: int, size: int, what: str) -> bytes:
    if size > _TABLE_MAX or offset + size > data.size:
        raise UnreadableError(f"the table of {what} ends at byte {offset + size} of {data.size}: the file is cut")
    return data.read_at(offset, size)
