"""The superblock of ext2, ext3 and ext4: geometry, facts and where its copies lie.

The layout is described in the kernel's Documentation/filesystems/ext4.
"""

import struct
from dataclasses import dataclass
from itertools import islice
from typing import Final
from uuid import UUID

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Fact

SUPERBLOCK: Final = 1024
_MAGIC: Final = b"\x53\xef"
# A real file system of so many would have 128 GiB; a hostile one would fill the memory with places.
_BACKUPS_MAX: Final = 1024

COMPAT_SPARSE_SUPER2: Final = 0x200
INCOMPAT_FILETYPE: Final = 0x2
INCOMPAT_JOURNAL_DEVICE: Final = 0x8
INCOMPAT_META_BG: Final = 0x10
INCOMPAT_64BIT: Final = 0x80
RO_COMPAT_SPARSE_SUPER: Final = 0x1
RO_COMPAT_HUGE_FILE: Final = 0x8

# Fields that say something to a person or a rule: name, offset, struct format.
_NUMBERS: Final = (
    ("inode_count", 0x00, "<I"),
    ("block_count", 0x04, "<I"),
    ("reserved_blocks", 0x08, "<I"),
    ("block_size", 0x18, "<I"),
    ("blocks_per_group", 0x20, "<I"),
    ("inodes_per_group", 0x28, "<I"),
    ("mount_time", 0x2C, "<I"),
    ("write_time", 0x30, "<I"),
    ("mount_count", 0x34, "<H"),
    ("state", 0x3A, "<H"),
    ("check_time", 0x40, "<I"),
    ("creator_os", 0x48, "<I"),
    ("inode_size", 0x58, "<H"),
    ("features_compatible", 0x5C, "<I"),
    ("features_incompatible", 0x60, "<I"),
    ("features_read_only", 0x64, "<I"),
    ("reserved_descriptors", 0xCE, "<H"),
    ("hash_version", 0xFC, "<B"),
    ("mount_options", 0x100, "<I"),
    ("mkfs_time", 0x108, "<I"),
    ("flags", 0x160, "<I"),
    ("stride", 0x164, "<H"),
    ("stripe_width", 0x170, "<I"),
    ("kilobytes_written", 0x178, "<Q"),
    ("checksum_seed", 0x270, "<I"),
)
_UUIDS: Final = (("uuid", 0x68), ("journal_uuid", 0xD0), ("hash_seed", 0xEC))
_STRINGS: Final = (("label", 0x78, 16), ("last_mounted", 0x88, 64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Superblock:
    """Geometry: sizes in bytes, counts of blocks or inodes; `raw` is the superblock itself."""

    raw: bytes
    block_size: int
    blocks: int
    first_block: int
    blocks_per_group: int
    inodes: int
    inodes_per_group: int
    inode_size: int
    first_inode: int
    descriptor_size: int
    reserved_descriptors: int
    first_meta_group: int
    compat: int
    incompat: int
    ro_compat: int
    journal: int
    orphan_file: int
    backup_groups: tuple[int, int]

    @property
    def groups(self) -> int:
        return -(-(self.blocks - self.first_block) // self.blocks_per_group)

    @property
    def descriptor_blocks(self) -> int:
        return -(-self.groups * self.descriptor_size // self.block_size)

    @property
    def size(self) -> int:
        return self.blocks * self.block_size

    def has_superblock(self, group: int) -> bool:
        """Tell whether GROUP begins with a copy of the superblock."""
        if group == 0:
            return True
        if self.compat & COMPAT_SPARSE_SUPER2:
            return group in self.backup_groups
        if not self.ro_compat & RO_COMPAT_SPARSE_SUPER:
            return True
        return group == 1 or any(_is_power(group, base) for base in (3, 5, 7))


def recognise(data: Data) -> bool:
    return data.read_at(SUPERBLOCK + 0x38, 2) == _MAGIC and data.read_at(SUPERBLOCK + 0x18, 4)[1:] == b"\0\0\0"


def read_superblock(data: Data) -> Superblock:
    """Read the first superblock. Raises UnreadableError when it makes no sense or the image ends before its blocks."""
    raw = data.read_at(SUPERBLOCK, 1024)
    if len(raw) < 1024:
        raise UnreadableError(f"the ext4 superblock is cut at byte {data.size}")

    def number(offset: int, form: str = "<I") -> int:
        return int(struct.unpack_from(form, raw, offset)[0])

    incompat = number(0x60)
    wide = bool(incompat & INCOMPAT_64BIT)
    dynamic = number(0x4C) > 0
    found = Superblock(
        raw=raw,
        block_size=1024 << min(number(0x18), 32),
        blocks=number(0x04) + (number(0x150) << 32 if wide else 0),
        first_block=number(0x14),
        blocks_per_group=number(0x20),
        inodes=number(0x00),
        inodes_per_group=number(0x28),
        inode_size=number(0x58, "<H") if dynamic else 128,
        first_inode=number(0x54) if dynamic else 11,
        descriptor_size=max(32, number(0xFE, "<H")) if wide else 32,
        reserved_descriptors=number(0xCE, "<H"),
        first_meta_group=number(0x104),
        compat=number(0x5C),
        incompat=incompat,
        ro_compat=number(0x64),
        journal=0 if incompat & INCOMPAT_JOURNAL_DEVICE else number(0xE0),
        orphan_file=number(0x280),
        backup_groups=(number(0x24C), number(0x250)),
    )
    _check(found, data.size)
    return found


def facts(superblock: Superblock) -> tuple[Fact, ...]:
    """The named values of the superblock, each with the places of all its copies."""
    starts = copies(superblock)

    def fact(name: str, value: int | str, offset: int, length: int) -> Fact:
        return Fact(name=name, value=value, places=tuple((start + offset, length) for start in starts))

    raw = superblock.raw
    return (
        *(
            fact(name, struct.unpack_from(form, raw, offset)[0], offset, struct.calcsize(form))
            for name, offset, form in _NUMBERS
        ),
        *(fact(name, str(UUID(bytes=raw[offset : offset + 16])), offset, 16) for name, offset in _UUIDS),
        *(
            fact(name, raw[offset : offset + length].partition(b"\0")[0].decode("utf-8", "replace"), offset, length)
            for name, offset, length in _STRINGS
        ),
    )


def copies(superblock: Superblock) -> tuple[int, ...]:
    """Return where the superblock and its backups, up to a limit, begin in bytes."""
    backups = (
        (superblock.first_block + group * superblock.blocks_per_group) * superblock.block_size
        for group in range(1, superblock.groups)
        if superblock.has_superblock(group)
    )
    return (SUPERBLOCK, *islice(backups, _BACKUPS_MAX))


def _check(found: Superblock, size: int) -> None:
    sane = (
        found.block_size <= 1 << 16
        and found.blocks > found.first_block
        and 0 < found.blocks_per_group <= found.block_size * 8 * 256
        and 0 < found.inodes_per_group <= found.block_size * 8
        and 128 <= found.inode_size <= found.block_size
        and 32 <= found.descriptor_size <= found.block_size
        and found.inodes <= found.groups * found.inodes_per_group
    )
    if not sane:
        raise UnreadableError("the ext4 superblock is damaged")
    if found.size > size:
        raise UnreadableError(f"the ext4 file system has {found.size} bytes, only {size} are here: it is cut")


def _is_power(number: int, base: int) -> bool:
    while number % base == 0:
        number //= base
    return number == 1
