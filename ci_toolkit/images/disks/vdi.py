"""VDI: VirtualBox's own disk images, of blocks that were written so far or of all of them."""

import struct
from array import array
from typing import Final
from uuid import UUID

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.disks import disk
from ci_toolkit.images.disks.disk import within
from ci_toolkit.images.entry import Container, Fact, Region
from ci_toolkit.images.limits import Budget

_MAGIC: Final = b"\x7f\x10\xda\xbe"
_HEADER: Final = 512
_FIELDS: Final = (
    ("version", 68, "<I"),
    ("image_type", 76, "<I"),
    ("image_flags", 80, "<I"),
    ("map_offset", 340, "<I"),
    ("data_offset", 344, "<I"),
    ("sector_size", 360, "<I"),
    ("disk_size", 368, "<Q"),
    ("block_size", 376, "<I"),
    ("block_extra", 380, "<I"),
    ("blocks", 384, "<I"),
    ("blocks_allocated", 388, "<I"),
)
_UUIDS: Final = (("uuid", 392), ("snapshot_uuid", 408), ("link_uuid", 424), ("parent_uuid", 440))
_TYPES: Final = {1: "dynamic", 2: "fixed", 3: "undo", 4: "difference"}
# These two values mean a block that was never written, or one that is all zeros.
_ZERO: Final = 0xFFFF_FFFE


def recognise(data: Data) -> bool:
    return data.read_at(64, 4) == _MAGIC


def read(data: Data, budget: Budget) -> Container:
    """Read the map of blocks. Raises UnreadableError for one that cannot be believed or is cut."""
    raw = within(data, 0, _HEADER, "the header")
    values = {name: struct.unpack_from(form, raw, offset)[0] for name, offset, form in _FIELDS}
    size, block, count = values["disk_size"], values["block_size"], values["blocks"]
    if values["version"] != 0x10001 or not 512 <= block <= 1 << 30 or count * block < size:
        raise UnreadableError("the header of the disk image is damaged")
    budget.attribute(count * 4)
    blocks = array("I", within(data, values["map_offset"], count * 4, "the map of blocks"))
    stride = block + values["block_extra"]
    kind = _TYPES.get(values["image_type"], str(values["image_type"]))
    refused = "" if kind in ("dynamic", "fixed") else f"the disk image is of the kind {kind}: it builds on another one"
    inside = None
    if not refused:
        base = values["data_offset"] + values["block_extra"]
        pieces = [(n * block, block, base + at * stride) for n, at in enumerate(blocks) if at < _ZERO]
        inside = disk.assembled(data, pieces, size)
    return disk.container("vdi", inside, budget, _facts(raw, values, kind), _regions(data, values), refused)


def _facts(raw: bytes, values: dict[str, int], kind: str) -> list[Fact]:
    creator = raw[:64].partition(b"\0")[0].decode("latin-1").strip()
    found = [Fact(name="creator", value=creator, places=((0, 64),))]
    for name, offset, form in _FIELDS:
        value = kind if name == "image_type" else values[name]
        found.append(Fact(name=name, value=value, places=((offset, struct.calcsize(form)),)))
    for name, offset in _UUIDS:
        found.append(Fact(name=name, value=str(UUID(bytes_le=raw[offset : offset + 16])), places=((offset, 16),)))
    return found


def _regions(data: Data, values: dict[str, int]) -> list[Region]:
    return disk.spots(data, "header", [(0, _HEADER)]) + disk.spots(
        data, "block map", [(values["map_offset"], values["blocks"] * 4)]
    )
