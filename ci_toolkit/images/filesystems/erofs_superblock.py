"""The superblock of EROFS: geometry, where the special inodes are, and its facts.

The layout is described in the kernel's Documentation/filesystems/erofs.rst and at https://erofs.docs.kernel.org/.
"""

import struct
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Fact
from ci_toolkit.images.limits import BeyondLimitError

SUPERBLOCK: Final = 1024

COMPAT_SHARED_XATTRS_IN_METABOX: Final = 0x8
COMPAT_PLAIN_PREFIXES: Final = 0x10
INCOMPAT_PADDED: Final = 0x1
INCOMPAT_COMPRESSIONS: Final = 0x2
INCOMPAT_DEVICES: Final = 0x8
_INCOMPAT_48BIT: Final = 0x80
_INCOMPAT_METABOX: Final = 0x100
_INCOMPAT_KNOWN: Final = 0x1FF

_MAGIC: Final = b"\xe2\xe1\xf5\xe0"
_SIZE: Final = 128
_SLOT: Final = 16
_METABOX_AT: Final = 128
_ALGORITHMS: Final = ("lz4", "lzma", "deflate", "zstd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Superblock:
    """Geometry: `block` in bytes, counts of blocks; `head` is how many bytes the superblock itself takes.

    `packed` is the inode whose content the tails of files are cut from, `metabox` the one whose content is metadata;
    0 for none.
    """

    raw: bytes
    head: int
    block: int
    blocks: int
    directory_block: int
    root: int
    meta: int
    xattrs: int
    epoch: int
    nanoseconds: int
    compat: int
    incompat: int
    algorithms: int
    devices: int
    device_slot: int
    prefixes: int
    prefix_start: int
    packed: int
    metabox: int

    @property
    def size(self) -> int:
        return self.blocks * self.block

    @property
    def is_padded(self) -> bool:
        """Whether compressed data stand at the end of their blocks, behind zeros."""
        return bool(self.incompat & INCOMPAT_PADDED)


def recognise(data: Data) -> bool:
    return data.read_at(SUPERBLOCK, 4) == _MAGIC


def read_superblock(data: Data) -> Superblock:
    """Read the superblock. Raises UnreadableError when it makes no sense or the image ends before its blocks."""
    raw = data.read_at(SUPERBLOCK, _SIZE)
    if len(raw) == _SIZE:
        raw = data.read_at(SUPERBLOCK, _SIZE + raw[13] * _SLOT)
    if len(raw) < _SIZE or len(raw) < _SIZE + raw[13] * _SLOT:
        raise UnreadableError(f"the EROFS superblock is cut at byte {data.size}")

    def number(offset: int, form: str = "<I") -> int:
        return int(struct.unpack_from(form, raw, offset)[0])

    incompat = number(80)
    if incompat & ~_INCOMPAT_KNOWN:
        raise BeyondLimitError(f"an EROFS with features {incompat:#x}, not all of which are known here")
    wide = bool(incompat & _INCOMPAT_48BIT) and number(112, "<Q") > 0
    has_metabox = incompat & _INCOMPAT_METABOX and len(raw) >= _METABOX_AT + 8
    # Directories in larger blocks have never been made.
    if not 9 <= raw[12] <= 16 or raw[90] > 4:
        raise UnreadableError("the EROFS superblock is damaged")
    found = Superblock(
        raw=raw,
        head=len(raw),
        block=1 << raw[12],
        blocks=number(36) | (number(14, "<H") << 32 if wide else 0),
        directory_block=1 << raw[12] + raw[90],
        root=number(112, "<Q") if wide else number(14, "<H"),
        meta=number(40),
        xattrs=number(44),
        epoch=number(24, "<q"),
        nanoseconds=number(32),
        compat=number(8),
        incompat=incompat,
        algorithms=number(84, "<H") if incompat & INCOMPAT_COMPRESSIONS else 1,
        devices=number(86, "<H") if incompat & INCOMPAT_DEVICES else 0,
        device_slot=number(88, "<H"),
        prefixes=raw[91],
        prefix_start=4 * number(92),
        packed=number(96, "<Q"),
        metabox=number(_METABOX_AT, "<Q") if has_metabox else 0,
    )
    if found.size > data.size:
        raise UnreadableError(f"the EROFS has {found.size} bytes, only {data.size} are here: it is cut")
    return found


def facts(superblock: Superblock) -> tuple[Fact, ...]:
    """The named values of the superblock; where things lie follows from the rest and is left to its region."""
    raw = superblock.raw
    build_time = superblock.epoch + struct.unpack_from("<I", raw, 108)[0]
    names = tuple(name for bit, name in enumerate(_ALGORITHMS) if superblock.algorithms >> bit & 1)

    def fact(name: str, value: int | str | tuple[str, ...], *places: tuple[int, int]) -> Fact:
        return Fact(name=name, value=value, places=tuple((SUPERBLOCK + offset, size) for offset, size in places))

    return (
        fact("superblock_checksum", struct.unpack_from("<I", raw, 4)[0], (4, 4)),
        fact("features_compatible", superblock.compat, (8, 4)),
        fact("block_size", superblock.block, (12, 1)),
        fact("inode_count", struct.unpack_from("<Q", raw, 16)[0], (16, 8)),
        fact("mkfs_time", build_time, (24, 8), (108, 4)),
        fact("mkfs_time_nanoseconds", superblock.nanoseconds, (32, 4)),
        fact("block_count", superblock.blocks, (36, 4)),
        fact("uuid", str(UUID(bytes=raw[48:64])), (48, 16)),
        fact("label", raw[64:80].partition(b"\0")[0].decode("utf-8", "replace"), (64, 16)),
        fact("features_incompatible", superblock.incompat, (80, 4)),
        fact("compression", names if superblock.incompat & INCOMPAT_COMPRESSIONS else "", (84, 2)),
        fact("device_count", superblock.devices, (86, 2)),
    )
