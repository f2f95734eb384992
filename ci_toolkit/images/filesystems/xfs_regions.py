"""Where XFS keeps its own bookkeeping: headers and trees of the groups, tables of inodes, the journal, checksums."""

import struct
from collections import defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Region
from ci_toolkit.images.filesystems import xfs_blocks, xfs_inodes, xfs_superblock
from ci_toolkit.images.filesystems.spans import Span, gathered
from ci_toolkit.images.filesystems.xfs_superblock import Superblock

_INODES_IN_CHUNK: Final = 64
_HOLE_UNIT: Final = 4
_SHORT_HEADER: Final = (16, 56)
_FREE_LIST_HEADER: Final = (0, 36)
_NOWHERE: Final = 0xFFFFFFFF
_LEVEL_MAX: Final = 9
_LOG_MAGIC: Final = b"\xfe\xed\xba\xbe"
_BY_SHORT_MAGIC: Final = frozenset((0x3DF1, 0x3DFF, 0x3EBE, 0x3BEE))
# Where checksum and UUID of blocks lie, by what they begin with.
_BY_MAGIC: Final = {
    b"XDB3": (4, 24), b"XDD3": (4, 24), b"XDF3": (4, 24), b"XARM": (12, 16), b"XSLM": (12, 16),
}  # fmt: skip


class _Tree(NamedTuple):
    """A tree of a group: its magics, where its header has its root, and the sizes of its keys and records."""

    name: str
    magics: tuple[bytes, bytes]
    root_at: int
    level_at: int
    key: int
    record: int


_FREE_SPACE: Final = (
    _Tree("free space tree", (b"ABTB", b"AB3B"), 16, 28, 8, 8),
    _Tree("free space tree", (b"ABTC", b"AB3C"), 20, 32, 8, 8),
    _Tree("reverse map tree", (b"RMB3", b"RMB3"), 24, 36, 40, 24),
    _Tree("reference count tree", (b"R3FC", b"R3FC"), 88, 92, 4, 12),
)
_INODE_TREE: Final = _Tree("inode tree", (b"IABT", b"IAB3"), 20, 24, 4, 16)
_FREE_INODE_TREE: Final = _Tree("free inode tree", (b"FIBT", b"FIB3"), 328, 332, 4, 16)


