"""The header structure of RPM, of which a package has two: an index of tags, and the store of their values.

The layout is described in docs/manual/format_header.md of rpm.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.limits import MIB, Budget

_MAGIC: Final = b"\x8e\xad\xe8\x01"
_INTRO: Final = struct.Struct(">4s4xII")
_ENTRY: Final = struct.Struct(">IIiI")
_TAGS_MAX: Final = 0xFFFF
_STORE_MAX: Final = 64 * MIB
# Tags below this one say which part of the header was signed, and where.
_FIRST: Final = 100
_VALUE_COST: Final = 64
_NULL: Final = 0
_STRING: Final = 6
_BINARY: Final = 7
_STRINGS: Final = (8, 9)
# Numbers, by type: how large one of them is.
_NUMBERS: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8}

Value = int | str | tuple[str, ...] | None


class Tag(NamedTuple):
    """One value, and where it lies in the package; several numbers are told as texts, bytes in hexadecimal."""

    number: int
    value: Value
    place: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Header:
    """One header, from byte `start` of the package to before `end`."""

    start: int
    end: int
    tags: tuple[Tag, ...]


def read_header(data: Data, start: int, budget: Budget) -> Header:
    """Read the header at byte START. Raises UnreadableError when it is damaged or cut."""
    intro = data.read_at(start, _INTRO.size)
    if len(intro) < _INTRO.size:
        raise UnreadableError(f"the RPM package ends at byte {data.size}, before its header: it is cut")
    magic, count, size = _INTRO.unpack(intro)
    if magic != _MAGIC:
        raise UnreadableError(f"there is no RPM header at byte {start}")
    if count > _TAGS_MAX or size > _STORE_MAX:
        raise UnreadableError(f"an RPM header of {count} tags and {size} bytes")
    store = start + _INTRO.size + count * _ENTRY.size
    if store + size > data.size:
        raise UnreadableError(f"the RPM package ends at byte {data.size}, inside a header: it is cut")
    budget.attribute(count * _ENTRY.size + size)
    index = data.read_at(start + _INTRO.size, count * _ENTRY.size)
    return Header(start, store + size, tuple(_tags(index, data.read_at(store, size), store, budget)))


def _tags(index: bytes, raw: bytes, store: int, budget: Budget) -> Iterator[Tag]:
    for number, kind, offset, count in _ENTRY.iter_unpack(index):
        if number < _FIRST:
            continue
        if not 0 <= offset <= len(raw):
            raise UnreadableError(f"tag {number} of an RPM header lies beyond the end")
        budget.attribute(_VALUE_COST * (count + 1))
        end, value = _value(raw, kind, offset, count)
        if end > len(raw):
            raise UnreadableError(f"tag {number} of an RPM header lies beyond the end")
        budget.attribute(end - offset)
        yield Tag(number, value, (store + offset, end - offset))


def _value(raw: bytes, kind: int, offset: int, count: int) -> tuple[int, Value]:
    """Return where a value ends, and what it is. Raises UnreadableError."""
    if kind in _NUMBERS:
        size = _NUMBERS[kind]
        end = offset + size * count
        numbers = [int.from_bytes(raw[at : at + size], "big") for at in range(offset, min(end, len(raw)), size)]
        return end, numbers[0] if len(numbers) == 1 else tuple(map(str, numbers))
    if kind == _BINARY:
        return offset + count, raw[offset : offset + count].hex()
    if kind == _STRING or kind in _STRINGS:
        texts = []
        position = offset
        for _ in range(1 if kind == _STRING else count):
            end = raw.find(b"\0", position)
            if end < 0:
                return len(raw) + 1, None
            texts.append(raw[position:end].decode("utf-8", "surrogateescape"))
            position = end + 1
        return position, texts[0] if kind == _STRING else tuple(texts)
    if kind == _NULL:
        return offset, None
    raise UnreadableError(f"an RPM header has a value of type {kind}")
