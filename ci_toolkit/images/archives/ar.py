"""ar archives: Debian packages and static libraries, with long names of GNU's and of BSD's kind."""

from collections.abc import Iterator
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.ahead import Ahead
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import KIND_OF_MODE, Container, Entry, Fact, Kind, Region, text
from ci_toolkit.images.limits import MIB, Budget

_MAGIC: Final = b"!<arch>\n"
_HEADER: Final = 60
_END: Final = b"`\n"
_SYMBOLS: Final = (b"/", b"/SYM64/", b"__.SYMDEF", b"__.SYMDEF SORTED")
_LONG_NAMES: Final = b"//"
_BSD_NAME: Final = b"#1/"
_NAME_MAX: Final = 1 << 12
_TABLE_MAX: Final = 16 * MIB


def recognise(data: Data) -> bool:
    return data.read_at(0, len(_MAGIC)) == _MAGIC


def read(data: Data, budget: Budget) -> Container:
    """Read all members; the tables of symbols and of long names are regions.

    Raises UnreadableError for an archive that is damaged or cut.
    """
    entries: list[Entry] = []
    facts: list[Fact] = []
    regions: list[Region] = []
    table = b""
    for position, header, name, size in _headers(data):
        content = data.window(position + _HEADER, size)
        if name in _SYMBOLS:
            regions.append(Region(name="symbol table", data=content))
            facts.append(_symbol_time(header, position))
        elif name == _LONG_NAMES:
            if size > _TABLE_MAX:
                raise UnreadableError(f"a table of names of {size} bytes")
            budget.attribute(size)
            table = content.read_at(0, size)
            regions.append(Region(name="table of long names", data=content))
        else:
            entries.append(_entry(data, position, header, _name(name, table, content), content, budget))
    return Container(
        format="ar", entries=tuple(entries), facts=tuple(facts), regions=tuple(regions), remainder="headers"
    )


def _headers(data: Data) -> Iterator[tuple[int, bytes, bytes, int]]:
    """Yield where each header lies, the header, the name in it and the size of what follows."""
    position = len(_MAGIC)
    ahead = Ahead(data)
    while position < data.size:
        header = ahead.read_at(position, _HEADER)
        if len(header) < _HEADER:
            raise UnreadableError(f"the ar archive ends at byte {data.size}, inside a header: it is cut")
        if not header.endswith(_END):
            raise UnreadableError(f"there is no ar header at byte {position}")
        size = _number(header[48:58], 10)
        if position + _HEADER + size > data.size:
            raise UnreadableError(f"a member ends after byte {data.size}, the archive's last: it is cut")
        yield position, header, header[:16].rstrip(b" "), size
        # Members begin at even places.
        position += _HEADER + size + size % 2


def _entry(data: Data, position: int, header: bytes, name: tuple[bytes, int], content: Data, budget: Budget) -> Entry:
    raw, before = name
    path = text(raw)
    budget.member(path)
    if not raw or b"\0" in raw:
        raise UnreadableError(f"the member at byte {position} has no name")
    mode = _number(header[40:48], 8)
    return Entry(
        path=path,
        kind=Kind.FILE if KIND_OF_MODE.get(mode & 0o170000) is None else KIND_OF_MODE[mode & 0o170000],
        size=content.size - before,
        mode=mode & 0o7777,
        uid=_number(header[28:34], 10),
        gid=_number(header[34:40], 10),
        mtime_ns=_number(header[16:28], 10) * 1_000_000_000,
        record=(position, _HEADER + before),
        data=content.window(before, content.size - before),
    )


def _name(name: bytes, table: bytes, content: Data) -> tuple[bytes, int]:
    """Return a member's whole name, and how many bytes of it stand before the content."""
    if name.startswith(_BSD_NAME):
        size = _number(name[len(_BSD_NAME) :], 10)
        if size > min(_NAME_MAX, content.size):
            raise UnreadableError(f"a name of {size} bytes")
        return content.read_at(0, size).rstrip(b"\0"), size
    if name[:1] == b"/" and name[1:].isdigit():
        start = int(name[1:])
        # GNU ends them by a slash and a newline; there are archives with a zero byte instead.
        return table[start : start + _NAME_MAX].partition(b"\n")[0].partition(b"\0")[0].removesuffix(b"/"), 0
    return name.removesuffix(b"/"), 0


def _symbol_time(header: bytes, position: int) -> Fact:
    return Fact(name="symbol_table_time", value=_number(header[16:28], 10), places=((position + 16, 12),))


def _number(field: bytes, base: int) -> int:
    """Return a number padded with blanks; GNU's tables leave theirs blank altogether."""
    digits = field.rstrip(b" ")
    if not digits:
        return 0
    if not digits.isdigit():
        raise UnreadableError(f"{field.decode('ascii', 'replace')!r} in an ar header is no number")
    try:
        return int(digits, base)
    except ValueError as error:
        raise UnreadableError(f"{field.decode('ascii', 'replace')!r} in an ar header is no number") from error
