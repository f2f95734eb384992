"""Where a zip archive keeps its members: the records at its end, the central directory, and the extra fields."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.ahead import Ahead
from ci_toolkit.images.data import Data
from ci_toolkit.images.limits import KIB, MIB, Budget

END: Final = b"PK\5\6"
LOCAL: Final = b"PK\3\4"
_CENTRAL: Final = b"PK\1\2"
_END64: Final = b"PK\6\6"
_LOCATOR64: Final = b"PK\6\7"

_END_FIELDS: Final = struct.Struct("<4sHHHHIIH")
_END64_FIELDS: Final = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR64_FIELDS: Final = struct.Struct("<4sIQI")
_CENTRAL_FIELDS: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_LOCAL_FIELDS: Final = struct.Struct("<4sHHHHHIIIHH")
_COMMENT_MAX: Final = (1 << 16) - 1
_FULL: Final = 0xFFFFFFFF
_DIRECTORY_MAX: Final = 256 * MIB
# A member's own record, and what unpacks it.
_MEMBER_BYTES: Final = KIB
_NONE: Final[Mapping[int, bytes]] = MappingProxyType({})
# Between 1601 and 1970, in units of 100 nanoseconds.
_NTFS_EPOCH: Final = 116_444_736_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What the records at the end say; `start` is where they begin, `shift` the bytes before the archive."""

    start: int
    directory: int
    size: int
    count: int
    comment: bytes
    comment_at: int
    shift: int


class Member(NamedTuple):
    """One record of the central directory, `record` being where it lies, and its local header at `local`."""

    name: bytes
    record: tuple[int, int]
    local: int
    content: int
    system: int
    version: int
    flags: int
    method: int
    checksum: int
    compressed: int
    size: int
    internal: int
    external: int
    dos_time: int | None
    comment: bytes
    extra: Mapping[int, bytes] = _NONE
    local_extra: Mapping[int, bytes] = _NONE


def find_end(data: Data) -> End:
    """Find the records at the end. Raises UnreadableError where there are none, or no sensible ones."""
    size = min(data.size, _END_FIELDS.size + _COMMENT_MAX)
    tail = data.read_at(data.size - size, size)
    place = len(tail)
    while (place := tail.rfind(END, 0, place + len(END) - 1)) >= 0:
        if place + _END_FIELDS.size + int.from_bytes(tail[place + 20 : place + 22], "little") == len(tail):
            return _end(data, data.size - size + place, tail[place:])
    raise UnreadableError("the zip archive has no directory at its end: it is cut")


def _end(data: Data, start: int, raw: bytes) -> End:
    _, _, _, _, count, size, offset, _ = _END_FIELDS.unpack_from(raw)
    comment_at = start + _END_FIELDS.size
    locator = data.read_at(max(0, start - _LOCATOR64_FIELDS.size), _LOCATOR64_FIELDS.size)
    if start >= _LOCATOR64_FIELDS.size and locator[:4] == _LOCATOR64:
        start, count, size, offset = _wide(data, start - _LOCATOR64_FIELDS.size, locator)
    elif offset == _FULL:
        # zip(1) forgets the wide record where it writes to a pipe.
        offset = start - size
    directory = start - size
    if directory < 0 or offset > directory or size > _DIRECTORY_MAX:
        raise UnreadableError(
            f"the directory of the zip archive has {size} bytes, and there are {start} before its end"
        )
    return End(
        start=start, directory=directory, size=size, count=count,
        comment=raw[_END_FIELDS.size :], comment_at=comment_at, shift=directory - offset,
    )  # fmt: skip


def _wide(data: Data, locator_at: int, locator: bytes) -> tuple[int, int, int, int]:
    """Return where the wide record lies, with its count, size and offset of the directory."""
    # Where something was put in front of the archive, the locator's offset is off; the record comes just before it.
    for place in (_LOCATOR64_FIELDS.unpack(locator)[2], locator_at - _END64_FIELDS.size):
        raw = data.read_at(place, _END64_FIELDS.size) if 0 <= place < locator_at else b""
        if len(raw) == _END64_FIELDS.size and raw[:4] == _END64:
            count, size, offset = _END64_FIELDS.unpack(raw)[7:]
            return place, count, size, offset
    raise UnreadableError("the wide record at the end of the zip archive is missing")


def members(data: Data, end: End, budget: Budget) -> Iterator[Member]:
    """Yield all members. Raises UnreadableError for a directory that is damaged."""
    position = end.directory
    last = end.directory + end.size
    records, headers = Ahead(data), Ahead(data)
    for _ in range(end.count):
        raw = records.read_at(position, _CENTRAL_FIELDS.size)
        if len(raw) < _CENTRAL_FIELDS.size or raw[:4] != _CENTRAL or position >= last:
            raise UnreadableError(f"there is no record of the zip directory at byte {position}")
        fields = _CENTRAL_FIELDS.unpack(raw)
        lengths = fields[10:13]
        size = _CENTRAL_FIELDS.size + sum(lengths)
        rest = records.read_at(position + _CENTRAL_FIELDS.size, sum(lengths))
        if len(rest) < sum(lengths):
            raise UnreadableError(f"the zip directory is cut at byte {data.size}")
        name, extra = rest[: lengths[0]], rest[lengths[0] : lengths[0] + lengths[1]]
        budget.member(name.decode("latin-1"), len(extra) + lengths[2] + _MEMBER_BYTES)
        yield _member(headers, end, fields, (position, size), name, extra, rest[lengths[0] + lengths[1] :])
        position += size


