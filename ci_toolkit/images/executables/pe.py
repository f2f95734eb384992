"""PE executables: EFI programs, kernels with an EFI stub, unified kernel images with their sections."""

import struct
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Fact, Kind, Region
from ci_toolkit.images.limits import Budget

_COFF: Final = struct.Struct("<4sHHIIIHH")
_SECTION: Final = struct.Struct("<8sIIIIIIHHI")
_SECTIONS_MAX: Final = 96
_WIDE: Final = 0x20B
_CERTIFICATES: Final = 4


def recognise(data: Data) -> bool:
    head = data.read_at(0, 64)
    return len(head) == 64 and head[:2] == b"MZ" and data.read_at(_pe_offset(head), 4) == b"PE\0\0"


def read(data: Data, budget: Budget) -> Container:
    """Read the headers; every section with bytes in the file is a member.

    Only the headers are looked at, never the whole file: a unified kernel image has 60 MB and more.
    Raises UnreadableError for headers that are damaged and sections that lie beyond the end.
    """
    start = _pe_offset(data.read_at(0, 64))
    coff = data.read_at(start, _COFF.size)
    if len(coff) < _COFF.size:
        raise UnreadableError("the PE header is cut")
    _, machine, count, stamp, _, _, optional_size, characteristics = _COFF.unpack(coff)
    optional = start + _COFF.size
    header = data.read_at(optional, optional_size)
    table = data.read_at(optional + optional_size, count * _SECTION.size)
    if count > _SECTIONS_MAX or len(table) < count * _SECTION.size or len(header) < max(optional_size, 68):
        raise UnreadableError("the PE headers are damaged or cut")
    for _ in range(count):
        budget.member("")
    sections = [_section(data, *_SECTION.unpack_from(table, n * _SECTION.size)) for n in range(count)]
    end_of_headers = optional + optional_size + len(table)
    certificates = _certificates(data, header)
    return Container(
        format="pe",
        entries=tuple(entry for entry, _ in sections if entry.size),
        facts=(
            Fact(name="machine", value=machine, places=((start + 4, 2),)),
            Fact(name="timestamp", value=stamp, places=((start + 8, 4),)),
            Fact(name="characteristics", value=characteristics, places=((start + 22, 2),)),
            Fact(name="checksum", value=int.from_bytes(header[64:68], "little"), places=((optional + 64, 4),)),
        ),
        regions=(
            Region(name="headers", data=data.window(0, min(end_of_headers, data.size))),
            *(Region(name="padding", data=padding) for _, padding in sections if padding.size),
            *((Region(name="certificate table", data=certificates),) if certificates is not None else ()),
        ),
        remainder="padding",
    )


def _pe_offset(head: bytes) -> int:
    return int.from_bytes(head[60:64], "little")


def _section(
    data: Data, name: bytes, virtual: int, _address: int, size: int, offset: int, *_: int
) -> tuple[Entry, Data]:
    """Return the section's bytes without the padding that fills it up to the alignment, and that padding."""
    title = name.rstrip(b"\0").decode("utf-8", "replace")
    if size and offset + size > data.size:
        raise UnreadableError(
            f"section {title!r} ends at byte {offset + size}, the file at byte {data.size}: it is cut"
        )
    used = min(size, virtual) if virtual else size
    entry = Entry(
        path=title,
        kind=Kind.SECTION,
        size=used,
        data=data.window(offset, used) if used else None,
    )
    return entry, data.window(offset + used, size - used) if size > used else data.window(0, 0)


def _certificates(data: Data, header: bytes) -> Data | None:
    """Return the Authenticode signatures, which are found by file offset."""
    directories = 112 if int.from_bytes(header[:2], "little") == _WIDE else 96
    raw = header[directories + 8 * _CERTIFICATES : directories + 8 * _CERTIFICATES + 8]
    if len(raw) < 8:
        return None
    offset, size = struct.unpack("<II", raw)
    return data.window(offset, size) if size and offset + size <= data.size else None
