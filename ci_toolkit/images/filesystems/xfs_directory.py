"""Directories of XFS: in the inode, or in blocks of their own; of the latter only those with names are looked at."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.filesystems.xfs_superblock import Superblock
from ci_toolkit.images.limits import GIB

# Blocks from here on hold hashes of names, and no names.
NAMES_END: Final = 32 * GIB
_ONE_BLOCK: Final = (b"XD2B", b"XDB3")
_MANY_BLOCKS: Final = (b"XD2D", b"XDD3")
_HEADER: Final = 16
_HEADER_5: Final = 64
_UNUSED: Final = b"\xff\xff"
_LONG_NUMBERS: Final = 8


class Name(NamedTuple):
    """A name and the inode that it leads to."""

    name: bytes
    number: int


def short_names(raw: bytes, superblock: Superblock) -> Iterator[Name]:
    """Yield the names of a directory that lies in its inode. Raises UnreadableError."""
    if len(raw) < 6:
        raise UnreadableError("a directory in an inode is damaged")
    count, long_count = raw[0], raw[1]
    width = _LONG_NUMBERS if long_count else 4
    position = 2 + width
    extra = 1 if superblock.has_file_types else 0
    # `count` is of all names, those with long numbers included.
    for _ in range(count):
        length = raw[position] if position < len(raw) else 0
        start = position + 3
        end = start + length + extra
        if not length or end + width > len(raw):
            raise UnreadableError("a directory in an inode is damaged")
        yield Name(raw[start : start + length], int.from_bytes(raw[end : end + width], "big"))
        position = end + width


def block_names(raw: bytes, superblock: Superblock) -> Iterator[Name]:
    """Yield the names of one directory block, without "." and "..". Raises UnreadableError."""
    magic = raw[:4]
    end = len(raw)
    if magic == _ONE_BLOCK[superblock.is_v5]:
        end -= 8 + 8 * int.from_bytes(raw[-8:-4], "big")
    elif magic != _MANY_BLOCKS[superblock.is_v5]:
        raise UnreadableError("a directory block is damaged")
    position = _HEADER_5 if superblock.is_v5 else _HEADER
    extra = 1 if superblock.has_file_types else 0
    while position < end:
        if end - position < 8:
            raise UnreadableError("a directory block is damaged")
        number, length = struct.unpack_from(">QB", raw, position) if position + 9 <= end else (0, 0)
        if raw[position : position + 2] == _UNUSED:
            size = int.from_bytes(raw[position + 2 : position + 4], "big")
            if size < 8 or size % 8:
                raise UnreadableError("a directory block is damaged")
            position += size
            continue
        start = position + 9
        position = position + (8 + 1 + length + extra + 2 + 7 & ~7)
        if not length or position > end:
            raise UnreadableError("a directory block is damaged")
        name = raw[start : start + length]
        if name not in (b".", b".."):
            yield Name(name, number)
