"""systemd's database of hardware: what is known of each device, and which file says so."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.databases import lines
from ci_toolkit.images.entry import Container, Fact, text
from ci_toolkit.images.limits import MIB, Budget

_MAGIC: Final = b"KSLPHHRH"
_HEADER: Final = struct.Struct("<8sQQQQQQQQQ")
_NODE: Final = struct.Struct("<QB7xQ")
_CHILD: Final = struct.Struct("<B7xQ")
_VALUE: Final = struct.Struct("<QQ")
_SOURCE: Final = struct.Struct("<QIH")
_SIZE_MAX: Final = 128 * MIB
_NAME_MAX: Final = 64 << 10
_MATCH_MAX: Final = 4096


class _Shape(NamedTuple):
    """The bytes of a database, and the sizes of its parts."""

    raw: bytes
    node: int
    child: int
    value: int


def recognise(data: Data) -> bool:
    return data.read_at(0, len(_MAGIC)) == _MAGIC


def read(data: Data, budget: Budget) -> Container:
    """Read all matches in the order of the tree. Raises UnreadableError when it is damaged or cut."""
    if data.size > _SIZE_MAX:
        raise UnreadableError(f"a hardware database of {data.size} bytes")
    budget.attribute(data.size)
    raw = data.read_at(0, data.size)
    if len(raw) < _HEADER.size:
        raise UnreadableError("the header of the hardware database is cut")
    _, version, size, _, node, child, value, root, nodes, _ = _HEADER.unpack_from(raw)
    if size != len(raw):
        raise UnreadableError(f"the hardware database has {size} bytes, of which {len(raw)} are there: it is cut")
    if node < _NODE.size or child < _CHILD.size or value < _VALUE.size:
        raise UnreadableError("the hardware database has parts of another size")
    try:
        found = lines.entry(
            "matches", _matches(_Shape(raw, node, child, value), root, min(nodes, size) // node, budget), budget
        )
    except (struct.error, OverflowError) as error:
        raise UnreadableError("the hardware database is damaged") from error
    return Container(
        format="hwdb",
        entries=(found,),
        facts=(
            Fact(name="systemd_version", value=version, places=((8, 8),)),
            Fact(name="value_size", value=value, places=((48, 8),)),
        ),
        remainder="records of matches",
    )


def _matches(shape: _Shape, root: int, count: int, budget: Budget) -> Iterator[str]:
    """Yield what each node says; COUNT is how many nodes there are, and a circle would come to more."""
    pending = [(root, b"")]
    while pending:
        count -= 1
        if count < 0:
            raise UnreadableError("the hardware database is damaged: its tree leads round in a circle")
        budget.stream()
        offset, before = pending.pop()
        prefix, children, values = _NODE.unpack_from(shape.raw, offset)
        match = before + _string(shape.raw, prefix)
        if len(match) > _MATCH_MAX:
            raise UnreadableError(f"a match of {len(match)} bytes")
        position = offset + shape.node
        following = []
        for place in range(position, position + children * shape.child, shape.child):
            letter, node = _CHILD.unpack_from(shape.raw, place)
            following.append((node, match + bytes((letter,))))
        pending += reversed(following)
        position += children * shape.child
        if values:
            yield f"{_printed(match)}\n"
            for place in range(position, position + values * shape.value, shape.value):
                yield _value(shape, place)


def _value(shape: _Shape, place: int) -> str:
    key, value = _VALUE.unpack_from(shape.raw, place)
    # Keys begin with a blank, as in the sources.
    written = f"{_printed(_string(shape.raw, key))}={_printed(_string(shape.raw, value))}"
    if shape.value < _VALUE.size + _SOURCE.size:
        return f"{written}\n"
    source, line, _ = _SOURCE.unpack_from(shape.raw, place + _VALUE.size)
    return f"{written}  ({_printed(_string(shape.raw, source))}:{line})\n"


def _string(raw: bytes, start: int) -> bytes:
    end = raw.find(0, start, start + _NAME_MAX)
    return raw[start:end] if end >= 0 else raw[start : start + _NAME_MAX]


def _printed(name: bytes) -> str:
    return text(name).replace("\n", "\\n")
