"""Which blocks of an EROFS a compressed file is unpacked from.

Two forms: an index of the clusters of the file, full or packed, in which each extent has a head; or a list of extents.
"""

import struct
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.filesystems.erofs_inodes import COMPRESSED_COMPACT, Inode
from ci_toolkit.images.limits import KIB, MIB, Budget

PLAIN: Final = -1

_EXTENTS: Final = 0x1
_COMPACTED: Final = 0x1
_BIG: Final = (0x2, 0x4)
_INLINE: Final = 0x8
_INTERLACED: Final = 0x10
_FRAGMENT: Final = 0x20
_WHOLE_IN_FRAGMENT: Final = 1 << 63

_HEADER: Final = 8
_INDEX: Final = struct.Struct("<HHI")
_HEAD_PLAIN: Final = 0
_NO_HEAD: Final = 2
_HEAD_SECOND: Final = 3
_PARTIAL: Final = 1 << 15
_BLOCK_COUNT: Final = 1 << 11
_CLUSTER_BITS_MAX: Final = 14

_LENGTH_MASK: Final = 0x1F_FFFF
_PACKED_MAX: Final = MIB
_UNPACKED_MAX: Final = 12 * MIB


@dataclass(frozen=True, slots=True)
class Extent:
    """`length` bytes of the file from `start` on, unpacked by `algorithm` from `size` bytes at `offset` of the image.

    Interlaced ones are stored plainly, but begin in the middle of their block and go on at its start.
    """

    start: int
    length: int
    offset: int
    size: int
    algorithm: int
    interlaced: bool = False


@dataclass(frozen=True, slots=True)
class Fragment:
    """The file's bytes from `start` to its end are those at `offset` of the packed inode."""

    start: int
    offset: int


@dataclass(slots=True)
class _Head:
    """Where an extent begins: in bytes and in clusters of the file, and in blocks of the image."""

    start: int
    cluster: int
    kind: int
    block: int
    partial: bool = False
    blocks: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """What the index of one file says; it ends at byte `end` of the metadata, and data may follow it there."""

    extents: tuple[Extent, ...]
    fragment: Fragment | None
    end: int


