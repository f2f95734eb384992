"""LUKS, versions 1 and 2: what the headers of an encrypted volume tell; what it holds stays closed."""

import json
import struct
from collections.abc import Iterator
from typing import Any, Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Fact, Region, text
from ci_toolkit.images.limits import Budget

_MAGIC: Final = b"LUKS\xba\xbe"
_SECOND_MAGIC: Final = b"SKUL\xba\xbe"
_SECTOR: Final = 512
_BINARY: Final = 4096
_METADATA_MAX: Final = 4 << 20
_VALUES_MAX: Final = 4096
_DEPTH_MAX: Final = 8

# Texts, numbers and random bytes of version 1: name, offset, length.
_TEXTS_1: Final = (("cipher", 8, 32), ("cipher_mode", 40, 32), ("hash", 72, 32), ("uuid", 168, 40))
_NUMBERS_1: Final = (("payload_sector", 104), ("key_bytes", 108), ("digest_iterations", 164))
_RANDOM_1: Final = (("digest", 112, 20), ("digest_salt", 132, 32))
_SLOTS_1: Final = 8
_SLOT_1: Final = struct.Struct(">II32sII")
_ACTIVE: Final = 0x00AC71F3
_TEXTS_2: Final = (("label", 24, 48), ("checksum_algorithm", 72, 32), ("uuid", 168, 40), ("subsystem", 208, 48))


def recognise(data: Data) -> bool:
    return data.read_at(0, 8) in (_MAGIC + b"\0\1", _MAGIC + b"\0\2")


def read(data: Data, budget: Budget) -> Container:
    """Read the headers. Raises UnreadableError for those that cannot be believed or are cut."""
    facts, regions = _first(data) if data.read_at(7, 1) == b"\1" else _second(data, budget)
    # Where no slot is used, cryptsetup leaves random bytes.
    return Container(
        format="luks",
        entries=(),
        facts=tuple(facts),
        regions=tuple(regions),
        remainder="unused key slots",
        transparent=True,
    )


def _first(data: Data) -> tuple[list[Fact], list[Region]]:
    raw = _within(data, 0, 592, "the header")
    facts = [Fact(name="version", value=1, places=((6, 2),))]
    facts += [Fact(name=n, value=_text(raw[o : o + size]), places=((o, size),)) for n, o, size in _TEXTS_1]
    facts += [Fact(name=n, value=int.from_bytes(raw[o : o + 4], "big"), places=((o, 4),)) for n, o in _NUMBERS_1]
    facts += [Fact(name=n, value=raw[o : o + size].hex(), places=((o, size),)) for n, o, size in _RANDOM_1]
    regions = [Region(name="header", data=data.window(0, 592))]
    (key_bytes,) = struct.unpack_from(">I", raw, 108)
    payload = struct.unpack_from(">I", raw, 104)[0] * _SECTOR
    for number in range(_SLOTS_1):
        place = 208 + number * _SLOT_1.size
        active, iterations, salt, sector, stripes = _SLOT_1.unpack_from(raw, place)
        facts.append(Fact(name=f"keyslots.{number}.active", value=int(active == _ACTIVE), places=((place, 4),)))
        if active == _ACTIVE:
            name = f"keyslots.{number}"
            facts.append(Fact(name=f"{name}.iterations", value=iterations, places=((place + 4, 4),)))
            facts.append(Fact(name=f"{name}.salt", value=salt.hex(), places=((place + 8, 32),)))
            regions.append(_region(data, "key slots", sector * _SECTOR, key_bytes * stripes))
    return facts, [*regions, *_payload(data, payload)]


