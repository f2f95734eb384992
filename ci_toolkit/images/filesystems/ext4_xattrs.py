"""Extended attributes of ext4, inside the inode and in a block of their own."""

import struct
from collections.abc import Callable, Iterator
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import text

MAGIC: Final = b"\0\0\x02\xea"
_ENTRY: Final = struct.Struct("<BBHIII")
_BLOCK_HEADER: Final = 32
_PREFIXES: Final = {
    1: "user.",
    2: "system.posix_acl_access",
    3: "system.posix_acl_default",
    4: "trusted.",
    6: "security.",
    7: "system.",
    8: "system.richacl",
}
INLINE_DATA: Final = "system.data"

# Gives the content of the inode that a large value was put into.
ValueReader = Callable[[int, int], bytes]


def in_inode(raw: bytes, start: int, large: ValueReader) -> dict[str, bytes]:
    """Return the attributes that begin at START of an inode's record. Raises UnreadableError."""
    if raw[start : start + 4] != MAGIC:
        return {}
    return dict(_entries(raw, start + 4, start + 4, large))


def in_block(raw: bytes, large: ValueReader) -> dict[str, bytes]:
    """Return the attributes of an attribute block. Raises UnreadableError."""
    if raw[:4] != MAGIC:
        raise UnreadableError("an attribute block is damaged")
    return dict(_entries(raw, _BLOCK_HEADER, 0, large))


def _entries(raw: bytes, start: int, values: int, large: ValueReader) -> Iterator[tuple[str, bytes]]:
    while start + 4 <= len(raw) and raw[start : start + 4] != b"\0\0\0\0":
        if start + _ENTRY.size > len(raw):
            raise UnreadableError("an extended attribute is cut")
        name_length, prefix, offset, inode, size, _ = _ENTRY.unpack_from(raw, start)
        name = raw[start + _ENTRY.size : start + _ENTRY.size + name_length]
        if inode:
            value = large(inode, size)
        else:
            value = raw[values + offset : values + offset + size]
        if len(value) < size:
            raise UnreadableError("an extended attribute is cut")
        yield _PREFIXES.get(prefix, f"{prefix}.") + text(name), value
        start += _ENTRY.size + (name_length + 3 & ~3)
