"""Where f2fs keeps its own bookkeeping: checkpoints, tables, nodes, and the blocks to which no name leads."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Region
from ci_toolkit.images.filesystems import f2fs_nodes, f2fs_superblock
from ci_toolkit.images.filesystems.f2fs_checkpoint import Segment, Tables
from ci_toolkit.images.filesystems.f2fs_superblock import BLOCK, COPIES, SEGMENT, Superblock
from ci_toolkit.images.filesystems.spans import Span, gathered
from ci_toolkit.images.limits import Budget

_SUPERBLOCK_CHECKSUM: Final = 3068
_INODE_CHECKSUM: Final = 368
# The place in its file that a node of attributes says it has.
_XATTR_NODE: Final = 0x1FFFFFFF
_PLACE_SHIFT: Final = 3
_FIRST_NODE_KIND: Final = 3
_NODE_COST: Final = 64
_SET: Final = re.compile("1+")
# Claimed last, in this order: what is valid though nothing leads to it, and what once was.
_LAST: Final = ("blocks without a name", "old nodes")


class Survey:
    """One pass over the tables: what is where, and where checksums and the checkpoint's version are."""

    def __init__(self, data: Data, superblock: Superblock, tables: Tables, budget: Budget) -> None:
        self._data = data
        self._superblock = superblock
        self._budget = budget
        self._named: dict[str, list[Span]] = defaultdict(list)
        self._checksums: list[Span] = tables.checksums()
        self._version = tables.pack.version.to_bytes(8, "little")
        self.footers: list[Span] = []
        self.skipped: list[tuple[str, str]] = []
        self._areas()
        self._nodes(tables)
        for segment in tables.segments():
            self._segment(segment)

    def add(self, name: str, offset: int, length: int) -> None:
        """Give bytes a name."""
        self._named[name].append((offset, length))

    def regions(self) -> tuple[Region, ...]:
        """Name the bytes that no file holds, the most specific first."""
        named = {"checksums": self._checksums, **self._named}
        found = []
        for name in (*(name for name in named if name not in _LAST), *_LAST):
            inside = sorted({span for span in named.get(name, ()) if sum(span) <= self._data.size})
            if inside:
                found.append(Region(name=name, data=gathered(self._data, inside)))
        return tuple(found)

    def _areas(self) -> None:
        superblock = self._superblock
        for start in COPIES:
            self.add("superblock", start, BLOCK - start % BLOCK)
            self.add("boot area", start // BLOCK * BLOCK, start % BLOCK)
        if superblock.features & f2fs_superblock.SUPERBLOCK_CHECKSUM:
            self._checksums += ((start + _SUPERBLOCK_CHECKSUM, 4) for start in COPIES)
        for name, start, segments in (
            ("checkpoints", superblock.checkpoint, 2),
            ("segment table", superblock.segment_table, superblock.segment_table_segments),
            ("node table", superblock.node_table, superblock.node_table_segments),
            ("segment summaries", superblock.summaries, superblock.summary_segments),
        ):
            self.add(name, start * BLOCK, segments * SEGMENT * BLOCK)

    def _nodes(self, tables: Tables) -> None:
        seen: set[int] = set()
        for number, block in tables.nodes():
            if block in seen:
                continue
            seen.add(block)
            self._budget.attribute(_NODE_COST)
            try:
                self._node(number, self._superblock.offset(block))
            except UnreadableError as error:
                self.skipped.append(("", f"node {number}: {error.message}"))
                return

    def _node(self, number: int, place: int) -> None:
        raw = self._data.read_at(place, BLOCK)
        own, inode, flags = (
            int.from_bytes(raw[at : at + 4], "little")
            for at in (f2fs_nodes.FOOTER, f2fs_nodes.FOOTER + 4, f2fs_nodes.FOOTER + 8)
        )
        if own != number:
            return
        version = raw[f2fs_nodes.FOOTER_VERSION : f2fs_nodes.FOOTER_VERSION + 8]
        if version == self._version:
            self.footers.append((place + f2fs_nodes.FOOTER_VERSION, 8))
        if own != inode:
            name = "attribute blocks" if flags >> _PLACE_SHIFT == _XATTR_NODE else "map blocks"
            self.add(name, place, BLOCK)
            return
        self.add("inodes", place, BLOCK)
        if self._superblock.features & f2fs_superblock.INODE_CHECKSUM:
            self._checksums.append((place + _INODE_CHECKSUM, 4))

    def _segment(self, segment: Segment) -> None:
        start = (self._superblock.main + segment.number * SEGMENT) * BLOCK
        for first, count in _runs(segment.valid):
            self.add("blocks without a name", start + first * BLOCK, count * BLOCK)
        if segment.kind >= _FIRST_NODE_KIND:
            self.add("old nodes", start, SEGMENT * BLOCK)


def _runs(bitmap: bytes) -> Iterator[tuple[int, int]]:
    """Yield the runs of set bits, the first one being the highest of the first byte."""
    bits = f"{int.from_bytes(bitmap, 'big'):0{8 * len(bitmap)}b}"
    for found in _SET.finditer(bits):
        yield found.start(), found.end() - found.start()