def _member(
    headers: Ahead,
    end: End,
    fields: tuple[int, ...],
    record: tuple[int, int],
    name: bytes,
    extra: bytes,
    comment: bytes,
) -> Member:
    _, made, _, flags, method, time, date, checksum, compressed, size, _, _, _, _, internal, external, local = fields
    extras = _extras(extra)
    wide = _wide_numbers(extras)
    # Of the three, the wide field holds those that do not fit, in this order.
    size = next(wide, size) if size == _FULL else size
    compressed = next(wide, compressed) if compressed == _FULL else compressed
    local = (next(wide, local) if local == _FULL else local) + end.shift
    header = headers.read_at(local, _LOCAL_FIELDS.size)
    if len(header) < _LOCAL_FIELDS.size or header[:4] != LOCAL:
        raise UnreadableError(f"there is no header of a zip member at byte {local}")
    name_size, extra_size = _LOCAL_FIELDS.unpack(header)[9:]
    local_extra = headers.read_at(local + _LOCAL_FIELDS.size + name_size, extra_size)
    content = local + _LOCAL_FIELDS.size + name_size + extra_size
    if content + compressed > end.directory:
        raise UnreadableError(f"a zip member ends at byte {content + compressed}, inside the directory")
    return Member(
        name=name, record=record, local=local, content=content, system=made >> 8, version=made & 0xFF, flags=flags,
        method=method, checksum=checksum, compressed=compressed, size=size, internal=internal, external=external,
        dos_time=_dos_time(date, time), comment=comment, extra=extras, local_extra=_extras(local_extra),
    )  # fmt: skip


def _extras(raw: bytes) -> Mapping[int, bytes]:
    if not raw:
        return _NONE
    found: dict[int, bytes] = {}
    position = 0
    while position + 4 <= len(raw):
        kind, size = struct.unpack_from("<HH", raw, position)
        found[kind] = raw[position + 4 : position + 4 + size]
        position += 4 + size
    return found


def _wide_numbers(extras: Mapping[int, bytes]) -> Iterator[int]:
    raw = extras.get(1, b"")
    return (number for (number,) in struct.iter_unpack("<Q", raw[: len(raw) & ~7]))


@lru_cache(maxsize=256)  # a build writes nearly all within a few moments
def _dos_time(date: int, time: int) -> int | None:
    """Return the local time of DOS in nanoseconds, as if it were UTC; None for no time at all."""
    try:
        stamp = datetime(
            1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31) * 2, tzinfo=UTC
        )
    except ValueError:
        return None
    return int(stamp.timestamp()) * 1_000_000_000


def unix_times(member: Member) -> dict[str, int]:
    """Return the times that the extra fields hold, in nanoseconds, as far as they have any."""
    found: dict[str, int] = {}
    ntfs = member.extra.get(0x000A, member.local_extra.get(0x000A, b""))
    if len(ntfs) >= 32 and ntfs[4:8] == b"\1\0\x18\0":
        for name, value in zip(("mtime", "atime", "crtime"), struct.unpack_from("<QQQ", ntfs, 8), strict=True):
            found[name] = (value - _NTFS_EPOCH) * 100
    old = member.local_extra.get(0x5855, b"")
    if len(old) >= 8:
        atime, mtime = struct.unpack_from("<ii", old)
        found |= {"mtime": mtime * 1_000_000_000, "atime": atime * 1_000_000_000}
    for raw in (member.extra.get(0x5455, b""), member.local_extra.get(0x5455, b"")):
        position = 1
        for bit, name in enumerate(("mtime", "atime", "crtime")):
            if raw and raw[0] >> bit & 1 and len(raw) >= position + 4:
                found[name] = struct.unpack_from("<i", raw, position)[0] * 1_000_000_000
                position += 4
    return found


def owners(member: Member) -> tuple[int | None, int | None]:
    """Return user and group, which only local headers hold."""
    # Version, then size and value of either number.
    raw = member.local_extra.get(0x7875, b"")
    uid_size = raw[1] if len(raw) > 2 else len(raw)
    gid = raw[2 + uid_size :]
    if gid and len(gid) > gid[0]:
        return int.from_bytes(raw[2 : 2 + uid_size], "little"), int.from_bytes(gid[1 : 1 + gid[0]], "little")
    old = member.local_extra.get(0x5855, member.local_extra.get(0x7855, b""))
    if len(old) in (4, 12):
        short: tuple[int, int] = struct.unpack("<HH", old[-4:])
        return short
    return None, None
