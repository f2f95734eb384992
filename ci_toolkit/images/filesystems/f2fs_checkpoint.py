"""The checkpoint of f2fs: which of its two packs counts, and the tables that it says the valid halves of."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Fact
from ci_toolkit.images.filesystems.f2fs_superblock import BLOCK, SEGMENT, Superblock, checksum

_COMPACT: Final = 0x4
_LARGE_BITMAP: Final = 0x400
_CHECKSUM_MIN: Final = 192
_CHECKSUM_MAX: Final = BLOCK - 4
_BITMAPS: Final = 192
# The journals of a summary block lie between its entries and its footer.
_ENTRIES: Final = 512 * 7
_JOURNAL: Final = 507
_COLD_DATA: Final = 2
_NODE_ADDRESS: Final = struct.Struct("<BII")
_NODES_IN_BLOCK: Final = BLOCK // 9
_JOURNAL_NODE: Final = struct.Struct("<IBII")
_SEGMENT_ENTRY: Final = 74
_SEGMENTS_IN_BLOCK: Final = BLOCK // _SEGMENT_ENTRY
# Below the type lies how many blocks are valid.
_TYPE_SHIFT: Final = 10
# Not yet in any block; block 1 stands for the two files that are the tables themselves.
_NOWHERE: Final = (0, 1, 0xFFFFFFFF)

_NUMBERS: Final = (
    ("user_block_count", 8, "<Q"),
    ("valid_block_count", 16, "<Q"),
    ("reserved_segments", 24, "<I"),
    ("overprovisioned_segments", 28, "<I"),
    ("free_segments", 32, "<I"),
    ("checkpoint_flags", 132, "<I"),
    ("checkpoint_blocks", 136, "<I"),
    ("valid_node_count", 144, "<I"),
    ("valid_inode_count", 148, "<I"),
    ("next_free_node", 152, "<I"),
    ("elapsed_seconds", 168, "<Q"),
)


class Segment(NamedTuple):
    """What the table says of a segment: `kind` is 3 or more where it holds nodes, `valid` has a bit for each block."""

    number: int
    kind: int
    valid: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """One valid checkpoint: its first block, and which blocks of the image it takes."""

    start: int
    raw: bytes
    version: int
    flags: int
    blocks: int
    summaries: int


class Tables:
    """The node table and the segment table as the newer checkpoint leaves them, journals included."""

    def __init__(self, data: Data, superblock: Superblock) -> None:
        self._data = data
        self._superblock = superblock
        self.packs = _packs(data, superblock)
        self.pack = max(self.packs, key=lambda pack: pack.version)
        self._node_bitmap, self._segment_bitmap = self._bitmaps()
        nodes, segments = self._journals()
        self._journal = {number: block for number, _, _, block in nodes}
        self._segment_journal = dict(segments)
        self._node_blocks = superblock.node_table_segments // 2 * SEGMENT
        self._kept: tuple[int, bytes] = (-1, b"")

    def address(self, node: int) -> int:
        """Return the block that NODE lies in. Raises UnreadableError when there is no such node."""
        found = self._journal.get(node)
        if found is None:
            index, within = divmod(node, _NODES_IN_BLOCK)
            if index >= self._node_blocks:
                raise UnreadableError(f"node {node} lies beyond the node table")
            found = _NODE_ADDRESS.unpack_from(self._node_block(index), within * _NODE_ADDRESS.size)[2]
        if found in _NOWHERE:
            raise UnreadableError(f"node {node} does not exist")
        return found

    def nodes(self) -> Iterator[tuple[int, int]]:
        """Yield the number of every node, and its block."""
        empty = bytes(BLOCK)
        for index in range(self._node_blocks):
            raw = self._node_block(index)
            if raw == empty:
                continue
            first = index * _NODES_IN_BLOCK
            places = _NODE_ADDRESS.iter_unpack(raw[: _NODES_IN_BLOCK * _NODE_ADDRESS.size])
            for number, (_, _, block) in enumerate(places, first):
                if block not in _NOWHERE and number not in self._journal:
                    yield number, block
        for number, block in self._journal.items():
            if block not in _NOWHERE:
                yield number, block

    def segments(self) -> Iterator[Segment]:
        """Yield what is known of each segment that holds something."""
        half = self._superblock.segment_table_segments // 2 * SEGMENT
        empty, empty_block = bytes(_SEGMENT_ENTRY), bytes(BLOCK)
        for index in range(min(half, -(-self._superblock.main_segments // _SEGMENTS_IN_BLOCK))):
            start = self._superblock.segment_table + index
            if _bit(self._segment_bitmap, index):
                start += half
            raw = self._data.read_at(start * BLOCK, BLOCK)
            if raw == empty_block and not self._segment_journal:
                continue
            for within in range(_SEGMENTS_IN_BLOCK):
                number = index * _SEGMENTS_IN_BLOCK + within
                entry = raw[within * _SEGMENT_ENTRY : (within + 1) * _SEGMENT_ENTRY]
                entry = self._segment_journal.get(number, entry)
                if entry != empty and number < self._superblock.main_segments:
                    yield Segment(number, int.from_bytes(entry[:2], "little") >> _TYPE_SHIFT, entry[2:66])

    def facts(self, footers: list[tuple[int, int]]) -> tuple[Fact, ...]:
        """The named values of the checkpoint; its version is in nodes too, at FOOTERS."""
        starts = [place * BLOCK for place in (self.pack.start, self.pack.start + self.pack.blocks - 1)]
        versions = [
            (place * BLOCK, 8) for pack in self.packs for place in (pack.start, pack.start + pack.blocks - 1)
        ] + footers
        return (
            Fact(name="checkpoint_version", value=self.pack.version, places=tuple(versions)),
            *(
                Fact(
                    name=name,
                    value=struct.unpack_from(form, self.pack.raw, offset)[0],
                    places=tuple((start + offset, struct.calcsize(form)) for start in starts),
                )
                for name, offset, form in _NUMBERS
            ),
        )

    def checksums(self) -> list[tuple[int, int]]:
        """Return where the packs' own checksums lie."""
        return [
            (place * BLOCK + int.from_bytes(pack.raw[164:168], "little"), 4)
            for pack in self.packs
            for place in (pack.start, pack.start + pack.blocks - 1)
        ]

    def _node_block(self, index: int) -> bytes:
        if self._kept[0] != index:
            # Both copies of a segment of the table lie one after the other.
            segment, within = divmod(index, SEGMENT)
            block = self._superblock.node_table + 2 * segment * SEGMENT + within
            if _bit(self._node_bitmap, index):
                block += SEGMENT
            self._kept = index, self._data.read_at(block * BLOCK, BLOCK)
        return self._kept[1]

    def _bitmaps(self) -> tuple[bytes, bytes]:
        """Return which blocks of the node table, and of the segment table, count in their second copy."""
        pack, raw = self.pack, self.pack.raw
        segment_size, node_size = struct.unpack_from("<2I", raw, 156)
        halves = self._superblock.segment_table_segments // 2, self._superblock.node_table_segments // 2
        if (segment_size, node_size) != tuple(half * SEGMENT // 8 for half in halves):
            raise UnreadableError("the bitmaps of the f2fs checkpoint are not of the size of its tables")
        if pack.flags & _LARGE_BITMAP:
            start = _BITMAPS + 4
            nodes, segments = raw[start : start + node_size], raw[start + node_size :][:segment_size]
        elif self._superblock.payload:
            nodes = raw[_BITMAPS : _BITMAPS + node_size]
            payload = min(segment_size, self._superblock.payload * BLOCK)
            segments = self._data.read_at((pack.start + 1) * BLOCK, payload)
        else:
            segments = raw[_BITMAPS : _BITMAPS + segment_size]
            nodes = raw[_BITMAPS + segment_size :][:node_size]
        if len(nodes) < node_size or len(segments) < segment_size:
            raise UnreadableError("the bitmaps of the f2fs checkpoint are larger than their place")
        return nodes, segments

    def _journals(self) -> tuple[list[tuple[int, int, int, int]], list[tuple[int, bytes]]]:
        """Return what of both tables is written in the summaries only: of nodes, and of segments."""
        start = self.pack.start + self.pack.summaries
        last = start if self.pack.flags & _COMPACT else start + _COLD_DATA
        if last >= self.pack.start + self.pack.blocks:
            raise UnreadableError("the summaries of the f2fs checkpoint lie beyond its end")
        raw = self._data.read_at(start * BLOCK, BLOCK)
        if self.pack.flags & _COMPACT:
            nodes, segments = raw[:_JOURNAL], raw[_JOURNAL : 2 * _JOURNAL]
        else:
            nodes = raw[_ENTRIES : _ENTRIES + _JOURNAL]
            segments = self._data.read_at(last * BLOCK + _ENTRIES, _JOURNAL)
        found = [_JOURNAL_NODE.unpack(entry) for entry in _journal(nodes, _JOURNAL_NODE.size)]
        return found, [
            (int.from_bytes(entry[:4], "little"), entry[4:]) for entry in _journal(segments, 4 + _SEGMENT_ENTRY)
        ]


def _journal(raw: bytes, size: int) -> Iterator[bytes]:
    count = int.from_bytes(raw[:2], "little")
    if count * size > len(raw) - 2:
        raise UnreadableError("a journal of the f2fs checkpoint is damaged")
    for index in range(count):
        yield raw[2 + index * size : 2 + (index + 1) * size]


def _packs(data: Data, superblock: Superblock) -> tuple[Pack, ...]:
    starts = (superblock.checkpoint, superblock.checkpoint + SEGMENT)
    found = tuple(pack for start in starts if (pack := _pack(data, start)) is not None)
    if not found:
        raise UnreadableError("neither checkpoint of the f2fs file system is whole")
    return found


def _pack(data: Data, start: int) -> Pack | None:
    """Return the pack that begins at block START, if its first and last block agree."""
    raw = data.read_at(start * BLOCK, BLOCK)
    flags, blocks, summaries = struct.unpack_from("<3I", raw, 132)
    if not _is_whole(raw) or not 2 <= blocks <= SEGMENT or not 0 < summaries < blocks:
        return None
    last = data.read_at((start + blocks - 1) * BLOCK, BLOCK)
    if not _is_whole(last) or last[:8] != raw[:8]:
        return None
    version = int.from_bytes(raw[:8], "little")
    return Pack(start=start, raw=raw, version=version, flags=flags, blocks=blocks, summaries=summaries)


def _is_whole(raw: bytes) -> bool:
    place = int.from_bytes(raw[164:168], "little")
    if not _CHECKSUM_MIN <= place <= _CHECKSUM_MAX:
        return False
    found = checksum(raw[:place])
    if place < _CHECKSUM_MAX:
        found = checksum(raw[place + 4 :], found)
    return found == int.from_bytes(raw[place : place + 4], "little")


def _bit(bitmap: bytes, index: int) -> bool:
    """Tell whether a bit is set; the first one is the highest of its byte."""
    return index >> 3 < len(bitmap) and bool(bitmap[index >> 3] >> (7 - (index & 7)) & 1)
