"""cpio archives of the new and the old ASCII form and of the binary one, several in a row included, as in initrds."""

import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.ahead import Ahead
from ci_toolkit.images.archives.padding import zeros
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import KIND_OF_MODE, Container, Entry, Fact, Kind, text
from ci_toolkit.images.limits import Budget

_NEW: Final = (b"070701", b"070702")
_OLD: Final = b"070707"
_NEW_SIZE: Final = 110
_NUMBERS: Final = struct.Struct(">13I")
_OLD_SIZE: Final = 76
# The binary form is of 16-bit words in the order of their machine; numbers of two words have the high one first.
_BINARY: Final = {b"\xc7\x71": struct.Struct("<13H"), b"\x71\xc7": struct.Struct(">13H")}
_BINARY_SIZE: Final = 26
_MODE_AT: Final = 3
_NAME_SIZE_AT: Final = 10
_TRAILER: Final = "TRAILER!!!"
_NAME_MAX: Final = 1 << 16
# Header and most names come with one read.
_GLIMPSE: Final = 512


# Device and inode number.
_File = tuple[tuple[int, int], int]


class _Member(NamedTuple):
    """One header, decoded; `start` is where it lies, `content` where its bytes begin, `end` where the next one may."""

    name: str
    ino: int
    mode: int
    uid: int
    gid: int
    links: int
    mtime: int
    size: int
    device: tuple[int, int]
    origin: tuple[int, int]
    start: int
    content: int
    end: int


class Known(NamedTuple):
    """An entry, and where its header begins and the next one may."""

    entry: Entry
    start: int
    end: int


def recognise(data: Data) -> bool:
    return _begins(data, 0)


def read(data: Data, budget: Budget) -> Container:
    """Read all members; what follows the last archive, compressed or not, becomes a member without a name.

    Raises UnreadableError for an archive that is damaged or cut.
    """
    return read_beside(data, budget, lambda _position: None, lambda _known: None)


def read_beside(
    data: Data, budget: Budget, known: Callable[[int], Known | None], note: Callable[[Known], None]
) -> Container:
    """Read all members as `read` does, but for those that are KNOWN to begin at a position; NOTE what may be known.

    Of a hard link more is to be known than lies in its own bytes, and of a trailer what follows it.
    """
    entries: list[Entry] = []
    links = _Links()
    ahead = Ahead(data)
    position = 0
    rest = data.size
    while True:
        again = known(position)
        if again is not None:
            budget.member(again.entry.path)
            if again.entry.kind is Kind.SYMLINK:
                budget.attribute(again.entry.size)
            entries.append(again.entry)
            position = again.end
            continue
        start = position
        member = _member(ahead, data.size, position)
        position = member.end
        # Trailers too: there may be millions of archives with nothing in them.
        budget.member(member.name)
        if member.name != _TRAILER:
            entry = _entry(data, member, budget)
            if member.links > 1 and entry.kind is Kind.FILE:
                links.note(len(entries), member, entry)
            else:
                note(Known(entry, start, member.end))
            entries.append(entry)
            continue
        # Inode numbers begin anew with each archive.
        links.settle(entries)
        rest = member.content + zeros(data, member.content)
        position = rest
        if rest == data.size or not _begins(data, rest):
            break
    if rest < data.size:
        entries.append(
            Entry(path="", kind=Kind.STREAM, size=data.size - rest, data=data.window(rest, data.size - rest))
        )
    return Container(format="cpio", entries=tuple(entries), remainder="headers")


def _begins(data: Data, position: int) -> bool:
    """Tell whether an archive begins at POSITION; of the binary form by all of its header, not by two bytes."""
    raw = data.read_at(position, _BINARY_SIZE)
    if raw[:6] in (*_NEW, _OLD):
        return True
    if raw[:2] not in _BINARY or len(raw) < _BINARY_SIZE:
        return False
    fields = _BINARY[raw[:2]].unpack(raw)
    name = data.read_at(position + _BINARY_SIZE, fields[_NAME_SIZE_AT])
    has_type = fields[_MODE_AT] & 0o170000 in KIND_OF_MODE or name == f"{_TRAILER}\0".encode()
    return has_type and 0 < name.find(b"\0") == len(name) - 1


class _Links:
    """Hard links of one archive: of those to one file only one need carry the bytes; the old form repeats them."""

    def __init__(self) -> None:
        self._carriers: dict[_File, Entry] = {}
        self._without: list[tuple[int, _File]] = []

    def note(self, index: int, member: _Member, entry: Entry) -> None:
        file = member.origin, member.ino
        if member.size:
            self._carriers[file] = entry
        else:
            self._without.append((index, file))

    def settle(self, entries: list[Entry]) -> None:
        """Give those without bytes the ones of their file, and forget the archive."""
        for index, file in self._without:
            if (carrier := self._carriers.get(file)) is not None:
                entries[index] = entries[index]._replace(size=carrier.size, data=carrier.data)
        self._carriers.clear()
        self._without.clear()


