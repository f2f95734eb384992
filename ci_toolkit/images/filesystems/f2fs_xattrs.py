"""Extended attributes of f2fs: those in the inode go on in a node of their own."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import text

_MAGIC: Final = b"\x11\x20\xf5\xf2"
_HEADER: Final = 24
_ENTRY: Final = struct.Struct("<BBH")
_PREFIXES: Final = {
    1: "user.",
    2: "system.posix_acl_access",
    3: "system.posix_acl_default",
    4: "trusted.",
    6: "security.",
    7: "system.advise",
    9: "encryption.",
    11: "verity.",
}


class Attribute(NamedTuple):
    """A name as programs see it, and its value."""

    name: str
    value: bytes


def attributes(raw: bytes) -> Iterator[Attribute]:
    """Yield the attributes in RAW, that of the inode and that of the node in one. Raises UnreadableError."""
    if raw[:4] != _MAGIC:
        return
    position = _HEADER
    while position + _ENTRY.size <= len(raw) and raw[position : position + _ENTRY.size] != bytes(_ENTRY.size):
        prefix, name_length, size = _ENTRY.unpack_from(raw, position)
        middle = position + _ENTRY.size + name_length
        end = middle + size
        if end > len(raw):
            raise UnreadableError("an extended attribute is cut")
        name = _PREFIXES.get(prefix, f"{prefix}.") + text(raw[position + _ENTRY.size : middle])
        yield Attribute(name, raw[middle:end])
        position = end + 3 & ~3
