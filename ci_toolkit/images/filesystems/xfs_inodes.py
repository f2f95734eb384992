"""Inodes of XFS: found by their numbers, which say where they lie."""

import struct
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.filesystems.xfs_superblock import Superblock

DEVICE: Final = 0
LOCAL: Final = 1
EXTENTS: Final = 2
BTREE: Final = 3
FLAG_REALTIME: Final = 1
GENERATION_AT: Final = 92
CRC_AT: Final = 100
UUID_AT: Final = 160
MAGIC: Final = b"IN"
_CORE: Final = struct.Struct(">2sHBBHIIIHH8sQQQQQIIHBbIHHI")
_V3: Final = struct.Struct(">QI12xQQ")
_V2_SIZE: Final = 100
_V3_SIZE: Final = 176
_BIGTIME: Final = 1 << 3
_LARGE_COUNTS: Final = 1 << 4
# Big times count nanoseconds from the earliest time that 32 bits of seconds reach.
_BIGTIME_BASE: Final = -(1 << 31) * 10**9
_PIECE: Final = 1 << 17
_PIECES_KEPT: Final = 64


@dataclass(frozen=True, slots=True)
class Fork:
    """Where a content is described: `raw` is the content itself, extents, or the root of a tree of them."""

    form: int
    raw: bytes
    extents: int
    place: int


@dataclass(frozen=True, slots=True)
class Inode:
    """One inode; times are nanoseconds since the epoch. `place` is where its record begins."""

    number: int
    place: int
    mode: int
    uid: int
    gid: int
    links: int
    size: int
    project: int
    flags: int
    flags2: int
    accessed_ns: int
    modified_ns: int
    changed_ns: int
    created_ns: int | None
    data: Fork
    attributes: Fork | None


class Inodes:
    """Finds inodes by number, in pieces of their tables."""

    def __init__(self, data: Data, superblock: Superblock) -> None:
        self._data = data
        self._superblock = superblock
        self._kept: OrderedDict[int, bytes] = OrderedDict()

    def get(self, number: int) -> Inode:
        """Return inode NUMBER. Raises UnreadableError when there is none."""
        superblock = self._superblock
        shift = superblock.inodes_per_block_log
        place = superblock.offset(number >> shift) + (number & (1 << shift) - 1) * superblock.inode_size
        piece, within = divmod(place, _PIECE)
        raw = self._piece(piece)[within : within + superblock.inode_size]
        if len(raw) < superblock.inode_size:
            raise UnreadableError(f"inode {number} lies beyond the end of the file system")
        return _parse(number, place, raw, superblock)

    def _piece(self, index: int) -> bytes:
        found = self._kept.get(index)
        if found is None:
            found = self._kept[index] = self._data.read_at(index * _PIECE, _PIECE)
            if len(self._kept) > _PIECES_KEPT:
                self._kept.popitem(last=False)
        return found


def _parse(number: int, place: int, raw: bytes, superblock: Superblock) -> Inode:
    (
        magic, mode, version, form, old_links, uid, gid, links, project, project_high, counts,
        accessed, modified, changed, size, _, _, extents, attribute_extents, fork_offset, attribute_form,
        _, _, flags, _,
    ) = _CORE.unpack_from(raw)  # fmt: skip
    is_v3 = version == 3
    if magic != MAGIC or version not in (1, 2, 3) or is_v3 != superblock.is_v5 or not mode:
        raise UnreadableError(f"inode {number} does not exist")
    start = _V3_SIZE if is_v3 else _V2_SIZE
    flags2, created = 0, None
    if is_v3:
        flags2, _, created, own_number = _V3.unpack_from(raw, 120)
        if own_number != number:
            raise UnreadableError(f"inode {number} does not exist")
    if flags2 & _LARGE_COUNTS:
        extents, attribute_extents = int.from_bytes(counts, "big"), extents
    split = start + 8 * fork_offset if fork_offset else len(raw)
    if split > len(raw) or fork_offset < 0:
        raise UnreadableError(f"inode {number} is damaged")
    big = bool(flags2 & _BIGTIME)
    return Inode(
        number=number,
        place=place,
        mode=mode,
        uid=uid,
        gid=gid,
        links=old_links if version == 1 else links,
        size=size,
        project=project | project_high << 16,
        flags=flags,
        flags2=flags2,
        accessed_ns=_nanoseconds(accessed, big=big),
        modified_ns=_nanoseconds(modified, big=big),
        changed_ns=_nanoseconds(changed, big=big),
        created_ns=None if created is None else _nanoseconds(created, big=big),
        data=Fork(form, raw[start:split], extents, place + start),
        attributes=Fork(attribute_form, raw[split:], attribute_extents, place + split) if fork_offset else None,
    )


def _nanoseconds(stamp: int, *, big: bool) -> int:
    if big:
        return stamp + _BIGTIME_BASE
    seconds = stamp >> 32
    return (seconds - (seconds >> 31 << 32)) * 10**9 + (stamp & 0xFFFFFFFF)