def _second(data: Data, budget: Budget) -> tuple[list[Fact], list[Region]]:
    raw = _within(data, 0, _BINARY, "the header")
    size, sequence = struct.unpack_from(">QQ", raw, 8)
    if not _BINARY < size <= _METADATA_MAX:
        raise UnreadableError("the header of the encrypted volume is damaged")
    budget.attribute(size)
    told = _metadata(_within(data, _BINARY, size - _BINARY, "the metadata"))
    second = data.read_at(size, _BINARY)[:6] == _SECOND_MAGIC
    copies = (0, size) if second else (0,)

    def places(offset: int, length: int) -> tuple[tuple[int, int], ...]:
        return tuple((copy + offset, length) for copy in copies)

    facts = [Fact(name="version", value=2, places=places(6, 2)), Fact(name="header_size", value=size)]
    facts.append(Fact(name="sequence", value=sequence, places=places(16, 8)))
    facts += [Fact(name=n, value=_text(raw[o : o + width]), places=places(o, width)) for n, o, width in _TEXTS_2]
    # Each copy has a salt and a checksum of its own.
    for copy, prefix in zip(copies, ("", "second_"), strict=False):
        header = data.read_at(copy, 512)
        facts.append(Fact(name=f"{prefix}header_salt", value=header[104:168].hex(), places=((copy + 104, 64),)))
        facts.append(Fact(name=f"{prefix}checksum", value=header[448:512].hex(), places=((copy + 448, 64),)))
    facts += [Fact(name=name, value=value) for name, value in _flattened(told, budget)]
    regions = [_region(data, "header", copy, _BINARY) for copy in copies]
    regions += [_region(data, "metadata", copy + _BINARY, size - _BINARY) for copy in copies]
    for slot in _objects(told, "keyslots"):
        regions.append(_region(data, "key slots", *_area(slot.get("area"))))
    for segment in _objects(told, "segments"):
        start, length = _area(segment)
        regions += _payload(data, start) if length == 0 else [_region(data, "encrypted payload", start, length)]
    return facts, [region for region in regions if region.data.size]


def _metadata(raw: bytes) -> dict[str, Any]:
    try:
        told = json.loads(raw.partition(b"\0")[0])
    except (ValueError, RecursionError) as error:
        raise UnreadableError("the metadata of the encrypted volume are damaged") from error
    if not isinstance(told, dict):
        raise UnreadableError("the metadata of the encrypted volume are damaged")
    return told


def _objects(told: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = told.get(key)
    return [one for one in found.values() if isinstance(one, dict)] if isinstance(found, dict) else []


def _area(found: object) -> tuple[int, int]:
    """Return the offset and the size of an area, 0 for a size that follows from the device."""
    if not isinstance(found, dict):
        raise UnreadableError("the metadata of the encrypted volume are damaged")
    offset, size = str(found.get("offset")), str(found.get("size"))
    if not _is_number(offset) or not (_is_number(size) or size == "dynamic"):
        raise UnreadableError("the metadata of the encrypted volume are damaged")
    return int(offset), 0 if size == "dynamic" else int(size)


def _is_number(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 20


def _flattened(told: dict[str, Any], budget: Budget) -> Iterator[tuple[str, int | str]]:
    """Yield every value of the metadata under the names on the way to it."""
    pending: list[tuple[tuple[str, ...], object]] = [((), told)]
    count = 0
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict | list) and len(path) < _DEPTH_MAX:
            items = value.items() if isinstance(value, dict) else enumerate(value)
            pending += [((*path, str(key)), one) for key, one in items][::-1]
            continue
        # One long name may lead to many values.
        budget.attribute(sum(map(len, path)))
        name = ".".join(path)
        count += 1
        if count > _VALUES_MAX:
            raise UnreadableError(f"the metadata of the encrypted volume hold more than {_VALUES_MAX} values")
        yield name, value if isinstance(value, int | str) else json.dumps(value)


def _payload(data: Data, start: int) -> list[Region]:
    # A header that was kept apart has no payload behind it.
    return [_region(data, "encrypted payload", start, data.size - start)] if start else []


def _region(data: Data, name: str, offset: int, length: int) -> Region:
    if offset + length > data.size or length < 0:
        raise UnreadableError(
            f"the {name} of the encrypted volume end at byte {max(offset, offset + length)}, "
            f"the image at byte {data.size}: the image is cut"
        )
    return Region(name=name, data=data.window(offset, length))


def _within(data: Data, offset: int, length: int, what: str) -> bytes:
    found = data.read_at(offset, length) if offset < data.size else b""
    if len(found) < length:
        raise UnreadableError(
            f"{what} of the encrypted volume ends at byte {offset + length}, the image at byte {data.size}: "
            "the image is cut"
        )
    return found


def _text(raw: bytes) -> str:
    return text(raw.partition(b"\0")[0])
