"""The superblock of btrfs: geometry, facts and where its mirrors lie.

The layout is described in btrfs-progs' Documentation/dev/On-disk-format.rst.
"""

import struct
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Fact
from ci_toolkit.images.limits import GIB, KIB, MIB, BeyondLimitError

SUPERBLOCK: Final = 64 * KIB
SUPERBLOCK_SIZE: Final = 4096
CHECKSUM_SIZE: Final = 32
_MIRRORS: Final = (SUPERBLOCK, 64 * MIB, 256 * GIB)
_MAGIC: Final = b"_BHRfS_M"
_MAGIC_AT: Final = 0x40
_CHECKSUMS: Final = {0: ("crc32c", 4), 1: ("xxhash64", 8), 2: ("sha256", 32), 3: ("blake2b", 32)}
_SYSTEM_CHUNKS: Final = 0x32B
_SYSTEM_CHUNKS_MAX: Final = 2048

# Fields that say something to a person or a rule: name, offset, struct format.
_NUMBERS: Final = (
    ("flags", 0x38, "<Q"),
    ("generation", 0x48, "<Q"),
    ("root_tree", 0x50, "<Q"),
    ("chunk_tree", 0x58, "<Q"),
    ("log_tree", 0x60, "<Q"),
    ("total_size", 0x70, "<Q"),
    ("used_size", 0x78, "<Q"),
    ("device_count", 0x88, "<Q"),
    ("sector_size", 0x90, "<I"),
    ("node_size", 0x94, "<I"),
    ("stripe_size", 0x9C, "<I"),
    ("chunk_root_generation", 0xA4, "<Q"),
    ("features_compatible", 0xAC, "<Q"),
    ("features_read_only", 0xB4, "<Q"),
    ("features_incompatible", 0xBC, "<Q"),
    ("root_level", 0xC6, "<B"),
    ("chunk_root_level", 0xC7, "<B"),
    ("device_size", 0xD1, "<Q"),
    ("device_used", 0xD9, "<Q"),
    ("cache_generation", 0x22B, "<Q"),
    ("uuid_tree_generation", 0x233, "<Q"),
)
_FSID: Final = 0x20
_METADATA_UUID: Final = 0x23B
_DEVICE_UUID: Final = 0x10B
_DEVICE_FSID: Final = 0x11B
_LABEL: Final = 0x12B, 256
_CHECKSUM_TYPE: Final = 0xC4
_INCOMPAT_METADATA_UUID: Final = 1 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Superblock:
    """Geometry in bytes; `mirrors` are where the copies begin, `raw` is the first one."""

    raw: bytes
    mirrors: tuple[int, ...]
    sector_size: int
    node_size: int
    size: int
    device: int
    root: int
    chunk_root: int
    log_root: int
    system_chunks: bytes

    @property
    def has_metadata_uuid(self) -> bool:
        """Tell whether tree blocks carry another UUID than the one that people see."""
        return bool(int.from_bytes(self.raw[0xBC:0xC4], "little") & _INCOMPAT_METADATA_UUID)

    @property
    def block_uuid(self) -> bytes:
        """The UUID that tree blocks carry."""
        start = _METADATA_UUID if self.has_metadata_uuid else _FSID
        return self.raw[start : start + 16]


def recognise(data: Data) -> bool:
    return data.read_at(SUPERBLOCK + _MAGIC_AT, 8) == _MAGIC


def read_superblock(data: Data) -> Superblock:
    """Read the first superblock. Raises UnreadableError when it makes no sense or the image ends before its blocks."""
    raw = data.read_at(SUPERBLOCK, SUPERBLOCK_SIZE)
    if len(raw) < SUPERBLOCK_SIZE:
        raise UnreadableError(f"the btrfs superblock is cut at byte {data.size}")

    def number(offset: int, form: str = "<Q") -> int:
        return int(struct.unpack_from(form, raw, offset)[0])

    sector, node = number(0x90, "<I"), number(0x94, "<I")
    chunks = number(0xA0, "<I")
    size = number(0xD1)
    sane = (
        all(512 <= unit <= 64 * KIB and unit & (unit - 1) == 0 for unit in (sector, node))
        and sector <= node
        and chunks <= _SYSTEM_CHUNKS_MAX
        and size >= SUPERBLOCK + SUPERBLOCK_SIZE
    )
    if not sane:
        raise UnreadableError("the btrfs superblock is damaged")
    if number(0x88) != 1:
        raise BeyondLimitError(f"the btrfs file system lies on {number(0x88)} devices, and only one is here")
    if size > data.size:
        raise UnreadableError(f"the btrfs file system has {size} bytes, only {data.size} are here: it is cut")
    return Superblock(
        raw=raw,
        mirrors=tuple(_mirrors(data)),
        sector_size=sector,
        node_size=node,
        size=size,
        device=number(0xC9),
        root=number(0x50),
        chunk_root=number(0x58),
        log_root=number(0x60),
        system_chunks=raw[_SYSTEM_CHUNKS : _SYSTEM_CHUNKS + chunks],
    )


def facts(superblock: Superblock, uuids: dict[str, list[tuple[int, int]]]) -> tuple[Fact, ...]:
    """The named values of the superblock, each with the places of all its copies; UUIDS are further places."""
    raw = superblock.raw

    def places(offset: int, length: int) -> tuple[tuple[int, int], ...]:
        return tuple((start + offset, length) for start in superblock.mirrors)

    def identifier(name: str, *offsets: int) -> Fact:
        start = offsets[0]
        own = tuple(place for offset in offsets for place in places(offset, 16))
        return Fact(name=name, value=str(UUID(bytes=raw[start : start + 16])), places=own + tuple(uuids.get(name, ())))

    kind, length = _CHECKSUMS.get(int.from_bytes(raw[_CHECKSUM_TYPE : _CHECKSUM_TYPE + 2], "little"), ("unknown", 32))
    label = raw[_LABEL[0] : sum(_LABEL)].partition(b"\0")[0].decode("utf-8", "replace")
    return (
        identifier("uuid", _FSID, _DEVICE_FSID),
        identifier("metadata_uuid", _METADATA_UUID),
        identifier("device_uuid", _DEVICE_UUID),
        Fact(name="label", value=label, places=places(*_LABEL)),
        Fact(name="checksum_type", value=kind, places=places(_CHECKSUM_TYPE, 2)),
        Fact(name="checksum", value=raw[:length].hex(), places=places(0, CHECKSUM_SIZE)),
        *(
            Fact(
                name=name,
                value=struct.unpack_from(form, raw, offset)[0],
                places=places(offset, struct.calcsize(form)),
            )
            for name, offset, form in _NUMBERS
        ),
    )


def _mirrors(data: Data) -> list[int]:
    return [start for start in _MIRRORS if data.read_at(start + _MAGIC_AT, 8) == _MAGIC]
