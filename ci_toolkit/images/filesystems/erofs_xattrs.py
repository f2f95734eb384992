"""Extended attributes of EROFS: those of one inode, those that several share, and long beginnings of names."""

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import text
from ci_toolkit.images.filesystems.erofs_inodes import Inode

_HEADER: Final = 12
_ENTRY: Final = struct.Struct("<BBH")
_LONG: Final = 0x80
_KEPT: Final = 4096
_PREFIXES: Final = {
    1: "user.",
    2: "system.posix_acl_access",
    3: "system.posix_acl_default",
    4: "trusted.",
    5: "lustre.",
    6: "security.",
}

Attribute = tuple[str, bytes]


class Attributes:
    """Reads attributes; those that several inodes share begin at byte START of METADATA.

    `shared` are the places and sizes of those that were asked for.
    """

    def __init__(self, metadata: Data, start: int, prefixes: tuple[str, ...]) -> None:
        self.metadata = metadata
        self.shared: dict[int, int] = {}
        self._prefixes = prefixes

        @lru_cache(maxsize=_KEPT)
        def get(number: int) -> Attribute:
            place = start + 4 * number
            head = metadata.read_at(place, _ENTRY.size)
            length = sum(_ENTRY.unpack(head)[::2]) if len(head) == _ENTRY.size else 0
            attribute, size = _entry(metadata.read_at(place, _ENTRY.size + length), 0, prefixes)
            self.shared[place] = size
            return attribute

        self._shared = get

    def of(self, inode: Inode) -> tuple[Attribute, ...]:
        """Return the attributes of INODE. Raises UnreadableError."""
        if not inode.xattr_size:
            return ()
        raw = inode.metadata.read_at(inode.xattr_place, inode.xattr_size)
        if len(raw) < inode.xattr_size:
            raise UnreadableError("the extended attributes of an inode are cut")
        start = _HEADER + 4 * raw[4]
        if start > len(raw):
            raise UnreadableError("the extended attributes of an inode are damaged")
        shared = [int.from_bytes(raw[place : place + 4], "little") for place in range(_HEADER, start, 4)]
        return tuple(sorted([*map(self._shared, shared), *self._inline(raw, start)]))

    def _inline(self, raw: bytes, start: int) -> Iterator[Attribute]:
        # Zeros follow where room was left for more.
        while start + _ENTRY.size <= len(raw) and raw[start : start + _ENTRY.size] != bytes(_ENTRY.size):
            attribute, size = _entry(raw, start, self._prefixes)
            yield attribute
            start += -(-size // 4) * 4


def read_prefixes(metadata: Data, start: int, count: int) -> tuple[tuple[str, ...], int]:
    """Return the long beginnings of names that lie from byte START on, and where they end. Raises UnreadableError."""
    found = []
    for _ in range(count):
        start = -(-start // 4) * 4
        length = int.from_bytes(metadata.read_at(start, 2), "little")
        raw = metadata.read_at(start + 2, length)
        if not 0 < length == len(raw) <= 256:
            raise UnreadableError("the beginnings of attributes' names are damaged")
        found.append(_PREFIXES.get(raw[0], f"{raw[0]}.") + text(raw[1:]))
        start += 2 + length
    return tuple(found), start


def _entry(raw: bytes, start: int, prefixes: tuple[str, ...]) -> tuple[Attribute, int]:
    """Return one attribute and how many bytes it takes."""
    if start + _ENTRY.size > len(raw):
        raise UnreadableError("an extended attribute is cut")
    name_length, index, size = _ENTRY.unpack_from(raw, start)
    name = start + _ENTRY.size
    end = name + name_length + size
    if end > len(raw):
        raise UnreadableError("an extended attribute is cut")
    if index & _LONG:
        if index ^ _LONG >= len(prefixes):
            raise UnreadableError("an extended attribute begins with a prefix that does not exist")
        prefix = prefixes[index ^ _LONG]
    else:
        prefix = _PREFIXES.get(index, f"{index}.")
    return (prefix + text(raw[name : name + name_length]), raw[name + name_length : end]), end - start