def _entry(data: Data, member: _Member, budget: Budget) -> Entry:
    kind = KIND_OF_MODE.get(member.mode & 0o170000)
    if kind is None:
        raise UnreadableError(f"member {member.name!r} has no type")
    content = data.window(member.content, member.size)
    if kind is Kind.SYMLINK:
        if member.size > _NAME_MAX:
            raise UnreadableError(f"a symbolic link of {member.size} bytes")
        budget.attribute(member.size)
    return Entry(
        path=member.name,
        kind=kind,
        size=member.size,
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        mtime_ns=member.mtime * 1_000_000_000,
        target=text(content.read_at(0, member.size)) if kind is Kind.SYMLINK else None,
        device=member.device if kind in (Kind.CHARACTER, Kind.BLOCK) else None,
        inode=member.ino,
        facts=(Fact(name="link_count", value=member.links),) if member.links > 1 and kind is Kind.FILE else (),
        record=(member.start, member.content - member.start),
        data=content if kind is Kind.FILE else None,
    )


def _member(ahead: Ahead, end: int, position: int) -> _Member:
    """Decode the header at POSITION of an archive that ends at END."""
    raw = ahead.read_at(position, _GLIMPSE)
    magic = raw[:6]
    try:
        if magic in _NEW and len(raw) >= _NEW_SIZE:
            return _within(_new(ahead, raw, position), end)
        if magic == _OLD and len(raw) >= _OLD_SIZE:
            return _within(_old(ahead, raw, position), end)
        if magic[:2] in _BINARY and len(raw) >= _BINARY_SIZE:
            return _within(_binary(ahead, raw, position), end)
    except ValueError as error:
        raise UnreadableError(f"the cpio header at byte {position} is damaged") from error
    if len(raw) < (_BINARY_SIZE if magic[:2] in _BINARY else _OLD_SIZE):
        raise UnreadableError(f"the cpio archive ends at byte {end}, before its trailer: it is cut")
    raise UnreadableError(f"there is no cpio header at byte {position}")


def _new(ahead: Ahead, raw: bytes, position: int) -> _Member:
    fields = raw[6:_NEW_SIZE]
    # Without this, signs and blanks would pass for numbers, and negative sizes lead backwards.
    if not fields.isalnum():
        raise ValueError
    ino, mode, uid, gid, links, mtime, size, major, minor, device_major, device_minor, name_size, _ = _NUMBERS.unpack(
        bytes.fromhex(fields.decode("ascii"))
    )
    name = _name(ahead, raw, position, _NEW_SIZE, name_size)
    content = position + _NEW_SIZE + name_size + 3 & ~3
    return _Member(
        name=name, ino=ino, mode=mode, uid=uid, gid=gid, links=links, mtime=mtime, size=size,
        device=(device_major, device_minor), origin=(major, minor),
        start=position, content=content, end=content + size + 3 & ~3,
    )  # fmt: skip


def _old(ahead: Ahead, raw: bytes, position: int) -> _Member:
    if not raw[6:_OLD_SIZE].isdigit():
        raise ValueError
    widths = (6, 6, 6, 6, 6, 6, 6, 11, 6, 11)
    values = []
    start = 6
    for width in widths:
        values.append(int(raw[start : start + width], 8))
        start += width
    origin, ino, mode, uid, gid, links, device, mtime, name_size, size = values
    name = _name(ahead, raw, position, _OLD_SIZE, name_size)
    content = position + _OLD_SIZE + name_size
    return _Member(
        name=name, ino=ino, mode=mode, uid=uid, gid=gid, links=links, mtime=mtime, size=size,
        device=(device >> 8, device & 0xFF), origin=(origin >> 8, origin & 0xFF),
        start=position, content=content, end=content + size,
    )  # fmt: skip


def _binary(ahead: Ahead, raw: bytes, position: int) -> _Member:
    (
        _, origin, ino, mode, uid, gid, links, device, mtime_high, mtime, name_size, size_high, size,
    ) = _BINARY[raw[:2]].unpack_from(raw)  # fmt: skip
    size |= size_high << 16
    name = _name(ahead, raw, position, _BINARY_SIZE, name_size)
    # Names and contents fill up whole words.
    content = position + _BINARY_SIZE + name_size + name_size % 2
    return _Member(
        name=name, ino=ino, mode=mode, uid=uid, gid=gid, links=links, mtime=mtime_high << 16 | mtime, size=size,
        device=(device >> 8, device & 0xFF), origin=(origin >> 8, origin & 0xFF),
        start=position, content=content, end=content + size + size % 2,
    )  # fmt: skip


def _within(member: _Member, end: int) -> _Member:
    if member.content + member.size > end and member.name != _TRAILER:
        raise UnreadableError(f"member {member.name!r} ends after byte {end}, where the archive ends: it is cut")
    return member


def _name(ahead: Ahead, raw: bytes, position: int, header: int, size: int) -> str:
    if not 0 < size <= _NAME_MAX:
        raise UnreadableError(f"the cpio header at byte {position} is damaged")
    name = raw[header : header + size] if header + size <= len(raw) else ahead.read_at(position + header, size)
    if len(name) < size:
        raise UnreadableError(
            f"the cpio archive ends at byte {position + header + len(name)}, inside a name: it is cut"
        )
    return text(name.rstrip(b"\0"))
