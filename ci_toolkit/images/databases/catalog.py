"""The journal's catalog of messages, as one database of all languages."""

import struct
import uuid
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Fact, Kind, Region, text
from ci_toolkit.images.limits import MIB, Budget

_MAGIC: Final = b"RHHHKSLP"
_HEADER: Final = struct.Struct("<8sIIQQQ")
_ITEM: Final = struct.Struct("<16s32sQ")
_SIZE_MAX: Final = 64 * MIB


def recognise(data: Data) -> bool:
    return data.read_at(0, len(_MAGIC)) == _MAGIC


def read(data: Data, budget: Budget) -> Container:
    """Read all messages. Raises UnreadableError when the database is damaged or cut."""
    if data.size > _SIZE_MAX:
        raise UnreadableError(f"a catalog of {data.size} bytes")
    budget.attribute(data.size)
    raw = data.read_at(0, data.size)
    if len(raw) < _HEADER.size:
        raise UnreadableError("the header of the catalog is cut")
    _, compatible, incompatible, header, count, item = _HEADER.unpack_from(raw)
    strings = header + count * item
    if header < _HEADER.size or item < _ITEM.size or strings > len(raw):
        raise UnreadableError(f"the catalog lists {count} messages, and is cut before them or damaged")
    entries = []
    for place in range(header, strings, item):
        name, language, offset = _ITEM.unpack_from(raw, place)
        path = str(uuid.UUID(bytes=name))
        if language.strip(b"\0"):
            path += f" {text(language.partition(bytes(1))[0])}"
        budget.member(path)
        start = strings + offset
        end = raw.find(b"\0", start)
        if end < 0:
            raise UnreadableError(f"message {path} is cut")
        entries.append(
            Entry(
                path=path, kind=Kind.SECTION, size=end - start, record=(place, item),
                data=data.window(start, end - start),
            )
        )  # fmt: skip
    return Container(
        format="catalog",
        entries=tuple(entries),
        facts=(
            Fact(name="compatible_flags", value=compatible, places=((8, 4),)),
            Fact(name="incompatible_flags", value=incompatible, places=((12, 4),)),
        ),
        regions=(Region(name="table of messages", data=data.window(0, strings)),),
        remainder="padding",
    )
