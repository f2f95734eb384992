"""Directories of f2fs: names in slots of a block, or of the inode."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError

_ENTRY: Final = struct.Struct("<IIHB")
_SLOT: Final = 8
_NAME_MAX: Final = 255
_SLOTS_IN_BLOCK: Final = 214
_BITMAP_IN_BLOCK: Final = 30  # with the three bytes after it that mean nothing


class Name(NamedTuple):
    """A name and the inode that it leads to."""

    name: bytes
    number: int


def block_names(raw: bytes) -> Iterator[Name]:
    """Yield the names of one directory block, without "." and "..". Raises UnreadableError."""
    yield from _names(raw, _SLOTS_IN_BLOCK, _BITMAP_IN_BLOCK)


def inline_names(raw: bytes) -> Iterator[Name]:
    """Yield the names of a directory that lies in its inode. Raises UnreadableError."""
    count = len(raw) * 8 // ((_ENTRY.size + _SLOT) * 8 + 1)
    # What is left over lies between the bitmap and the entries.
    yield from _names(raw, count, len(raw) - count * (_ENTRY.size + _SLOT))


def _names(raw: bytes, count: int, entries: int) -> Iterator[Name]:
    if not any(raw[: -(-count // 8)]):
        return
    texts = entries + count * _ENTRY.size
    index = 0
    while index < count:
        if not raw[index >> 3] >> (index & 7) & 1:
            index += 1
            continue
        _, number, length, _ = _ENTRY.unpack_from(raw, entries + index * _ENTRY.size)
        slots = -(-length // _SLOT)
        if not 0 < length <= _NAME_MAX or index + slots > count:
            raise UnreadableError("a directory block is damaged")
        start = texts + index * _SLOT
        name = raw[start : start + length]
        if name not in (b".", b".."):
            yield Name(name, number)
        index += slots
