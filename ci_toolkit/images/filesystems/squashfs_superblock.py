"""The superblock of squashfs 4.0: where the tables lie, and its facts.

The layout is described in the kernel's Documentation/filesystems/squashfs.rst and at https://dr-emann.github.io/squashfs/.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Fact
from ci_toolkit.images.limits import BeyondLimitError

SIZE: Final = 96
NOTHING: Final = 0xFFFF_FFFF_FFFF_FFFF

_MAGIC: Final = b"hsqs"
_VERSION: Final = b"\x04\x00\x00\x00"
_VERSION_AT: Final = 28
_FORM: Final = struct.Struct("<4sIIIIHHHHHHQQQQQQQQ")
_HAS_OPTIONS: Final = 0x400
# A header of two bytes, then the options, which are never compressed.
_OPTIONS_MAX: Final = 64

# The name of each compressor by its number, as mksquashfs calls it, and the method that unpacks it.
_COMPRESSORS: Final[Mapping[int, tuple[str, str]]] = MappingProxyType(
    {
        1: ("gzip", "zlib"),
        2: ("lzma", "lzma"),
        3: ("lzo", "lzo"),
        4: ("xz", "xz"),
        5: ("lz4", "lz4"),
        6: ("zstd", "zstd"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Superblock:
    """Counts, sizes in bytes, and where each table begins; NOTHING where there is none."""

    inodes: int
    mkfs_time: int
    block_size: int
    fragments: int
    compressor: str
    method: str
    flags: int
    ids: int
    root: int
    size: int
    id_table: int
    xattr_table: int
    inode_table: int
    directory_table: int
    fragment_table: int
    export_table: int
    options: bytes


def recognise(data: Data) -> bool:
    return data.read_at(0, 4) == _MAGIC and data.read_at(_VERSION_AT, 4) == _VERSION


def read_superblock(data: Data) -> Superblock:
    """Read the superblock. Raises UnreadableError when it makes no sense or the image ends before its tables."""
    raw = data.read_at(0, SIZE)
    if len(raw) < SIZE:
        raise UnreadableError(f"the squashfs superblock is cut at byte {data.size}")
    (
        _, inodes, mkfs_time, block_size, fragments, compressor, block_log, flags, ids, _, _,
        root, size, id_table, xattr_table, inode_table, directory_table, fragment_table, export_table,
    ) = _FORM.unpack(raw)  # fmt: skip
    name, method = _COMPRESSORS.get(compressor, ("", ""))
    if not name:
        raise BeyondLimitError(f"a squashfs compressed by number {compressor}, which nobody knows")
    found = Superblock(
        inodes=inodes, mkfs_time=mkfs_time, block_size=block_size, fragments=fragments, compressor=name, method=method,
        flags=flags, ids=ids, root=root, size=size, id_table=id_table, xattr_table=xattr_table,
        inode_table=inode_table, directory_table=directory_table, fragment_table=fragment_table,
        export_table=export_table, options=_options(data) if flags & _HAS_OPTIONS else b"",
    )  # fmt: skip
    _check(found, block_log, data.size)
    return found


def facts(superblock: Superblock) -> tuple[Fact, ...]:
    """The named values of the superblock; where the tables begin follows from the rest and is left to its region."""
    return (
        Fact(name="inode_count", value=superblock.inodes, places=((4, 4),)),
        Fact(name="mkfs_time", value=superblock.mkfs_time, places=((8, 4),)),
        Fact(name="block_size", value=superblock.block_size, places=((12, 4), (22, 2))),
        Fact(name="fragment_count", value=superblock.fragments, places=((16, 4),)),
        Fact(name="compression", value=superblock.compressor, places=((20, 2),)),
        Fact(name="compression_options", value=superblock.options, places=((SIZE + 2, len(superblock.options)),)),
        Fact(name="flags", value=superblock.flags, places=((24, 2),)),
        Fact(name="id_count", value=superblock.ids, places=((26, 2),)),
        Fact(name="bytes_used", value=superblock.size, places=((40, 8),)),
    )


def _options(data: Data) -> bytes:
    length = int.from_bytes(data.read_at(SIZE, 2), "little") & 0x7FFF
    return data.read_at(SIZE + 2, min(length, _OPTIONS_MAX))


def _check(found: Superblock, block_log: int, size: int) -> None:
    tables = (found.id_table, found.inode_table, found.directory_table)
    optional = (found.xattr_table, found.fragment_table, found.export_table)
    sane = (
        12 <= block_log <= 20
        and found.block_size == 1 << block_log
        and found.ids > 0
        and found.inode_table < found.directory_table
        and all(SIZE <= table <= found.size for table in tables)
        and all(SIZE <= table <= found.size for table in optional if table != NOTHING)
    )
    if not sane:
        raise UnreadableError("the squashfs superblock is damaged")
    if found.size > size:
        raise UnreadableError(f"the squashfs has {found.size} bytes, only {size} are here: it is cut")
