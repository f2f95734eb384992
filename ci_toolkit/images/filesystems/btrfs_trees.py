"""The trees of btrfs: chunks, which say where logical addresses lie, nodes, and the items in them."""

import struct
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.filesystems.btrfs_superblock import Superblock
from ci_toolkit.images.limits import BeyondLimitError

# (objectid, type, offset): what a tree is sorted by.
Key = tuple[int, int, int]

CHUNK_ITEM: Final = 228
_HEADER: Final = struct.Struct("<QQ16sQQIB")
HEADER_SIZE: Final = 101
FSID_AT: Final = 32
CHUNK_TREE_UUID_AT: Final = 64
_BYTENR_AT: Final = 48
_ITEM: Final = struct.Struct("<QBQII")
ITEM_SIZE: Final = 25
_POINTER: Final = struct.Struct("<QBQQQ")
_KEY: Final = struct.Struct("<QBQ")
_CHUNK: Final = struct.Struct("<QQQQIIIHH")
_STRIPE: Final = struct.Struct("<QQ16s")
_LEVEL_MAX: Final = 7
_NODES_KEPT: Final = 64
_VISITS_MIN: Final = 1 << 12
_VISITS_PER_ENTRY: Final = 32
# Chunks for the system's and for other trees.
_TREES: Final = 1 << 1 | 1 << 2
# With these profiles every stripe is a whole copy; striping over several devices cannot be on one.
_COPIES: Final = 1 << 4 | 1 << 5 | 1 << 9 | 1 << 10


class Item(NamedTuple):
    """One item of a leaf: its key, its bytes, and the logical address of the first one."""

    key: Key
    raw: bytes
    address: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """LENGTH bytes from the logical address START on; `copies` are where they begin in the image.

    `has_trees` tells whether there may be tree blocks in it.
    """

    start: int
    length: int
    copies: tuple[int, ...]
    has_trees: bool


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One block of a tree: in a leaf `items`, the (offset, length) in `raw` of each key's item, else `below`."""

    address: int
    level: int
    owner: int
    raw: bytes
    keys: list[Key]
    items: list[tuple[int, int]]
    below: list[int]

    def item(self, index: int) -> Item:
        offset, length = self.items[index]
        return Item(self.keys[index], self.raw[offset : offset + length], self.address + offset)


_NO_CHUNK: Final = Chunk(0, 0, (), has_trees=False)
_NOTHING: Final = Node(0, 0, 0, b"", [], [], [])


