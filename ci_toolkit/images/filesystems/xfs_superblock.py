"""The superblock of XFS, of versions 4 and 5: geometry, facts and where its copies lie.

The layout is described in the "XFS Algorithms & Data Structures" of xfs-documentation.
"""

import struct
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Fact
from ci_toolkit.images.limits import KIB

MAGIC: Final = b"XFSB"
_SIZE: Final = 512
# Copies beyond these are left to their region.
_COPIES_MAX: Final = 1024
_VERSION_5: Final = 5
_VERSION_MASK: Final = 0xF
_V4_FILE_TYPES: Final = 0x200
_FILE_TYPES: Final = 0x1
_META_UUID: Final = 0x4
_SPARSE: Final = 0x2
_AGS_MAX: Final = 1 << 16

# Fields that say something to a person or a rule: name, offset, struct format.
_NUMBERS: Final = (
    ("block_size", 4, ">I"),
    ("block_count", 8, ">Q"),
    ("realtime_blocks", 16, ">Q"),
    ("log_start", 48, ">Q"),
    ("root_inode", 56, ">Q"),
    ("group_blocks", 84, ">I"),
    ("group_count", 88, ">I"),
    ("log_blocks", 96, ">I"),
    ("version", 100, ">H"),
    ("sector_size", 102, ">H"),
    ("inode_size", 104, ">H"),
    ("in_progress", 126, ">B"),
    ("inode_percent", 127, ">B"),
    ("inode_count", 128, ">Q"),
    ("free_inodes", 136, ">Q"),
    ("free_blocks", 144, ">Q"),
    ("quota_flags", 176, ">H"),
    ("flags", 178, ">B"),
    ("inode_alignment", 180, ">I"),
    ("stripe_unit", 184, ">I"),
    ("stripe_width", 188, ">I"),
    ("directory_block_log", 192, ">B"),
    ("log_sector_size", 194, ">H"),
    ("log_stripe_unit", 196, ">I"),
    ("features", 200, ">I"),
)
_NUMBERS_5: Final = (
    ("features_compatible", 208, ">I"),
    ("features_read_only", 212, ">I"),
    ("features_incompatible", 216, ">I"),
    ("features_log", 220, ">I"),
    ("sparse_alignment", 228, ">I"),
    ("last_sequence", 240, ">Q"),
)
_UUID: Final = 32
_LABEL: Final = 108, 12
CRC: Final = 224
_META_UUID_AT: Final = 248


@dataclass(frozen=True, slots=True, kw_only=True)
class Superblock:
    """Geometry: sizes in bytes, counts of blocks; `raw` is the superblock itself."""

    raw: bytes
    version: int
    block_size: int
    blocks: int
    group_blocks: int
    groups: int
    group_log: int
    sector_size: int
    inode_size: int
    inodes_per_block_log: int
    directory_block: int
    root: int
    log_start: int
    log_blocks: int
    has_file_types: bool
    has_sparse_inodes: bool
    metadata_directory: int
    special: tuple[tuple[str, int], ...]

    @property
    def is_v5(self) -> bool:
        return self.version == _VERSION_5

    @property
    def size(self) -> int:
        return self.blocks * self.block_size

    @property
    def has_meta_uuid(self) -> bool:
        """Tell whether blocks carry another UUID than the one that people see."""
        return self.is_v5 and bool(int.from_bytes(self.raw[216:220], "big") & _META_UUID)

    def group_offset(self, group: int) -> int:
        return group * self.group_blocks * self.block_size

    def group_size(self, group: int) -> int:
        """Return the blocks of GROUP; the last one may be shorter."""
        return min(self.group_blocks, self.blocks - group * self.group_blocks)

    def offset(self, block: int) -> int:
        """Return the byte where a block lies, whose number has the group in its high bits. Raises UnreadableError."""
        group, within = block >> self.group_log, block & (1 << self.group_log) - 1
        if group >= self.groups or within >= self.group_size(group):
            raise UnreadableError(f"block {block} lies beyond the end of the file system")
        return self.group_offset(group) + within * self.block_size


def recognise(data: Data) -> bool:
    return data.read_at(0, 4) == MAGIC