def read_map(inode: Inode, block: int, budget: Budget) -> Map:
    """Return the map of a compressed file, in an image with blocks of BLOCK bytes. Raises UnreadableError."""
    start = -(-inode.end // 8) * 8
    header = _read(inode, start, _HEADER)
    whole = int.from_bytes(header, "little")
    if whole & _WHOLE_IN_FRAGMENT:
        return Map(extents=(), fragment=Fragment(0, whole ^ _WHOLE_IN_FRAGMENT), end=start + _HEADER)
    advise = int.from_bytes(header[4:6], "little")
    bits = block.bit_length() - 1 + (header[7] & 15)
    if inode.layout != COMPRESSED_COMPACT and advise & _EXTENTS:
        return _listed(inode, start + _HEADER, header, advise, bits, block, budget)
    return _indexed(inode, start + _HEADER, header, advise, bits, block, budget)


def _indexed(inode: Inode, start: int, header: bytes, advise: int, bits: int, block: int, budget: Budget) -> Map:
    if inode.layout == COMPRESSED_COMPACT:
        heads, end = _compact_heads(inode, start, advise, bits, block, budget)
    else:
        heads, end = _full_heads(inode, start + _HEADER, advise, bits, budget)
    heads = [head for head in heads if head.start < inode.size]
    if not heads or heads[0].start:
        raise UnreadableError("the index of a compressed file is damaged")
    fragment = None
    inline = 0
    if advise & _FRAGMENT:
        offset = int.from_bytes(header[:4], "little")
        if inode.layout != COMPRESSED_COMPACT:
            offset |= heads[-1].block << 32
        fragment = Fragment(heads[-1].start, offset)
    elif advise & _INLINE:
        inline = int.from_bytes(header[2:4], "little")
    extents = []
    ends = [head.start for head in heads[1:]] + [inode.size]
    for head, stop in zip(heads, ends, strict=True):
        is_last = head is heads[-1]
        if stop < head.start:
            raise UnreadableError("the index of a compressed file is damaged")
        if stop == head.start or (is_last and fragment is not None):
            continue
        offset, size = (end, inline) if is_last and inline else (head.block * block, head.blocks * block)
        plain = head.kind == _HEAD_PLAIN
        algorithm = PLAIN if plain else header[6] >> 4 if head.kind == _HEAD_SECOND else header[6] & 15
        extents.append(
            _extent(head.start, stop - head.start, offset, size, algorithm, plain and bool(advise & _INTERLACED))
        )
    return Map(extents=tuple(extents), fragment=fragment, end=end)


def _full_heads(inode: Inode, start: int, advise: int, bits: int, budget: Budget) -> tuple[list[_Head], int]:
    """Read records of eight bytes, one for each cluster."""
    count = -(-inode.size >> bits)
    raw = _read(inode, start, _INDEX.size * count)
    budget.attribute(len(raw))
    heads: list[_Head] = []
    for cluster, (kind, within, where) in enumerate(_INDEX.iter_unpack(raw)):
        if kind & 3 != _NO_HEAD:
            heads.append(_head(cluster, kind & 3, within, where, bits, partial=bool(kind & _PARTIAL)))
        elif where & _BLOCK_COUNT and heads and heads[-1].cluster == cluster - 1:
            _count(heads[-1], where & (_BLOCK_COUNT - 1), advise)
    return heads, start + len(raw)


def _compact_heads(
    inode: Inode, start: int, advise: int, bits: int, block: int, budget: Budget
) -> tuple[list[_Head], int]:
    """Read packs of two or sixteen records that share one block address.

    Those before the first place that is a multiple of 32 bytes, and the last ones, are in packs of two.
    """
    count = -(-inode.size // block)
    if bits > _CLUSTER_BITS_MAX:
        raise UnreadableError("the index of a compressed file is damaged")
    first = (32 - start % 32) // 4 & 7
    dense = (count - first) // 16 * 16 if advise & _COMPACTED and first < count else 0
    if dense and bits > 12:
        raise UnreadableError("the index of a compressed file is damaged")
    first = min(first, count)
    sparse = -(-first // 2), -(-(count - first - dense) // 2)
    raw = _read(inode, start, 8 * sum(sparse) + 2 * dense)
    budget.attribute(len(raw))
    packs = chain(repeat(2, sparse[0]), repeat(16, dense // 16), repeat(2, sparse[1]))
    heads: list[_Head] = []
    position = cluster = 0
    for size in packs:
        length = 8 if size == 2 else 32
        _pack(heads, raw[position : position + length], cluster, min(size, count - cluster), advise, bits)
        position += length
        cluster += size
    return heads, start + len(raw)


def _pack(heads: list[_Head], raw: bytes, cluster: int, count: int, advise: int, bits: int) -> None:
    value = int.from_bytes(raw, "little")
    is_big = bool(advise & _BIG[0])
    width = 16 if len(raw) == 8 else 14
    low = max(bits, 12)
    # The address is that of the last block before those of this pack; with big clusters, of the first one.
    block = (value >> 8 * (len(raw) - 4)) + (0 if is_big else 1)
    for index in range(count):
        record = value >> width * index
        kind = record >> low & 3
        within = record & (1 << low) - 1
        if kind != _NO_HEAD:
            heads.append(_head(cluster + index, kind, within, block, bits))
            block += 1
        elif is_big and within & _BLOCK_COUNT:
            blocks = within & ~_BLOCK_COUNT
            block += blocks - (1 if index else 0)
            if heads and heads[-1].cluster == cluster + index - 1:
                _count(heads[-1], blocks, advise)


def _head(cluster: int, kind: int, within: int, block: int, bits: int, *, partial: bool = False) -> _Head:
    if within >= 1 << bits:
        raise UnreadableError("the index of a compressed file is damaged")
    return _Head((cluster << bits) + within, cluster, kind, block, partial)


def _count(head: _Head, blocks: int, advise: int) -> None:
    """Take in how many blocks an extent has, where its kind may have several."""
    if advise & _BIG[1 if head.kind in (_HEAD_PLAIN, _HEAD_SECOND) else 0]:
        head.blocks = blocks


def _listed(inode: Inode, start: int, header: bytes, advise: int, bits: int, block: int, budget: Budget) -> Map:
    """Read a list of extents; the shorter kinds of records leave out what follows from the one before."""
    size = 4 << (advise >> 1 & 3)
    position = -(-start // size) * size
    count = int.from_bytes(header[:4], "little") | int.from_bytes(header[6:8], "little") << 32
    offset = None
    if size <= 8:
        count = -(-inode.size >> bits)
    if size == 4:
        offset = int.from_bytes(_read(inode, position, 8), "little")
        position += 8
    raw = _read(inode, position, count * size)
    budget.attribute(len(raw))
    records: list[tuple[int, int, int]] = []
    for number in range(count):
        record = raw[number * size : (number + 1) * size]
        length = int.from_bytes(record[:4], "little")
        if offset is not None:
            records.append((number << bits, length, offset))
            offset += length & _LENGTH_MASK
        elif size == 8:
            records.append((number << bits, length, int.from_bytes(record[4:8], "little")))
        else:
            where = int.from_bytes(record[12:20], "little")
            records.append((where, length, int.from_bytes(record[4:12], "little")))
    extents: list[Extent] = []
    fragment = None
    ends = [where for where, _, _ in records[1:]] + [inode.size]
    for (where, length, at), stop in zip(records, ends, strict=True):
        if stop < where:
            raise UnreadableError("the list of a compressed file's extents is damaged")
        if advise & _FRAGMENT and where == records[-1][0]:
            fragment = Fragment(where, length | (at << 32 if size > 4 else 0))
        elif length & _LENGTH_MASK and stop > where:
            packed = length & _LENGTH_MASK
            algorithm = (length >> 28) - 1
            aligned = (at | packed) % block == 0
            interlaced = algorithm == PLAIN and bool(advise & _INTERLACED) and aligned
            extents.append(_extent(where, stop - where, at, packed, algorithm, interlaced))
    return Map(extents=tuple(extents), fragment=fragment, end=position + len(raw))


def _extent(start: int, length: int, offset: int, size: int, algorithm: int, interlaced: bool) -> Extent:
    if size > _PACKED_MAX or length > _UNPACKED_MAX:
        raise UnreadableError(f"an extent of {size} bytes for {length // KIB} KiB of a file")
    return Extent(start, length, offset, size, algorithm, interlaced)


def _read(inode: Inode, start: int, length: int) -> bytes:
    if start + length > inode.metadata.size:
        raise UnreadableError("the index of a compressed file lies beyond the end")
    return inode.metadata.read_at(start, length)
