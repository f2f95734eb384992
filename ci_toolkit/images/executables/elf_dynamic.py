"""What an ELF file tells the loader and debuggers: libraries, interpreter, identifier of the build."""

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Fact, text
from ci_toolkit.images.executables.elf_headers import PT_DYNAMIC, PT_INTERP, PT_LOAD, Header, Segment
from ci_toolkit.images.limits import KIB, MIB

_STRINGS: Final = 5
_STRINGS_SIZE: Final = 10
_NAMES: Final = {1: "needed", 14: "soname", 15: "rpath", 29: "runpath"}
_DYNAMIC_MAX: Final = 1 * MIB
_STRINGS_MAX: Final = 16 * MIB
_PATH_MAX: Final = 4 * KIB
_NOTES_MAX: Final = 64 * KIB
_BUILD_ID: Final = 3


def dynamic(data: Data, header: Header, segments: Sequence[Segment]) -> Iterator[Fact]:
    """Yield the interpreter, the libraries that are needed and the paths that they are looked for in."""
    for segment in segments:
        if segment.kind == PT_INTERP:
            raw = _within(data, segment.offset, min(segment.size, _PATH_MAX))
            name = raw.partition(b"\0")[0]
            yield Fact(name="interpreter", value=text(name), places=((segment.offset, len(name)),))
        elif segment.kind == PT_DYNAMIC:
            yield from _tags(data, header, segments, segment)


def _tags(data: Data, header: Header, segments: Sequence[Segment], segment: Segment) -> Iterator[Fact]:
    row = struct.Struct(f"{header.order}{'qQ' if header.wide else 'iI'}")
    raw = _within(data, segment.offset, min(segment.size, _DYNAMIC_MAX))
    tags = [row.unpack_from(raw, place) for place in range(0, len(raw) - row.size + 1, row.size)]
    values = dict(tags)
    start = _offset(values.get(_STRINGS, 0), segments)
    if start is None:
        return
    strings = _within(data, start, min(values.get(_STRINGS_SIZE, 0), _STRINGS_MAX))
    found: dict[str, list[str]] = {}
    for tag, value in tags:
        if tag == 0:
            break
        if tag in _NAMES:
            name = strings[value : value + _PATH_MAX].partition(b"\0")[0]
            found.setdefault(_NAMES[tag], []).append(text(name))
    for key, names in found.items():
        yield Fact(name=key, value=tuple(names))


def _offset(address: int, segments: Sequence[Segment]) -> int | None:
    """Return where in the file the byte at ADDRESS in memory lies."""
    for segment in segments:
        if segment.kind == PT_LOAD and segment.address <= address < segment.address + segment.size:
            return segment.offset + address - segment.address
    return None


def build_id(data: Data, offset: int, size: int, order: str) -> Fact | None:
    """Return the identifier of the build, where the notes at OFFSET hold one."""
    raw = _within(data, offset, min(size, _NOTES_MAX))
    place = 0
    while place + 12 <= len(raw):
        name_size, length, kind = struct.unpack_from(f"{order}III", raw, place)
        content = place + 12 + (name_size + 3 & ~3)
        if kind == _BUILD_ID and raw[place + 12 : place + 16] == b"GNU\0" and content + length <= len(raw):
            value = raw[content : content + length].hex()
            return Fact(name="build_id", value=value, places=((offset + content, length),))
        place = content + (length + 3 & ~3)
    return None


def debug_link(data: Data, offset: int, size: int) -> Iterator[Fact]:
    """Yield the name and the checksum of the file that holds what was stripped."""
    raw = _within(data, offset, min(size, _PATH_MAX))
    name = raw.partition(b"\0")[0]
    place = len(name) + 4 & ~3
    if len(raw) == place + 4:
        yield Fact(name="debug_link", value=text(name), places=((offset, len(name)),))
        yield Fact(name="debug_link_checksum", value=raw[place:].hex(), places=((offset + place, 4),))


def _within(data: Data, offset: int, size: int) -> bytes:
    """Return what there is of SIZE bytes at OFFSET."""
    return data.read_at(offset, size) if offset < data.size else b""