def read_superblock(data: Data) -> Superblock:
    """Read the first superblock. Raises UnreadableError when it makes no sense or the image ends before its blocks."""
    raw = data.read_at(0, _SIZE)
    if len(raw) < _SIZE:
        raise UnreadableError(f"the XFS superblock is cut at byte {data.size}")

    def number(offset: int, form: str) -> int:
        return int(struct.unpack_from(form, raw, offset)[0])

    version = number(100, ">H") & _VERSION_MASK
    is_v5 = version == _VERSION_5
    incompat = number(216, ">I") if is_v5 else 0
    special = [("realtime bitmap", 64), ("realtime summary", 72), ("quota", 160), ("quota", 168), ("quota", 232)]
    found = Superblock(
        raw=raw,
        version=version,
        block_size=number(4, ">I"),
        blocks=number(8, ">Q"),
        group_blocks=number(84, ">I"),
        groups=number(88, ">I"),
        group_log=raw[124],
        sector_size=number(102, ">H"),
        inode_size=number(104, ">H"),
        inodes_per_block_log=raw[123],
        directory_block=number(4, ">I") << min(raw[192], 16),
        root=number(56, ">Q"),
        log_start=number(48, ">Q"),
        log_blocks=number(96, ">I"),
        has_file_types=bool(incompat & _FILE_TYPES if is_v5 else number(200, ">I") & _V4_FILE_TYPES),
        has_sparse_inodes=bool(incompat & _SPARSE),
        metadata_directory=number(264, ">Q") if incompat & 0x100 else 0,
        special=tuple((name, number(offset, ">Q")) for name, offset in special[: 5 if is_v5 else 4]),
    )
    _check(found, data.size)
    return found


def facts(superblock: Superblock, uuids: list[tuple[int, int]]) -> tuple[Fact, ...]:
    """The named values of the superblock, each with the places of all its copies; UUIDS are further places."""
    starts = [superblock.group_offset(group) for group in range(min(superblock.groups, _COPIES_MAX))]
    raw = superblock.raw

    def places(offset: int, length: int) -> tuple[tuple[int, int], ...]:
        return tuple((start + offset, length) for start in starts)

    def identifier(name: str, offset: int, others: list[tuple[int, int]]) -> Fact:
        return Fact(
            name=name, value=str(UUID(bytes=raw[offset : offset + 16])), places=places(offset, 16) + tuple(others)
        )

    label = raw[_LABEL[0] : sum(_LABEL)].partition(b"\0")[0].decode("utf-8", "replace")
    found = [
        identifier("uuid", _UUID, [] if superblock.has_meta_uuid else uuids),
        Fact(name="label", value=label, places=places(*_LABEL)),
    ]
    if superblock.has_meta_uuid:
        found.append(identifier("meta_uuid", _META_UUID_AT, uuids))
    numbers = _NUMBERS + _NUMBERS_5 if superblock.is_v5 else _NUMBERS
    found += [
        Fact(name=name, value=struct.unpack_from(form, raw, offset)[0], places=places(offset, struct.calcsize(form)))
        for name, offset, form in numbers
    ]
    return tuple(found)


def _check(found: Superblock, size: int) -> None:
    block = found.block_size
    sane = (
        found.version in (4, _VERSION_5)
        and 512 <= block <= 64 * KIB
        and block & (block - 1) == 0
        and 512 <= found.sector_size <= block
        and 256 <= found.inode_size <= block
        and found.inode_size << found.inodes_per_block_log == block
        and found.directory_block <= 64 * KIB
        and 0 < found.group_blocks <= 1 << found.group_log < 1 << 32
        and 0 < found.groups <= _AGS_MAX
        and (found.groups - 1) * found.group_blocks < found.blocks <= found.groups * found.group_blocks
        and found.group_size(found.groups - 1) * block >= 4 * found.sector_size
    )
    if not sane:
        raise UnreadableError("the XFS superblock is damaged, or of a version before 4")
    if found.size > size:
        raise UnreadableError(f"the XFS file system has {found.size} bytes, only {size} are here: it is cut")
