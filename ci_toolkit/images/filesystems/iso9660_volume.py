"""The volume descriptors of ISO 9660: which trees there are, what the volume is called, and when it was made."""

import struct
from calendar import timegm
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Fact

SECTOR: Final = 2048
SYSTEM_AREA: Final = 16 * SECTOR
_MAGIC: Final = b"CD001"
_GPT: Final = b"EFI PART"
_GPT_PLACES: Final = (512, 4096)
_BOOT, _PRIMARY, _SUPPLEMENTARY, _END = 0, 1, 2, 255
_JOLIET: Final = (b"%/@", b"%/C", b"%/E")
_EL_TORITO: Final = b"EL TORITO SPECIFICATION"
_DESCRIPTORS_MAX: Final = 64
# A table of paths of more is damage: each of its entries has a directory with a sector of its own.
_PATH_TABLE_MAX: Final = 1 << 26

_STRINGS: Final = (
    ("system_id", 8, 32),
    ("label", 40, 32),
    ("volume_set", 190, 128),
    ("publisher", 318, 128),
    ("preparer", 446, 128),
    ("application", 574, 128),
    ("copyright_file", 702, 37),
    ("abstract_file", 739, 37),
    ("bibliographic_file", 776, 37),
)
_TIMES: Final = (
    ("creation_time", 813),
    ("modification_time", 830),
    ("expiration_time", 847),
    ("effective_time", 864),
)
_NUMBERS: Final = (("volume_blocks", 80, "<I", 8), ("block_size", 128, "<H", 4), ("path_table_size", 132, "<I", 8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One tree: `place` is its descriptor, `root` the (block, bytes) of its root directory."""

    place: int
    raw: bytes
    joliet: bool
    block: int
    blocks: int
    root: tuple[int, int]

    @property
    def path_tables(self) -> tuple[tuple[int, int], ...]:
        """The (offset, length) of its tables of paths, in both orders of bytes, and of their copies."""
        (size,) = struct.unpack_from("<I", self.raw, 132)
        blocks = (*struct.unpack_from("<II", self.raw, 140), *struct.unpack_from(">II", self.raw, 148))
        return tuple((block * self.block, min(size, _PATH_TABLE_MAX)) for block in blocks if block)


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptors:
    """All descriptors: `catalogue` is where the one of El Torito says that its catalogue begins."""

    primary: Volume
    joliet: Volume | None
    catalogue: int | None
    end: int


def recognise(data: Data) -> bool:
    """Tell whether this is a volume that holds something, or that lies alone.

    mkosi writes an empty one between the partition table and the partitions, for machines that boot by El Torito:
    that is a disk.
    """
    if data.read_at(SYSTEM_AREA + 1, 6) != _MAGIC + b"\1":
        return False
    return not (_is_empty(data) and any(data.read_at(place, 8) == _GPT for place in _GPT_PLACES))


def _is_empty(data: Data) -> bool:
    """Tell whether the root directory names nothing but itself, twice."""
    block = int.from_bytes(data.read_at(SYSTEM_AREA + 128, 2), "little")
    place = int.from_bytes(data.read_at(SYSTEM_AREA + 158, 4), "little") * block
    for _ in range(2):
        place += int.from_bytes(data.read_at(place, 1), "little")
    return data.read_at(place, 1) in (b"", b"\0")


def read_descriptors(data: Data) -> Descriptors:
    """Read up to the last descriptor. Raises UnreadableError where there is no primary one, or the image is cut."""
    primary: Volume | None = None
    joliet: Volume | None = None
    catalogue: int | None = None
    place = SYSTEM_AREA
    for place in range(SYSTEM_AREA, SYSTEM_AREA + _DESCRIPTORS_MAX * SECTOR, SECTOR):
        raw = data.read_at(place, SECTOR)
        if len(raw) < SECTOR:
            raise UnreadableError(f"the volume descriptors end at byte {data.size}: the image is cut")
        if raw[1:6] != _MAGIC:
            raise UnreadableError(f"the volume descriptor at byte {place} is damaged")
        if raw[0] == _END:
            break
        if raw[0] == _PRIMARY and primary is None:
            primary = _volume(place, raw, joliet=False)
        elif raw[0] == _SUPPLEMENTARY and raw[88:91] in _JOLIET and joliet is None:
            joliet = _volume(place, raw, joliet=True)
        elif raw[0] == _BOOT and raw[7:39].rstrip(b"\0") == _EL_TORITO:
            catalogue = int.from_bytes(raw[71:75], "little") * SECTOR
    if primary is None:
        raise UnreadableError("there is no primary volume descriptor")
    if primary.blocks * primary.block > data.size:
        raise UnreadableError(
            f"the volume ends at byte {primary.blocks * primary.block}, the file at byte {data.size}: the image is cut"
        )
    return Descriptors(primary=primary, joliet=joliet, catalogue=catalogue, end=place + SECTOR)


def facts(found: Descriptors) -> Iterator[Fact]:
    for volume, prefix in ((found.primary, ""), (found.joliet, "joliet_")):
        if volume is None:
            continue
        encoding = "utf-16-be" if volume.joliet else "latin-1"
        for name, offset, length in _STRINGS:
            value = volume.raw[offset : offset + length].decode(encoding, "replace").rstrip(" \0")
            yield Fact(name=prefix + name, value=value, places=((volume.place + offset, length),))
        for name, offset in _TIMES:
            value_of = moment(volume.raw[offset : offset + 17])
            yield Fact(name=prefix + name, value=value_of, places=((volume.place + offset, 17),))
        for name, offset, form, length in _NUMBERS:
            (number,) = struct.unpack_from(form, volume.raw, offset)
            yield Fact(name=prefix + name, value=number, places=((volume.place + offset, length),))
        used = volume.raw[883:1395].rstrip(b" \0")
        yield Fact(name=f"{prefix}application_use", value=used, places=((volume.place + 883, 512),))


@lru_cache(maxsize=256)  # a build writes nearly all within a few moments
def moment(raw: bytes) -> int | None:
    """Return a time of 17 characters or of 7 bytes in nanoseconds since the epoch, None where it is not set."""
    try:
        if len(raw) == 7:
            year, month, day, hour, minute, second = (1900 + raw[0], *raw[1:6])
            hundredths = 0
        else:
            digits = raw[:16].decode("ascii")
            year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
            hour, minute, second, hundredths = (int(digits[start : start + 2]) for start in (8, 10, 12, 14))
        seconds = timegm((year, month, day, hour, minute, second))
    except ValueError:
        return None
    zone = int.from_bytes(raw[-1:], "little", signed=True) * 15 * 60
    return (seconds - zone) * 10**9 + hundredths * 10**7


def _volume(place: int, raw: bytes, *, joliet: bool) -> Volume:
    (blocks,) = struct.unpack_from("<I", raw, 80)
    (block,) = struct.unpack_from("<H", raw, 128)
    first, size = struct.unpack_from("<I4xI", raw, 156 + 2)
    if block not in (512, 1024, 2048):
        raise UnreadableError(f"a volume with blocks of {block} bytes")
    return Volume(place=place, raw=raw, joliet=joliet, block=block, blocks=blocks, root=(first, size))
