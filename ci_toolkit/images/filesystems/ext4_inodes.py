"""Inodes of ext2, ext3 and ext4, read in bulk."""

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import INODE_CHANGED
from ci_toolkit.images.filesystems import ext4_xattrs
from ci_toolkit.images.filesystems.ext4_superblock import Superblock

FLAG_EXTENTS: Final = 0x80000
# How long the part beyond the first 128 bytes has to be for each time.
_WITH_MTIME: Final = 12
_WITH_ACCESSED: Final = 16
_WITH_CREATED: Final = 24
FLAG_INLINE_DATA: Final = 0x10000000

_BASE: Final = struct.Struct("<HHIiiiIHHIII60sIIIIHHHHHH")
# From byte 128 on: the length of what follows, then the parts below a second, with two more bits of the seconds, of the
# times of change, modification and access; then when the inode was made.
_TIMES: Final = struct.Struct("<HHIIIiI")
# Inode tables are read in pieces of this size, and so many of them are kept.
_PIECE: Final = 1 << 17
_PIECES_KEPT: Final = 64


class Inode(NamedTuple):
    """One record; `content` is i_block: a block map, an extent tree, a link's target or inline data."""

    number: int
    place: int
    mode: int
    uid: int
    gid: int
    size: int
    links: int
    flags: int
    mtime_ns: int
    times: tuple[tuple[str, int], ...]
    content: bytes
    attribute_block: int
    raw: bytes


class InodeTable:
    """Finds inodes by number. TABLES gives the first block of each group's table."""

    def __init__(self, data: Data, superblock: Superblock, tables: Sequence[int]) -> None:
        self._superblock = superblock
        self._tables = tables
        per_piece = max(1, _PIECE // superblock.inode_size)

        @lru_cache(maxsize=_PIECES_KEPT)
        def piece(group: int, index: int) -> bytes:
            first = index * per_piece
            count = min(per_piece, superblock.inodes_per_group - first)
            start = tables[group] * superblock.block_size + first * superblock.inode_size
            return data.read_at(start, count * superblock.inode_size)

        self._piece = piece
        self._per_piece = per_piece
        # The piece asked for last: the number of its first inode and the one after its last, where it lies, its bytes.
        self._held = 0, 0, 0, b""

    def get(self, number: int) -> Inode:
        """Return inode NUMBER. Raises UnreadableError when there is no such inode, or it lies beyond the end."""
        return _parse(number, *self.record(number))

    def record(self, number: int) -> tuple[int, bytes]:
        """Return where the record of inode NUMBER lies, and the record. Raises UnreadableError as `get` does."""
        size = self._superblock.inode_size
        first, end, offset, held = self._held
        # Files that lie in one directory mostly have inodes that follow each other.
        if not first <= number < end:
            first, end, offset, held = self._held = self._around(number)
        start = (number - first) * size
        raw = held[start : start + size]
        if len(raw) < size:
            raise UnreadableError(f"inode {number} lies beyond the end of the file system")
        return offset + start, raw

    def _around(self, number: int) -> tuple[int, int, int, bytes]:
        superblock = self._superblock
        if not 0 < number <= superblock.inodes:
            raise UnreadableError(f"inode {number} does not exist")
        group, index = divmod(number - 1, superblock.inodes_per_group)
        piece, within = divmod(index, self._per_piece)
        place = piece * self._per_piece
        first = number - within
        count = min(self._per_piece, superblock.inodes_per_group - place, superblock.inodes + 1 - first)
        offset = self._tables[group] * superblock.block_size + place * superblock.inode_size
        return first, first + count, offset, self._piece(group, piece)

    def attributes(self, inode: Inode, block: bytes | None, large: ext4_xattrs.ValueReader) -> dict[str, bytes]:
        """Return the extended attributes of INODE, whose attribute block, if any, is BLOCK."""
        found: dict[str, bytes] = {}
        if len(inode.raw) > 130:
            extra = int.from_bytes(inode.raw[128:130], "little")
            found = ext4_xattrs.in_inode(inode.raw, 128 + extra, large)
        if block is not None:
            found |= ext4_xattrs.in_block(block, large)
        return found


def _parse(number: int, place: int, raw: bytes) -> Inode:
    (
        mode, uid, size, accessed, changed, mtime, _, gid, links, _, flags, _, content,
        _, acl, size_high, _, _, acl_high, uid_high, gid_high, _, _,
    ) = _BASE.unpack_from(raw)  # fmt: skip
    length = changed_part = mtime_part = accessed_part = 0
    created: tuple[tuple[str, int], ...] = ()
    if len(raw) >= 0x98:
        length, _, changed_part, mtime_part, accessed_part, made, made_part = _TIMES.unpack_from(raw, 0x80)
        if length < _WITH_ACCESSED:
            accessed_part = 0
        if length < _WITH_MTIME:
            changed_part = mtime_part = 0
        if length >= _WITH_CREATED:
            created = (("created", _moment(made, made_part)),)
    return Inode(
        number,
        place,
        mode,
        uid | uid_high << 16,
        gid | gid_high << 16,
        size | size_high << 32,
        links,
        flags,
        _moment(mtime, mtime_part),
        (
            ("accessed", _moment(accessed, accessed_part)),
            (INODE_CHANGED, _moment(changed, changed_part)),
            *created,
        ),
        content,
        acl | acl_high << 32,
        raw,
    )


def _moment(seconds: int, part: int) -> int:
    """Return nanoseconds: PART has two more bits of the SECONDS, which are signed, and the nanoseconds above them."""
    return (seconds + ((part & 3) << 32)) * 1_000_000_000 + (part >> 2)
