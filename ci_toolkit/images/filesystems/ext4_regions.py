"""Where ext4 keeps its own bookkeeping: superblocks, descriptors, bitmaps, inode tables, journal."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data, joined
from ci_toolkit.images.entry import Region
from ci_toolkit.images.filesystems.ext4_superblock import INCOMPAT_META_BG, SUPERBLOCK, Superblock

_LOW: Final = struct.Struct("<III")
_HIGH: Final = struct.Struct("<III")
# A file system of this many groups has 128 TiB of the usual blocks.
_GROUPS_MAX: Final = 1 << 20

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Group:
    """First blocks of a group's bitmaps and inode table."""

    block_bitmap: int
    inode_bitmap: int
    inode_table: int


def read_groups(data: Data, superblock: Superblock) -> list[Group]:
    """Read all group descriptors. Raises UnreadableError."""
    if superblock.groups > _GROUPS_MAX:
        raise UnreadableError(f"an ext4 file system of {superblock.groups} groups")
    size = superblock.descriptor_size
    raw = b"".join(
        data.read_at(block * superblock.block_size, superblock.block_size) for block in _descriptor_blocks(superblock)
    )
    if len(raw) < superblock.groups * size:
        raise UnreadableError("the group descriptors are cut")
    return [_group(raw, index * size, size) for index in range(superblock.groups)]


def regions(
    data: Data,
    superblock: Superblock,
    groups: list[Group],
    directories: Iterable[Data],
    special: Iterable[tuple[str, Data]],
    map_blocks: Iterable[int],
) -> tuple[Region, ...]:
    """Name the bytes that no file holds; what a damaged descriptor puts beyond the end is left out."""
    block = superblock.block_size
    table = -(-superblock.inodes_per_group * superblock.inode_size // block)
    named: list[tuple[str, Iterable[Span]]] = [
        ("boot sector", [(0, SUPERBLOCK)]),
        ("superblock", ((start, SUPERBLOCK) for start in _superblocks(superblock))),
        ("group descriptors", _blocks(_all_descriptors(superblock), block)),
        ("block bitmap", _blocks(((group.block_bitmap, 1) for group in groups), block)),
        ("inode bitmap", _blocks(((group.inode_bitmap, 1) for group in groups), block)),
        ("inode table", _blocks(((group.inode_table, table) for group in groups), block)),
        ("map blocks", _blocks(((number, 1) for number in map_blocks), block)),
    ]
    found = [Region(name=name, data=there) for name, spans in named if (there := _spread(data, spans)) is not None]
    inside = [directory for directory in directories if directory.root is data.root]
    found.append(Region(name="directory blocks", data=joined(inside)))
    found += [Region(name=name, data=joined([content])) for name, content in special]
    return tuple(found)


def _spread(data: Data, spans: Iterable[Span]) -> Data | None:
    inside = sorted({span for span in spans if span[0] >= 0 and span[0] + span[1] <= data.size and span[1]})
    return joined(data.window(*span) for span in inside) if inside else None


def _group(raw: bytes, start: int, size: int) -> Group:
    low = _LOW.unpack_from(raw, start)
    high = _HIGH.unpack_from(raw, start + 32) if size >= 64 else (0, 0, 0)
    return Group(*(a | b << 32 for a, b in zip(low, high, strict=True)))


def _first_block(superblock: Superblock, group: int) -> int:
    """Return the block of GROUP's superblock, or where it would be."""
    if group == 0:
        # With clusters the count begins at block 0, though of 1 KiB blocks it is block 1 that holds the superblock.
        return SUPERBLOCK // superblock.block_size
    return superblock.first_block + group * superblock.blocks_per_group


def _superblocks(superblock: Superblock) -> Iterator[int]:
    yield SUPERBLOCK
    for group in range(1, superblock.groups):
        if superblock.has_superblock(group):
            yield _first_block(superblock, group) * superblock.block_size


def _classic(superblock: Superblock) -> int:
    """How many blocks of descriptors follow the superblock; with meta block groups the rest lie in their groups."""
    if superblock.incompat & INCOMPAT_META_BG:
        return min(superblock.descriptor_blocks, superblock.first_meta_group)
    return superblock.descriptor_blocks


def _descriptor_blocks(superblock: Superblock) -> Iterator[int]:
    """Yield the blocks of the first copy of the descriptors, in order."""
    classic = _classic(superblock)
    start = _first_block(superblock, 0) + 1
    yield from range(start, start + classic)
    per_block = superblock.block_size // superblock.descriptor_size
    for meta in range(classic, superblock.descriptor_blocks):
        group = meta * per_block
        yield _first_block(superblock, group) + int(superblock.has_superblock(group))


def _all_descriptors(superblock: Superblock) -> Iterator[Span]:
    """Yield (first block, blocks) of every copy of the descriptors, with what is reserved for more of them."""
    count = _classic(superblock) + superblock.reserved_descriptors
    for group in range(superblock.groups):
        if superblock.has_superblock(group):
            yield _first_block(superblock, group) + 1, count
    if superblock.incompat & INCOMPAT_META_BG:
        per_block = superblock.block_size // superblock.descriptor_size
        for meta in range(superblock.first_meta_group, superblock.descriptor_blocks):
            for group in (meta * per_block, meta * per_block + 1, (meta + 1) * per_block - 1):
                if group < superblock.groups:
                    yield _first_block(superblock, group) + int(superblock.has_superblock(group)), 1


def _blocks(spans: Iterable[Span], block: int) -> Iterator[Span]:
    return ((first * block, count * block) for first, count in spans)
