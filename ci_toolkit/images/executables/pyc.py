"""Python's byte code: the header that names its source, and the code. The code is never loaded."""

from typing import Final

from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Fact, Kind
from ci_toolkit.images.limits import Budget

_HEADER: Final = 16
# Since Python 3.7, when the header got flags; each release counts its magic number up.
_FIRST_MAGIC: Final = 3390
_LAST_MAGIC: Final = 4999
_HASHED: Final = 1
_FLAGS: Final = (0, 1, 3)
# The one object in it is a code object, with the mark of something that is referred to or without.
_CODE: Final = (0x63, 0xE3)


def recognise(data: Data) -> bool:
    head = data.read_at(0, _HEADER + 1)
    return (
        len(head) == _HEADER + 1
        and head[2:4] == b"\r\n"
        and _FIRST_MAGIC <= int.from_bytes(head[:2], "little") <= _LAST_MAGIC
        and int.from_bytes(head[4:8], "little") in _FLAGS
        and head[_HEADER] in _CODE
    )


def read(data: Data, budget: Budget) -> Container:
    """Read the header; the code is one member, looked at as bytes alone."""
    budget.member("code")
    head = data.read_at(0, _HEADER)
    flags = int.from_bytes(head[4:8], "little")
    source: tuple[Fact, ...]
    if flags & _HASHED:
        source = (Fact(name="source_hash", value=head[8:].hex(), places=((8, 8),)),)
    else:
        source = (
            Fact(name="source_mtime", value=int.from_bytes(head[8:12], "little"), places=((8, 4),)),
            Fact(name="source_size", value=int.from_bytes(head[12:], "little"), places=((12, 4),)),
        )
    size = data.size - _HEADER
    return Container(
        format="pyc",
        entries=(Entry(path="code", kind=Kind.SECTION, size=size, data=data.window(_HEADER, size)),),
        facts=(
            Fact(name="magic", value=int.from_bytes(head[:2], "little"), places=((0, 2),)),
            Fact(name="flags", value=flags, places=((4, 4),)),
            *source,
        ),
        remainder="header",
    )
