"""Nodes of f2fs: inodes, and the nodes that go on with the list of their blocks."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.filesystems import f2fs_superblock
from ci_toolkit.images.filesystems.f2fs_checkpoint import Tables
from ci_toolkit.images.filesystems.f2fs_superblock import BLOCK, Superblock
from ci_toolkit.images.limits import Budget

FOOTER: Final = BLOCK - 24
# Where a node's footer has the version of the checkpoint.
FOOTER_VERSION: Final = FOOTER + 12
ADDRESSES: Final = 360
INLINE_XATTRS: Final = 0x1
INLINE_DATA: Final = 0x2
INLINE_NAMES: Final = 0x4
_EXTRA: Final = 0x20
_COMPRESSED: Final = 0x4
_REGULAR: Final = 0o100000
COMPRESSED_CLUSTER: Final = 0xFFFFFFFE
_RESERVED: Final = 0xFFFFFFFF
_CORE: Final = struct.Struct("<HBBIIIQQqqqIIIIIII")
_NODE_IDS: Final = 4052
_NODE_ENTRIES: Final = 1018
_XATTR_WORDS: Final = 50
_DIRECT: Final = 0
_INDIRECT: Final = 1
_DOUBLE: Final = 2
# How deep each of an inode's five further nodes goes.
_DEPTHS: Final = (_DIRECT, _DIRECT, _INDIRECT, _INDIRECT, _DOUBLE)
_CLUSTER_LOG_MAX: Final = 8
# What remembering a piece costs.
_PIECE_COST: Final = 64


class Piece(NamedTuple):
    """`length` blocks of a file from block `start` on, which lie in one piece from block `block` of the image on.

    A compressed cluster has its first address before those of its blocks: `block` is COMPRESSED_CLUSTER there.
    """

    start: int
    length: int
    block: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inode:
    """One inode; times are nanoseconds since the epoch. `place` is where its block begins.

    `extra` is how many bytes of further attributes come before its addresses, `xattr_size` how many bytes of extended
    attributes after them.
    """

    number: int
    place: int
    raw: bytes
    mode: int
    advise: int
    inline: int
    uid: int
    gid: int
    links: int
    size: int
    accessed_ns: int
    changed_ns: int
    modified_ns: int
    created_ns: int | None
    generation: int
    xattr_node: int
    flags: int
    project: int
    extra: int
    xattr_size: int
    compression: int
    cluster_log: int

    @property
    def is_compressed(self) -> bool:
        return bool(self.flags & _COMPRESSED) and self.mode & 0o170000 == _REGULAR

    @property
    def inline_span(self) -> tuple[int, int]:
        """Where content or names inside this inode lie in its block: start and length."""
        start = ADDRESSES + self.extra + 4
        return start, _NODE_IDS - self.xattr_size - start

    @property
    def inline_xattrs(self) -> bytes:
        return self.raw[_NODE_IDS - self.xattr_size : _NODE_IDS]


class Nodes:
    """Finds nodes by their numbers, and follows those of one file; no node may belong to two."""

    def __init__(self, data: Data, superblock: Superblock, tables: Tables, budget: Budget) -> None:
        self._data = data
        self._superblock = superblock
        self._tables = tables
        self._budget = budget
        self._seen: set[int] = set()

    def inode(self, number: int) -> Inode:
        """Return inode NUMBER. Raises UnreadableError."""
        place, raw = self._node(number)
        if int.from_bytes(raw[FOOTER + 4 : FOOTER + 8], "little") != number:
            raise UnreadableError(f"node {number} is no inode")
        return _parse(number, place, raw, self._superblock.features)

    def once(self, number: int) -> tuple[int, bytes]:
        """Return where node NUMBER lies and its bytes. Raises UnreadableError, also when it was asked for before."""
        place, raw = self._node(number)
        if place in self._seen:
            raise UnreadableError(f"node {number} belongs to two files")
        self._seen.add(place)
        return place, raw

    def pieces(self, inode: Inode) -> Iterator[Piece]:
        """Yield where the blocks of INODE lie, in order, without its holes. Raises UnreadableError."""
        unit = 1 << inode.cluster_log if inode.is_compressed else 1
        held = (_NODE_IDS - inode.xattr_size - ADDRESSES - inode.extra) // 4
        words = struct.unpack_from(f"<{held}I", inode.raw, ADDRESSES + inode.extra)
        yield from self._joined(words[: held // unit * unit], 0, inode.is_compressed)
        position = held // unit * unit
        each = _NODE_ENTRIES // unit * unit
        end = -(-inode.size // BLOCK)
        for number, depth in zip(struct.unpack_from("<5I", inode.raw, _NODE_IDS), _DEPTHS, strict=True):
            if number and position < end:
                for start, block_words in self._below(number, depth, position, each):
                    yield from self._joined(block_words[:each], start, inode.is_compressed)
            position += each * _NODE_ENTRIES**depth

    def _below(self, number: int, depth: int, start: int, each: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        _, raw = self.once(number)
        words = struct.unpack_from(f"<{_NODE_ENTRIES}I", raw)
        if depth == _DIRECT:
            yield start, words
            return
        step = each * _NODE_ENTRIES ** (depth - 1)
        for index, below in enumerate(words):
            if below:
                yield from self._below(below, depth - 1, start + index * step, each)

    def _joined(self, words: tuple[int, ...], start: int, compressed: bool) -> Iterator[Piece]:
        """Yield the pieces of one list of addresses."""
        first = count = block = 0
        for index, word in enumerate((*words, 0)):
            if count and word == block + count:
                count += 1
                continue
            if count:
                self._budget.attribute(_PIECE_COST)
                self._superblock.offset(block + count - 1)
                yield Piece(start + first, count, block)
                count = 0
            if word == COMPRESSED_CLUSTER and compressed:
                yield Piece(start + index, 1, word)
            elif word not in (0, _RESERVED):
                self._superblock.offset(word)
                first, count, block = index, 1, word

    def _node(self, number: int) -> tuple[int, bytes]:
        place = self._superblock.offset(self._tables.address(number))
        raw = self._data.read_at(place, BLOCK)
        if int.from_bytes(raw[FOOTER : FOOTER + 4], "little") != number:
            raise UnreadableError(f"the block of node {number} is another one's")
        return place, raw


def _parse(number: int, place: int, raw: bytes, features: int) -> Inode:
    (
        mode, advise, inline, uid, gid, links, size, _, accessed, changed, modified,
        accessed_part, changed_part, modified_part, generation, _, xattr_node, flags,
    ) = _CORE.unpack_from(raw)  # fmt: skip
    extra, words, project, _, created, created_part, _, compression, cluster_log = struct.unpack_from(
        "<HHIIqIQBB", raw, ADDRESSES
    )
    if not inline & _EXTRA:
        extra = 0
    if not features & f2fs_superblock.FLEXIBLE_XATTRS:
        words = _XATTR_WORDS if inline & (INLINE_XATTRS | INLINE_NAMES) else 0
    if not mode or extra % 4 or ADDRESSES + extra + 4 + 4 * words > _NODE_IDS or size >= 1 << 63:
        raise UnreadableError(f"inode {number} is damaged")
    if cluster_log > _CLUSTER_LOG_MAX and extra >= 36:
        raise UnreadableError(f"inode {number} is damaged")
    return Inode(
        number=number,
        place=place,
        raw=raw,
        mode=mode,
        advise=advise,
        inline=inline,
        uid=uid,
        gid=gid,
        links=links,
        size=size,
        accessed_ns=accessed * 10**9 + accessed_part,
        changed_ns=changed * 10**9 + changed_part,
        modified_ns=modified * 10**9 + modified_part,
        created_ns=created * 10**9 + created_part
        if extra >= 24 and features & f2fs_superblock.CREATION_TIMES
        else None,
        generation=generation,
        xattr_node=xattr_node,
        flags=flags,
        project=project if extra >= 8 and features & f2fs_superblock.PROJECTS else 0,
        extra=extra,
        xattr_size=4 * words,
        compression=compression if extra >= 36 else 0,
        cluster_log=cluster_log if extra >= 36 else 0,
    )
