"""Inodes and directories of squashfs."""

import struct
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import Kind, text
from ci_toolkit.images.filesystems.squashfs_superblock import Superblock
from ci_toolkit.images.filesystems.squashfs_tables import Cursor, Metadata, Span
from ci_toolkit.images.limits import Budget

NONE: Final = 0xFFFF_FFFF

# Numbers above these seven are the same kinds with extended attributes.
_KINDS: Final[Mapping[int, Kind]] = MappingProxyType(
    {
        1: Kind.DIRECTORY,
        2: Kind.FILE,
        3: Kind.SYMLINK,
        4: Kind.BLOCK,
        5: Kind.CHARACTER,
        6: Kind.FIFO,
        7: Kind.SOCKET,
    }
)
_EXTENDED: Final = 7
_HEADER: Final = struct.Struct("<HHHHiI")
_DIRECTORY: Final = struct.Struct("<IIHHI")
_LONG_DIRECTORY: Final = struct.Struct("<IIIIHHI")
_FILE: Final = struct.Struct("<IIII")
_LONG_FILE: Final = struct.Struct("<QQQIIII")
_LISTING: Final = struct.Struct("<III")
_NAME: Final = struct.Struct("<HhHH")
_NAMES_MAX: Final = 256
_NAME_MAX: Final = 256
_TARGET_MAX: Final = 1 << 16
# What a directory's size counts for "." and "..", which are not stored.
_DOTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Inode:
    """One record.

    `start` is a file's first block, and `sizes` are those of all its blocks; `fragment` is the number of the block that
    its tail shares with others, from byte `within` on. Of a directory they are where its listing begins. `place` is
    the span of the metadata blocks that hold the record.
    """

    kind: Kind
    mode: int
    uid: int
    gid: int
    mtime: int
    number: int
    links: int
    place: Span
    size: int = 0
    xattrs: int = NONE
    start: int = 0
    within: int = 0
    fragment: int = NONE
    sizes: Sequence[int] = ()
    target: bytes | None = None
    device: tuple[int, int] | None = None


class Inodes:
    """Finds inodes by their references, and what directories list."""

    def __init__(self, metadata: Metadata, superblock: Superblock, budget: Budget) -> None:
        self._metadata = metadata
        self._superblock = superblock
        self._budget = budget

    def get(self, reference: int) -> Inode:
        """Return the inode at REFERENCE. Raises UnreadableError."""
        position = self._superblock.inode_table + (reference >> 16)
        if position >= self._superblock.directory_table:
            raise UnreadableError(f"an inode at byte {position}, beyond the inode table")
        cursor = self._metadata.at(position, reference & 0xFFFF)
        number, *_ = header = _HEADER.unpack(cursor.take(_HEADER.size))
        extended = number > _EXTENDED
        kind = _KINDS.get(number - _EXTENDED if extended else number)
        match kind:
            case None:
                raise UnreadableError(f"an inode of kind {number}, which nobody knows")
            case Kind.DIRECTORY:
                return _directory(cursor, header, extended=extended)
            case Kind.FILE:
                return self._file(cursor, header, extended=extended)
            case Kind.SYMLINK:
                return _symlink(cursor, header, extended=extended)
            case _:
                return _special(cursor, kind, header, extended=extended)

    def names(self, directory: Inode) -> Iterator[tuple[str, int]]:
        """Yield (name, reference) in the order stored. Raises UnreadableError."""
        left = directory.size - _DOTS
        if left <= 0:
            return
        cursor = self._metadata.at(self._superblock.directory_table + directory.start, directory.within)
        while left > 0:
            count, block, _ = _LISTING.unpack(cursor.take(_LISTING.size))
            left -= _LISTING.size
            if count >= _NAMES_MAX:
                raise UnreadableError("a directory is damaged")
            for _ in range(count + 1):
                within, _, _, length = _NAME.unpack(cursor.take(_NAME.size))
                if length >= _NAME_MAX:
                    raise UnreadableError("a directory is damaged")
                name = cursor.take(length + 1)
                left -= _NAME.size + len(name)
                if left < 0:
                    raise UnreadableError("a directory is damaged")
                if b"/" in name or b"\0" in name or name in (b".", b".."):
                    raise UnreadableError("a name in a directory is none")
                yield text(name), block << 16 | within

    def _file(self, cursor: Cursor, header: tuple[int, ...], *, extended: bool) -> Inode:
        if extended:
            start, size, _, links, fragment, within, xattrs = _LONG_FILE.unpack(cursor.take(_LONG_FILE.size))
        else:
            start, fragment, within, size = _FILE.unpack(cursor.take(_FILE.size))
            links, xattrs = 1, NONE
        block_size = self._superblock.block_size
        count = size // block_size if fragment != NONE else -(-size // block_size)
        self._budget.attribute(4 * count)
        sizes = array("I", cursor.take(4 * count))
        if sys.byteorder == "big":
            sizes.byteswap()
        return _inode(
            Kind.FILE, cursor, header,
            links=links, size=size, xattrs=xattrs, start=start, within=within, fragment=fragment, sizes=sizes,
        )  # fmt: skip


def _directory(cursor: Cursor, header: tuple[int, ...], *, extended: bool) -> Inode:
    if extended:
        links, size, start, _, _, within, xattrs = _LONG_DIRECTORY.unpack(cursor.take(_LONG_DIRECTORY.size))
    else:
        start, links, size, within, _ = _DIRECTORY.unpack(cursor.take(_DIRECTORY.size))
        xattrs = NONE
    return _inode(
        Kind.DIRECTORY, cursor, header, links=links, size=size, xattrs=xattrs, start=start, within=within
    )  # fmt: skip


def _symlink(cursor: Cursor, header: tuple[int, ...], *, extended: bool) -> Inode:
    links, size = struct.unpack("<II", cursor.take(8))
    if size > _TARGET_MAX:
        raise UnreadableError(f"a symbolic link of {size} bytes")
    target = cursor.take(size)
    return _inode(
        Kind.SYMLINK, cursor, header,
        links=links, size=size, target=target, xattrs=_number(cursor) if extended else NONE,
    )  # fmt: skip


def _special(cursor: Cursor, kind: Kind, header: tuple[int, ...], *, extended: bool) -> Inode:
    links = _number(cursor)
    device = None
    if kind in (Kind.BLOCK, Kind.CHARACTER):
        number = _number(cursor)
        device = (number & 0xFFF00) >> 8, (number & 0xFF) | (number >> 12 & 0xFFF00)
    return _inode(kind, cursor, header, links=links, device=device, xattrs=_number(cursor) if extended else NONE)


def _inode(
    kind: Kind,
    cursor: Cursor,
    header: tuple[int, ...],
    *,
    links: int,
    size: int = 0,
    xattrs: int = NONE,
    start: int = 0,
    within: int = 0,
    fragment: int = NONE,
    sizes: Sequence[int] = (),
    target: bytes | None = None,
    device: tuple[int, int] | None = None,
) -> Inode:
    _, mode, uid, gid, mtime, number = header
    return Inode(
        kind=kind, mode=mode & 0o7777, uid=uid, gid=gid, mtime=mtime, number=number, links=links,
        place=cursor.span(), size=size, xattrs=xattrs, start=start, within=within, fragment=fragment, sizes=sizes,
        target=target, device=device,
    )  # fmt: skip


def _number(cursor: Cursor) -> int:
    return int.from_bytes(cursor.take(4), "little")