class Survey:
    """One pass over all groups: what is where, and where checksums, UUIDs and generations are."""

    def __init__(self, data: Data, superblock: Superblock) -> None:
        self._data = data
        self._superblock = superblock
        self._named: dict[str, list[Span]] = defaultdict(list)
        self._checksums: list[Span] = []
        self._generations: list[Span] = []
        self.uuids: list[Span] = []
        self.skipped: list[tuple[str, str]] = []
        for group in range(superblock.groups):
            self._group(group)
        self._journal()

    def add(self, name: str, offset: int, length: int) -> None:
        """Give bytes a name."""
        self._named[name].append((offset, length))

    def blocks(self, name: str, offset: int, length: int, unit: int) -> None:
        """Give blocks of UNIT bytes a name, and note the checksum and the UUID in each of them."""
        self.add(name, offset, length)
        if not self._superblock.is_v5:
            return
        for start in range(offset, offset + length, unit):
            head = self._data.read_at(start, 12)
            found = _BY_MAGIC.get(head[:4])
            if found is None and int.from_bytes(head[8:10], "big") in _BY_SHORT_MAGIC:
                found = 12, 32
            if found is not None:
                self._note(start, *found)

    def map_blocks(self, places: list[int]) -> None:
        for place in places:
            self.add("map blocks", place, self._superblock.block_size)
            self._note(place, xfs_blocks.CRC_AT, xfs_blocks.UUID_AT)

    def regions(self) -> tuple[Region, ...]:
        """Name the bytes that no file holds, the smallest first."""
        named = {"checksums": self._checksums, "inode generations": self._generations, **self._named}
        found = []
        for name, spans in named.items():
            inside = sorted({span for span in spans if sum(span) <= self._data.size})
            if inside:
                found.append(Region(name=name, data=gathered(self._data, inside)))
        return tuple(found)

    def _note(self, start: int, checksum: int, uuid: int) -> None:
        if self._superblock.is_v5:
            self._checksums.append((start + checksum, 4))
            self.uuids.append((start + uuid, 16))

    def _group(self, group: int) -> None:
        superblock = self._superblock
        v5, sector, start = superblock.is_v5, superblock.sector_size, superblock.group_offset(group)
        raw = self._data.read_at(start, 4 * sector)
        for index, name in enumerate(("superblock", "free space header", "inode header", "free block table")):
            self.add(name, start + index * sector, sector)
        if v5:
            self._checksums.append((start + xfs_superblock.CRC, 4))
            if superblock.has_meta_uuid:
                self.uuids.append((start + 248, 16))
        for index, (checksum, uuid) in enumerate(((216, 64), (312, 296), (32, 8)), 1):
            self._note(start + index * sector, checksum, uuid)
        free, inodes, spare = (raw[index * sector : (index + 1) * sector] for index in (1, 2, 3))
        for tree in _FREE_SPACE if v5 else _FREE_SPACE[:2]:
            self._tree(group, tree, free)
        self._tree(group, _INODE_TREE, inodes)
        if v5:
            self._tree(group, _FREE_INODE_TREE, inodes)
        for (block,) in struct.iter_unpack(">I", spare[_FREE_LIST_HEADER[v5] : sector & ~3]):
            if 0 < block < superblock.group_size(group):
                self.add("blocks for trees", start + block * superblock.block_size, superblock.block_size)

    def _tree(self, group: int, tree: _Tree, header: bytes) -> None:
        root, level = (int.from_bytes(header[at : at + 4], "big") for at in (tree.root_at, tree.level_at))
        try:
            if level and root not in (0, _NOWHERE):
                for raw, count in self._leaves(group, tree, root, level):
                    if tree is _INODE_TREE:
                        self._chunks(group, raw, count)
        except UnreadableError as error:
            self.skipped.append(("", f"{tree.name} of group {group}: {error.message}"))

    def _leaves(self, group: int, tree: _Tree, root: int, level: int) -> Iterator[tuple[bytes, int]]:
        """Yield each leaf and its number of records, and name all blocks on the way. Raises UnreadableError."""
        superblock = self._superblock
        size, v5 = superblock.block_size, superblock.is_v5
        header = _SHORT_HEADER[v5]
        pending = [(root, level - 1)]
        seen: set[int] = set()
        while pending:
            block, level = pending.pop()
            if block in seen or block >= superblock.group_size(group) or level > _LEVEL_MAX:
                raise UnreadableError(f"block {block} lies beyond the group, or twice in the tree")
            seen.add(block)
            place = superblock.group_offset(group) + block * size
            raw = self._data.read_at(place, size)
            magic, own_level, count = struct.unpack_from(">4sHH", raw)
            room = (size - header) // (tree.key + 4 if level else tree.record)
            if magic != tree.magics[v5] or own_level != level or count > room:
                raise UnreadableError(f"block {block} is damaged")
            self.add(tree.name, place, size)
            self._note(place, 52, 32)
            if level == 0:
                yield raw[header:], count
                continue
            pointers = header + tree.key * room
            below = struct.iter_unpack(">I", raw[pointers : pointers + 4 * count])
            pending.extend((pointer, level - 1) for (pointer,) in reversed(list(below)))

    def _chunks(self, group: int, raw: bytes, count: int) -> None:
        """Name the inodes of a leaf of the inode tree."""
        superblock = self._superblock
        size = superblock.inode_size
        for start, holes, _, _, _ in struct.iter_unpack(">IHBBQ", raw[: 16 * count]):
            place = superblock.group_offset(group) + start * size
            for index in range(0, _INODES_IN_CHUNK, _HOLE_UNIT):
                if superblock.has_sparse_inodes and holes >> index // _HOLE_UNIT & 1:
                    continue
                first = place + index * size
                if first + _HOLE_UNIT * size > self._data.size:
                    raise UnreadableError(f"inode {start + index} lies beyond the end of the file system")
                self.add("inode table", first, _HOLE_UNIT * size)
                for inode in range(first, first + _HOLE_UNIT * size, size):
                    self._generations.append((inode + xfs_inodes.GENERATION_AT, 4))
                    self._note(inode, xfs_inodes.CRC_AT, xfs_inodes.UUID_AT)

    def _journal(self) -> None:
        superblock = self._superblock
        if not superblock.log_start:
            return
        try:
            start = superblock.offset(superblock.log_start)
        except UnreadableError as error:
            self.skipped.append(("", f"journal: {error.message}"))
            return
        length = min(superblock.log_blocks * superblock.block_size, self._data.size - start)
        self.add("journal", start, length)
        if length > 512 and self._data.read_at(start, 4) == _LOG_MAGIC:
            self._checksums.append((start + 32, 4))
            self.uuids.append((start + 304, 16))
