"""zip archives, and what is one under another name: jar, whl, zipapp, epub."""

from collections.abc import Collection, Iterator
from typing import Final

from ci_toolkit.images.archives import zip_directory
from ci_toolkit.images.archives.inflated import Inflated, Recent, starter
from ci_toolkit.images.archives.zip_directory import Member, find_end, members, owners, unix_times
from ci_toolkit.images.data import Data, whole
from ci_toolkit.images.entry import Container, Entry, Fact, Kind, Region, text
from ci_toolkit.images.limits import Budget

# What zip read from a pipe is a FIFO by its mode, and a file by all else.
_KINDS: Final = {0o120000: Kind.SYMLINK, 0o040000: Kind.DIRECTORY}
_UNIX: Final = (3, 19)
_STORED: Final = 0
_ENCRYPTED: Final = 1
# How hard the compressor tried, in bits of the flags.
_LEVEL: Final = 6
_NAME_MAX: Final = 1 << 12
_END_SIZE: Final = 22

# Offset and length.
Span = tuple[int, int]


def recognise(data: Data) -> bool:
    """Tell by the beginning, or where a script stands in front, as in a zipapp, by the end."""
    head = data.read_at(0, 4)
    return head in (zip_directory.LOCAL, zip_directory.END) or (
        head[:2] == b"#!" and data.size > _END_SIZE and data.read_at(data.size - _END_SIZE, 4) == zip_directory.END
    )


def read(data: Data, budget: Budget) -> Container:
    """Read the directory; members are unpacked when they are read, and compared as they are where that is not known.

    Raises UnreadableError for an archive that is damaged or cut.
    """
    end = find_end(data)
    entries: list[Entry] = []
    skipped: list[tuple[str, str]] = []
    first = end.directory
    recent = Recent()
    headers: list[Span] = []
    packed: list[Span] = []
    for member in members(data, end, budget):
        first = min(first, member.local)
        headers.append((member.local, member.content - member.local))
        if member.method != _STORED and member.compressed:
            packed.append((member.content, member.compressed))
        if b"\0" in member.name:
            skipped.append((text(member.name), "its name has a zero byte in it"))
        else:
            entries.append(_entry(data, member, recent, budget))
    regions: tuple[tuple[str, list[Span]], ...] = (
        ("script before the archive", [(0, first)]),
        ("local headers", headers),
        ("compressed data", packed),
        ("central directory headers", [(end.directory, end.size)]),
        ("end of the directory", [(end.start, end.comment_at - end.start)]),
    )
    return Container(
        format="zip",
        entries=tuple(entries),
        facts=(Fact(name="comment", value=end.comment, places=((end.comment_at, len(end.comment)),)),),
        regions=tuple(
            Region(name=name, data=data.gathered(spans))
            for name, spans in regions
            if any(length for _, length in spans)
        ),
        remainder="headers between members",
        skipped=tuple(skipped),
    )


def _entry(data: Data, member: Member, recent: Recent, budget: Budget) -> Entry:
    content = _content(data, member, recent, budget)
    mode = member.external >> 16 if member.system in _UNIX else 0
    name = text(member.name)
    kind = Kind.DIRECTORY if name.endswith("/") else _KINDS.get(mode & 0o170000, Kind.FILE)
    times = unix_times(member)
    uid, gid = owners(member)
    others = [(name, stamp) for name, stamp in times.items() if name != "mtime"]
    if "mtime" in times and member.dos_time is not None:
        others.append(("dos_time", member.dos_time))
    is_link = kind is Kind.SYMLINK and content.size <= _NAME_MAX
    if is_link:
        budget.attribute(content.size)
    return Entry(
        path=name,
        kind=Kind.FILE if kind is Kind.SYMLINK and not is_link else kind,
        size=0 if kind is Kind.DIRECTORY else content.size,
        mode=mode & 0o7777 if mode else None,
        uid=uid,
        gid=gid,
        mtime_ns=times.get("mtime", member.dos_time),
        target=text(content.read_at(0, content.size)) if is_link else None,
        times=tuple(others),
        facts=_Facts(member),
        record=member.record,
        data=None if kind is Kind.DIRECTORY or is_link else content,
    )


def _content(data: Data, member: Member, recent: Recent, budget: Budget) -> Data:
    packed = data.window(member.content, member.compressed)
    start = starter(member.method)
    if start is None or member.flags & _ENCRYPTED or member.size == member.compressed == 0:
        return packed
    return whole(Inflated(packed, member.size, start, recent, budget))


class _Facts(Collection[Fact]):
    """What the headers say of one member, put together when it is asked for: an archive may have very many."""

    __slots__ = ("_member",)

    def __init__(self, member: Member) -> None:
        self._member = member

    def __iter__(self) -> Iterator[Fact]:
        return iter(_facts(self._member))

    def __len__(self) -> int:
        return len(_facts(self._member))

    def __contains__(self, fact: object) -> bool:
        return fact in _facts(self._member)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Facts) and self._member == other._member


def _facts(member: Member) -> tuple[Fact, ...]:
    record, local = member.record[0], member.local
    return (
        Fact(name="made_by", value=member.version, places=((record + 4, 1),)),
        Fact(name="made_on", value=member.system, places=((record + 5, 1),)),
        Fact(name="flags", value=member.flags & ~_LEVEL, places=((record + 8, 2), (local + 6, 2))),
        Fact(name="level", value=(member.flags & _LEVEL) >> 1, places=((record + 8, 1), (local + 6, 1))),
        Fact(name="method", value=member.method, places=((record + 10, 2), (local + 8, 2))),
        Fact(name="internal_attributes", value=member.internal, places=((record + 36, 2),)),
        # The upper half of Unix's is the mode.
        Fact(
            name="attributes",
            value=member.external & 0xFFFF if member.system in _UNIX else member.external,
            places=((record + 38, 4),),
        ),
        Fact(name="comment", value=member.comment),
        Fact(name="extra_fields", value=tuple(f"{kind:#06x}" for kind in member.extra)),
        Fact(name="local_extra_fields", value=tuple(f"{kind:#06x}" for kind in member.local_extra)),
    )
