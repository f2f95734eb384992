"""Inodes of EROFS, the metadata they lie in, and the names that directories list."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import KIND_OF_MODE, Kind, text
from ci_toolkit.images.filesystems.erofs_superblock import Superblock

FLAT_PLAIN: Final = 0
COMPRESSED_FULL: Final = 1
FLAT_INLINE: Final = 2
COMPRESSED_COMPACT: Final = 3
CHUNKED: Final = 4
# A block address that stands for a hole.
NOWHERE: Final = -1

_IN_METABOX: Final = 1 << 63
_SLOT: Final = 32
_COMPACT: Final = struct.Struct("<HHHHII4sIHHI")
_EXTENDED: Final = struct.Struct("<HHHHQ4sIIIQII16x")
_NAME: Final = struct.Struct("<QHBB")
_XATTR_HEADER: Final = 12
_ONE_LINK: Final = 1 << 4
_DOTS: Final = (b".", b"..")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inode:
    """One record; `place` is where it begins in `metadata`, `end` where what follows it and its attributes begins.

    `block` is the first block of a plain content, or NOWHERE; `chunks` is the format of a chunked one.
    """

    nid: int
    metadata: Data
    place: int
    end: int
    xattr_size: int
    layout: int
    kind: Kind
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    links: int
    size: int
    block: int
    chunks: int
    device: tuple[int, int] | None

    @property
    def xattr_place(self) -> int:
        return self.end - self.xattr_size


def read_inode(data: Data, metabox: Data | None, superblock: Superblock, nid: int) -> Inode:
    """Return inode NID of DATA. Raises UnreadableError when there is no such inode, or it makes no sense."""
    metadata = data
    place = superblock.meta * superblock.block + nid * _SLOT
    if nid & _IN_METABOX:
        if metabox is None:
            raise UnreadableError(f"inode {nid:#x} is in a box that does not exist")
        metadata = metabox
        place = (nid ^ _IN_METABOX) * _SLOT
    if place + _COMPACT.size > metadata.size:
        raise UnreadableError(f"inode {nid} lies beyond the end of the file system")
    raw = metadata.read_at(place, _EXTENDED.size)
    form = int.from_bytes(raw[:2], "little")
    layout = form >> 1 & 7
    if layout > CHUNKED:
        raise UnreadableError(f"inode {nid} has layout {layout}, which nobody knows")
    is_extended = form & 1
    if is_extended:
        if len(raw) < _EXTENDED.size:
            raise UnreadableError(f"inode {nid} lies beyond the end of the file system")
        _, count, mode, high, size, union, _, uid, gid, seconds, nanoseconds, links = _EXTENDED.unpack(raw)
    else:
        _, count, mode, high, size, seconds, union, _, uid, gid, _ = _COMPACT.unpack_from(raw)
        seconds += superblock.epoch
        nanoseconds = superblock.nanoseconds
        links = high
    kind = KIND_OF_MODE.get(mode & 0o170000)
    if kind is None:
        raise UnreadableError(f"inode {nid} has no type")
    if not is_extended:
        # A bit says that there is one link, so that the count is free for the address.
        has_high = form & _ONE_LINK and kind is not Kind.DIRECTORY
        links, high = (1, high) if has_high else (links, 0)
    number = int.from_bytes(union, "little")
    xattr_size = _XATTR_HEADER + 4 * (count - 1) if count else 0
    return Inode(
        nid=nid,
        metadata=metadata,
        place=place,
        end=place + (_EXTENDED.size if is_extended else _COMPACT.size) + xattr_size,
        xattr_size=xattr_size,
        layout=layout,
        kind=kind,
        mode=mode & 0o7777,
        uid=uid,
        gid=gid,
        mtime_ns=seconds * 1_000_000_000 + nanoseconds,
        links=links,
        size=size,
        block=NOWHERE if number == 0xFFFF_FFFF and high in (0, 0xFFFF) else number | high << 32,
        chunks=number & 0xFFFF,
        device=_device(number) if kind in (Kind.CHARACTER, Kind.BLOCK) else None,
    )


def names(content: Data, block: int) -> Iterator[tuple[str, int]]:
    """Yield (name, nid) of a directory in the order stored. Raises UnreadableError."""
    for start in range(0, content.size, block):
        yield from _names(content.read_at(start, block))


def _names(part: bytes) -> Iterator[tuple[str, int]]:
    first = int.from_bytes(part[8:10], "little")
    if first % _NAME.size or not _NAME.size <= first <= len(part):
        raise UnreadableError("a directory block is damaged")
    places = [_NAME.unpack_from(part, offset) for offset in range(0, first, _NAME.size)]
    ends = [start for _, start, _, _ in places[1:]]
    for (nid, start, _, _), end in zip(places, [*ends, len(part)], strict=True):
        if not first <= start < end <= len(part):
            raise UnreadableError("a directory block is damaged")
        # Zeros follow only the last name.
        name = part[start:end] if end < len(part) else part[start:end].partition(b"\0")[0]
        if name in _DOTS:
            continue
        if not name or b"/" in name or b"\0" in name:
            raise UnreadableError("a name in a directory is none")
        yield text(name), nid


def _device(number: int) -> tuple[int, int]:
    return (number & 0xFFF00) >> 8, (number & 0xFF) | (number >> 12 & 0xFFF00)
