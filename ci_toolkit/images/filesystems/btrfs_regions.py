"""Where btrfs keeps its own bookkeeping: superblocks, tree blocks and their checksums, and UUIDs all over them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Region
from ci_toolkit.images.filesystems.btrfs_items import EXTENT_DATA, ROOT_ITEM, read_extent, root_of
from ci_toolkit.images.filesystems.btrfs_superblock import CHECKSUM_SIZE, SUPERBLOCK, SUPERBLOCK_SIZE, Superblock
from ci_toolkit.images.filesystems.btrfs_trees import (
    CHUNK_ITEM,
    CHUNK_TREE_UUID_AT,
    FSID_AT,
    HEADER_SIZE,
    ITEM_SIZE,
    Item,
    Node,
    Trees,
)
from ci_toolkit.images.filesystems.spans import Span, gathered

_TREES: Final = {
    1: "root tree",
    2: "extent tree",
    3: "chunk tree",
    4: "device tree",
    5: "file system tree",
    7: "checksum tree",
    8: "quota tree",
    9: "uuid tree",
    10: "free space tree",
    11: "block group tree",
    12: "stripe tree",
    (1 << 64) - 6: "log tree",
    (1 << 64) - 8: "relocation tree",
    (1 << 64) - 9: "data relocation tree",
}
_DEVICE_EXTENT: Final = 204
_DEVICE_ITEM: Final = 216
_SUBVOLUME_UUID: Final = 251
_STRIPES_AT: Final = 48
_STRIPE_SIZE: Final = 32
# More places of one UUID than these are left to the trees that they lie in.
_PLACES_MAX: Final = 1 << 17
_SEARCHED_MAX: Final = 1 << 16


class Survey:
    """One pass over all tree blocks: which tree has which of them, and where the UUIDs are."""

    def __init__(self, data: Data, superblock: Superblock, trees: Trees) -> None:
        self._data = data
        self._superblock = superblock
        self._trees = trees
        self._seen: set[int] = set()
        self._fsid = "metadata_uuid" if superblock.has_metadata_uuid else "uuid"
        self._blocks: dict[str, list[Span]] = defaultdict(list)
        self._checksums: list[Span] = []
        self._cache: list[Span] = []
        self.uuids: dict[str, list[Span]] = defaultdict(list)
        self.subvolume_uuids: dict[bytes, list[Span]] = defaultdict(list)
        self.skipped: list[tuple[str, str]] = []

    def tree(self, number: int, root: int) -> None:
        """Go over one tree, and over those that it leads to where it is a tree of roots."""
        pending = [(number, root)]
        while pending:
            number, root = pending.pop()
            name = _TREES.get(number, "subvolume trees")
            try:
                for node in self._trees.nodes(root, self._seen):
                    self._note(node, name)
                    pending += self._roots(node)
            except UnreadableError as error:
                self.skipped.append(("", f"{name}: {error.message}"))

    def old_blocks(self) -> None:
        """Find the tree blocks that mkfs wrote and gave up again; they carry the same UUIDs.

        They are where trees may be, or where no chunk is any longer.
        """
        size = self._superblock.node_size
        used = {start for spans in self._blocks.values() for start, _ in spans} | {*self._superblock.mirrors}
        places = (place for first, end in self._without_data() for place in range(first, end - size + 1, size))
        at = FSID_AT + 16
        for place in islice(places, _SEARCHED_MAX):
            head = self._data.read_at(place, HEADER_SIZE) if place not in used else b""
            if (
                head[FSID_AT:at] == self._superblock.block_uuid
                and not int.from_bytes(head[at : at + 8], "little") % size
            ):
                self._blocks["old tree blocks"].append((place, size))
                self._checksums.append((place, CHECKSUM_SIZE))
                self.uuids[self._fsid].append((place + FSID_AT, 16))
                self.uuids["chunk_tree_uuid"].append((place + CHUNK_TREE_UUID_AT, 16))

    def _without_data(self) -> Iterator[Span]:
        """Yield (begin, end) of what lies in no chunk of data, from the first block after the superblock on."""
        size = self._superblock.node_size
        position = -(-(SUPERBLOCK + SUPERBLOCK_SIZE) // size) * size
        data = (chunk for chunk in self._trees.chunks if not chunk.has_trees)
        for start, length in sorted((copy, chunk.length) for chunk in data for copy in chunk.copies):
            if start > position:
                yield position, start
            position = max(position, -(-(start + length) // size) * size)
        yield position, self._superblock.size

    def regions(self, others: Iterable[tuple[str, Iterable[Span]]]) -> tuple[Region, ...]:
        """Name the bytes that no file holds; OTHERS are further names and their spans."""
        named: list[tuple[str, Iterable[Span]]] = [
            ("boot sector", [(0, SUPERBLOCK)]),
            ("superblock", ((start, SUPERBLOCK_SIZE) for start in self._superblock.mirrors)),
            ("tree checksums", self._checksums),
            *self._blocks.items(),
            ("free space cache", self._cache),
            *others,
        ]
        found = []
        for name, spans in named:
            inside = sorted({span for span in spans if sum(span) <= self._data.size and span[1]})
            if inside:
                found.append(Region(name=name, data=gathered(self._data, inside)))
        return tuple(found)

    def _roots(self, node: Node) -> Iterator[tuple[int, int]]:
        """Yield the trees that a leaf of the root tree or of the tree of logs leads to, (number, address) of each."""
        if node.level or _TREES.get(node.owner) not in ("root tree", "log tree"):
            return
        for index, key in enumerate(node.keys):
            if key[1] == ROOT_ITEM:
                address = root_of(node.item(index).raw)
                if address:
                    yield key[0], address
            elif key[1] == EXTENT_DATA:
                extent = read_extent(key[2], node.item(index).raw)
                if extent.address:
                    for length, copies in self._trees.chunks.pieces(extent.address, extent.held):
                        self._cache += ((copy, length) for copy in copies)

    def _note(self, node: Node, name: str) -> None:
        size = self._superblock.node_size
        copies = self._trees.chunks.copies(node.address, size)
        for copy in copies:
            self._blocks[name].append((copy, size))
            self._checksums.append((copy, CHECKSUM_SIZE))
        self._place(self._fsid, node.address + FSID_AT)
        self._place("chunk_tree_uuid", node.address + CHUNK_TREE_UUID_AT)
        if not node.level:
            for index, (_, kind, _) in enumerate(node.keys):
                if kind in (_DEVICE_EXTENT, _DEVICE_ITEM, CHUNK_ITEM):
                    self._device(node.item(index))
                elif kind == _SUBVOLUME_UUID and name == "uuid tree":
                    self._subvolume(node, index)

    def _device(self, item: Item) -> None:
        _, kind, _ = item.key
        if kind == _DEVICE_EXTENT and len(item.raw) >= 48:
            self._place("chunk_tree_uuid", item.address + 32)
        elif kind == _DEVICE_ITEM and len(item.raw) >= 98:
            self._place("device_uuid", item.address + 66)
            self._place("uuid", item.address + 82)
        elif kind == CHUNK_ITEM:
            for start in range(_STRIPES_AT, len(item.raw) - _STRIPE_SIZE + 1, _STRIPE_SIZE):
                self._place("device_uuid", item.address + start + 16)

    def _subvolume(self, node: Node, index: int) -> None:
        """Remember where a key of the tree of UUIDs is, which has a UUID in its two numbers."""
        first, _, second = node.keys[index]
        uuid = first.to_bytes(8, "little") + second.to_bytes(8, "little")
        place = node.address + HEADER_SIZE + index * ITEM_SIZE
        for copy in self._trees.chunks.copies(place, ITEM_SIZE):
            self.subvolume_uuids[uuid] += [(copy, 8), (copy + 9, 8)]

    def _place(self, name: str, address: int) -> None:
        known = self.uuids[name]
        if len(known) < _PLACES_MAX:
            known += ((copy, 16) for copy in self._trees.chunks.copies(address, 16))