class Chunks:
    """Where logical addresses lie."""

    def __init__(self, superblock: Superblock, size: int) -> None:
        self._device = superblock.device
        self._size = min(superblock.size, size)
        self._chunks: dict[int, Chunk] = {}
        self._starts: list[int] = []
        self._recent = _NO_CHUNK
        raw = superblock.system_chunks
        position = 0
        while position < len(raw):
            if position + _KEY.size + _CHUNK.size > len(raw):
                raise UnreadableError("the chunks in the btrfs superblock are cut")
            key = _KEY.unpack_from(raw, position)
            position += _KEY.size
            self.add(key, raw[position:])
            position += _CHUNK.size + _CHUNK.unpack_from(raw, position)[7] * _STRIPE.size
        self.sort()

    def __iter__(self) -> Iterator[Chunk]:
        return iter(self._chunks.values())

    def add(self, key: Key, raw: bytes) -> None:
        """Add the chunk of one item; `sort` comes after the last one. Raises UnreadableError."""
        if len(raw) < _CHUNK.size:
            raise UnreadableError("a chunk item is cut")
        length, _, _, profile, _, _, _, count, _ = _CHUNK.unpack_from(raw)
        if not 0 < count <= (len(raw) - _CHUNK.size) // _STRIPE.size or (count > 1 and not profile & _COPIES):
            raise UnreadableError("a chunk item is damaged")
        stripes = [_STRIPE.unpack_from(raw, _CHUNK.size + index * _STRIPE.size) for index in range(count)]
        copies = tuple(offset for device, offset, _ in stripes if device == self._device)
        if not copies or any(offset + length > self._size for offset in copies):
            raise UnreadableError(f"the chunk at {key[2]} lies beyond the end of the file system")
        self._chunks[key[2]] = Chunk(key[2], length, copies, bool(profile & _TREES))

    def sort(self) -> None:
        self._starts = sorted(self._chunks)
        self._recent = _NO_CHUNK

    def pieces(self, address: int, length: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield (length, copies) of each piece that LENGTH bytes at ADDRESS lie in. Raises UnreadableError."""
        while length:
            index = bisect_right(self._starts, address) - 1
            chunk = self._chunks[self._starts[index]] if index >= 0 else None
            if chunk is None or address >= chunk.start + chunk.length:
                raise UnreadableError(f"address {address} lies in no chunk")
            self._recent = chunk
            skipped = address - chunk.start
            here = min(length, chunk.length - skipped)
            yield here, tuple(copy + skipped for copy in chunk.copies)
            address += here
            length -= here

    def copies(self, address: int, length: int) -> tuple[int, ...]:
        """Return where LENGTH bytes at ADDRESS lie in one piece. Raises UnreadableError."""
        # Items and blocks follow each other, and there are few chunks.
        chunk = self._recent
        skipped = address - chunk.start
        if length and 0 <= skipped <= chunk.length - length:
            return tuple([copy + skipped for copy in chunk.copies])
        found = next(self.pieces(address, length), None)
        if found is None or found[0] < length:
            raise UnreadableError(f"a tree block at {address} lies in two chunks")
        return found[1]


class Trees:
    """Reads tree blocks, and remembers those that were read last.

    Each entry pays for some visits by `allow`, and so does the size of the file system; blocks that lead to each other
    over and over again cost more, and are given up.
    """

    def __init__(self, data: Data, superblock: Superblock) -> None:
        self._data = data
        self._size = superblock.node_size
        self.chunks = Chunks(superblock, data.size)
        self._kept: OrderedDict[int, Node] = OrderedDict()
        # The leaf that was looked into last, and the root of its tree.
        self._last: tuple[int, Node] = (0, _NOTHING)
        self._left = _VISITS_MIN + 4 * (data.size // self._size)
        for item in list(self.walk(superblock.chunk_root)):
            if item.key[1] == CHUNK_ITEM:
                self.chunks.add(item.key, item.raw)
        self.chunks.sort()

    def allow(self) -> None:
        """Have the visits that one more entry is worth."""
        self._left += _VISITS_PER_ENTRY

    def node(self, address: int) -> Node:
        """Return the block at a logical ADDRESS. Raises UnreadableError when it is none, or damaged."""
        self._left -= 1
        if self._left < 0:
            raise BeyondLimitError("the trees share their blocks too often")
        known = self._kept.get(address)
        if known is not None:
            self._kept.move_to_end(address)
            return known
        node = self._parse(address)
        self._kept[address] = node
        if len(self._kept) > _NODES_KEPT:
            self._kept.popitem(last=False)
        return node

    def find(self, root: int, first: Key, last: Key) -> Iterator[Item]:
        """Yield the items of the tree at ROOT with keys from FIRST to LAST. Raises UnreadableError."""
        # The items of one inode lie side by side, mostly in one leaf, and so do those of the next one.
        known, leaf = self._last
        if known != root or not leaf.keys or not leaf.keys[0] <= first <= leaf.keys[-1]:
            leaf = self._leaf(root, first)
            self._last = root, leaf
        if leaf.keys and last < leaf.keys[-1]:
            return _items(leaf, first, last)
        return self._find(self.node(root), first, last)

    def one(self, root: int, objectid: int, kind: int) -> Item | None:
        """Return the first item of OBJECTID that is of KIND. Raises UnreadableError."""
        return next(self.find(root, (objectid, kind, 0), (objectid, kind, (1 << 64) - 1)), None)

    def walk(self, root: int) -> Iterator[Item]:
        """Yield all items of the tree at ROOT. Raises UnreadableError."""
        return self.find(root, (0, 0, 0), ((1 << 64) - 1, 255, (1 << 64) - 1))

    def nodes(self, root: int, seen: set[int]) -> Iterator[Node]:
        """Yield the blocks of a tree that are not yet in SEEN, and add them. Raises UnreadableError."""
        pending = [(root, _LEVEL_MAX + 1)]
        while pending:
            address, above = pending.pop()
            if address in seen:
                continue
            seen.add(address)
            node = self.node(address)
            if node.level >= above:
                raise UnreadableError(f"the tree block at {address} has level {node.level}, below one of {above}")
            yield node
            pending.extend((below, node.level) for below in reversed(node.below))

    def _leaf(self, root: int, key: Key) -> Node:
        """Return the leaf that KEY belongs into; the last block on the way there, if that is empty."""
        node = self.node(root)
        while node.level and node.keys:
            node = self._child(node, max(0, bisect_right(node.keys, key) - 1))
        return node

    def _child(self, node: Node, index: int) -> Node:
        below = self.node(node.below[index])
        if below.level >= node.level:
            raise UnreadableError(
                f"the tree block at {below.address} has level {below.level}, below one of {node.level}"
            )
        return below

    def _find(self, node: Node, first: Key, last: Key) -> Iterator[Item]:
        if not node.level:
            yield from _items(node, first, last)
            return
        start = max(0, bisect_right(node.keys, first) - 1)
        for index in range(start, len(node.keys)):
            if node.keys[index] > last:
                return
            yield from self._find(self._child(node, index), first, last)

    def _parse(self, address: int) -> Node:
        copies = self.chunks.copies(address, self._size)
        raw = self._data.read_at(copies[0], self._size)
        bytenr, _, _, _, owner, count, level = _HEADER.unpack_from(raw, _BYTENR_AT)
        room = (self._size - HEADER_SIZE) // (_POINTER.size if level else _ITEM.size)
        if bytenr != address or level > _LEVEL_MAX or count > room:
            raise UnreadableError(f"the tree block at {address} is damaged")
        keys: list[Key] = []
        items: list[tuple[int, int]] = []
        below: list[int] = []
        if level:
            for objectid, kind, offset, pointer, _ in _POINTER.iter_unpack(_part(raw, count * _POINTER.size)):
                keys.append((objectid, kind, offset))
                below.append(pointer)
        else:
            for objectid, kind, offset, start, length in _ITEM.iter_unpack(_part(raw, count * _ITEM.size)):
                if HEADER_SIZE + start + length > self._size:
                    raise UnreadableError(f"the tree block at {address} is damaged")
                keys.append((objectid, kind, offset))
                items.append((HEADER_SIZE + start, length))
        return Node(address, level, owner, raw, keys, items, below)


def _items(leaf: Node, first: Key, last: Key) -> Iterator[Item]:
    keys = leaf.keys
    for index in range(bisect_left(keys, first), len(keys)):
        if keys[index] > last:
            return
        yield leaf.item(index)


def _part(raw: bytes, length: int) -> bytes:
    return raw[HEADER_SIZE : HEADER_SIZE + length]
