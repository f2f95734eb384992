"""The superblock of f2fs: geometry, facts and where its two copies lie.

The layout is described in include/linux/f2fs_fs.h of the kernel.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Fact

MAGIC: Final = b"\x10\x20\xf5\xf2"
BLOCK: Final = 4096
SEGMENT: Final = 512  # blocks
# Where the copies begin: in the first two blocks, after what a boot loader may use.
COPIES: Final = (1024, BLOCK + 1024)
_SIZE: Final = 3072
_BLOCK_LOG: Final = 12
_SEGMENT_LOG: Final = 9
_SEED: Final = 0xF2F52010
_DEVICES: Final = 2201
_CHECKSUM_OFFSET: Final = 32

EXTRA_ATTRIBUTES: Final = 0x8
PROJECTS: Final = 0x10
INODE_CHECKSUM: Final = 0x20
FLEXIBLE_XATTRS: Final = 0x40
QUOTA_INODES: Final = 0x80
CREATION_TIMES: Final = 0x100
SUPERBLOCK_CHECKSUM: Final = 0x800

# Fields that say something to a person or a rule: name, offset, struct format.
_NUMBERS: Final = (
    ("major_version", 4, "<H"),
    ("minor_version", 6, "<H"),
    ("sector_size_log", 8, "<I"),
    ("segments_per_section", 24, "<I"),
    ("sections_per_zone", 28, "<I"),
    ("block_count", 36, "<Q"),
    ("section_count", 44, "<I"),
    ("segment_count", 48, "<I"),
    ("checkpoint_segments", 52, "<I"),
    ("segment_table_segments", 56, "<I"),
    ("node_table_segments", 60, "<I"),
    ("summary_segments", 64, "<I"),
    ("main_segments", 68, "<I"),
    ("main_block", 92, "<I"),
    ("root_inode", 96, "<I"),
    ("extension_count", 1148, "<I"),
    ("checkpoint_payload", 1664, "<I"),
    ("features", 2180, "<I"),
    ("encryption_level", 2184, "<B"),
    ("hot_extension_count", 2757, "<B"),
    ("encoding", 2758, "<H"),
    ("encoding_flags", 2760, "<H"),
)
_UUID: Final = 108, 16
_LABEL: Final = 124, 1024
_EXTENSIONS: Final = 1152, 512
_MOUNTED_BY: Final = 1668, 256
_MADE_BY: Final = 1924, 256
_SALT: Final = 2185, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Superblock:
    """Geometry in blocks of 4 KiB: where each area begins, and how many segments of 512 blocks it has."""

    raw: bytes
    blocks: int
    checkpoint: int
    segment_table: int
    segment_table_segments: int
    node_table: int
    node_table_segments: int
    summaries: int
    summary_segments: int
    main: int
    main_segments: int
    root: int
    payload: int
    features: int
    quota_inodes: tuple[int, ...]

    @property
    def size(self) -> int:
        return self.blocks * BLOCK

    @property
    def main_end(self) -> int:
        return self.main + self.main_segments * SEGMENT

    def offset(self, block: int) -> int:
        """Return the byte where a block of the main area lies. Raises UnreadableError."""
        if not self.main <= block < self.main_end:
            raise UnreadableError(f"block {block} lies outside the main area")
        return block * BLOCK


def recognise(data: Data) -> bool:
    return data.read_at(COPIES[0], 4) == MAGIC


def checksum(raw: bytes, start: int = _SEED) -> int:
    """Return the CRC-32 as f2fs has it: from a seed, and not inverted."""
    return zlib.crc32(raw, start ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def read_superblock(data: Data) -> Superblock:
    """Read the first copy that makes sense.

    Raises UnreadableError when neither does, or when the image ends before the file system does.
    """
    reason = ""
    for place in COPIES:
        raw = data.read_at(place, _SIZE)
        if len(raw) < _SIZE:
            raise UnreadableError(f"the f2fs superblock is cut at byte {data.size}")
        found = _parse(raw)
        fault = _fault(found)
        if not fault:
            if found.size > data.size:
                raise UnreadableError(
                    f"the f2fs file system has {found.size} bytes, only {data.size} are here: it is cut"
                )
            return found
        reason = reason or fault
    raise UnreadableError(reason)


def facts(superblock: Superblock) -> tuple[Fact, ...]:
    """The named values of the superblock, each with its places in both copies."""
    raw = superblock.raw

    def places(offset: int, length: int) -> tuple[tuple[int, int], ...]:
        return tuple((start + offset, length) for start in COPIES)

    def string(name: str, span: tuple[int, int], encoding: str = "utf-8") -> Fact:
        value = raw[span[0] : sum(span)].decode(encoding, "replace").partition("\0")[0]
        return Fact(name=name, value=value, places=places(*span))

    names = raw[_EXTENSIONS[0] : sum(_EXTENSIONS)]
    extensions = tuple(names[at : at + 8].rstrip(b"\0").decode("utf-8", "replace") for at in range(0, len(names), 8))
    return (
        Fact(name="uuid", value=str(UUID(bytes=raw[_UUID[0] : sum(_UUID)])), places=places(*_UUID)),
        string("label", _LABEL, "utf-16-le"),
        string("made_by_kernel", _MADE_BY),
        string("mounted_by_kernel", _MOUNTED_BY),
        Fact(name="encryption_salt", value=raw[_SALT[0] : sum(_SALT)].hex(), places=places(*_SALT)),
        Fact(name="extensions", value=tuple(name for name in extensions if name), places=places(*_EXTENSIONS)),
        *(
            Fact(
                name=name, value=struct.unpack_from(form, raw, offset)[0], places=places(offset, struct.calcsize(form))
            )
            for name, offset, form in _NUMBERS
        ),
    )


def _parse(raw: bytes) -> Superblock:
    def number(offset: int) -> int:
        return int.from_bytes(raw[offset : offset + 4], "little")

    return Superblock(
        raw=raw,
        blocks=int.from_bytes(raw[36:44], "little"),
        checkpoint=number(76),
        segment_table=number(80),
        segment_table_segments=number(56),
        node_table=number(84),
        node_table_segments=number(60),
        summaries=number(88),
        summary_segments=number(64),
        main=number(92),
        main_segments=number(68),
        root=number(96),
        payload=number(1664),
        features=number(2180),
        quota_inodes=struct.unpack_from("<3I", raw, 2745),
    )


def _fault(found: Superblock) -> str:
    """Say why a superblock cannot be believed, or nothing."""
    raw = found.raw
    block_log, segment_log = struct.unpack_from("<2I", raw, 16)
    if raw[:4] == MAGIC and 9 <= block_log <= 16 and block_log != _BLOCK_LOG:
        return f"an f2fs file system with blocks of {1 << block_log} bytes, and only those of {BLOCK} are read"
    if raw[_DEVICES]:
        return "the f2fs file system spreads over several devices, of which this is one"
    areas = (
        (2, found.checkpoint),
        (found.checkpoint + 2 * SEGMENT, found.segment_table),
        (found.segment_table + found.segment_table_segments * SEGMENT, found.node_table),
        (found.node_table + found.node_table_segments * SEGMENT, found.summaries),
        (found.summaries + found.summary_segments * SEGMENT, found.main),
        (found.main_end, found.blocks),
    )
    is_sane = (
        raw[:4] == MAGIC
        and (block_log, segment_log) == (_BLOCK_LOG, _SEGMENT_LOG)
        and all(end <= start for end, start in areas)
        and found.main_segments > 0
        and found.segment_table_segments % 2 == 0
        and found.node_table_segments % 2 == 0
        and found.payload < SEGMENT
        and _is_checked(found)
    )
    return "" if is_sane else "the f2fs superblock is damaged"


def _is_checked(found: Superblock) -> bool:
    if not found.features & SUPERBLOCK_CHECKSUM:
        return True
    end = int.from_bytes(found.raw[_CHECKSUM_OFFSET : _CHECKSUM_OFFSET + 4], "little")
    return end == _SIZE - 4 and checksum(found.raw[:end]) == int.from_bytes(found.raw[end:], "little")
