"""tar archives of every form that the standard library reads."""

import tarfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import IO, Final, cast

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.archives import tar_header
from ci_toolkit.images.archives.tar_members import Header, Stream
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Fact, Kind
from ci_toolkit.images.limits import Budget

recognise = tar_header.recognise

_XATTR: Final = "SCHILY.xattr."

_KINDS: Final = {
    tarfile.DIRTYPE: Kind.DIRECTORY,
    tarfile.SYMTYPE: Kind.SYMLINK,
    tarfile.CHRTYPE: Kind.CHARACTER,
    tarfile.BLKTYPE: Kind.BLOCK,
    tarfile.FIFOTYPE: Kind.FIFO,
}


def read(data: Data, budget: Budget) -> Container:
    """Read all members. Raises UnreadableError for an archive that is damaged or cut."""
    try:
        entries = tuple(_entries(data, budget))
    except (tarfile.TarError, ValueError, OverflowError, EOFError, RecursionError) as error:
        raise UnreadableError(f"the tar archive is damaged or cut: {error}") from error
    return Container(format="tar", entries=entries, remainder="headers")


def _entries(data: Data, budget: Budget) -> Iterator[Entry]:
    named: dict[str, Entry] = {}
    last = -1
    # Annotated by typeshed as a file; the library only reads, seeks and tells.
    stream = cast("IO[bytes]", Stream(data))
    with tarfile.open(fileobj=stream, mode="r:", tarinfo=Header, errors="surrogateescape") as tar:
        while (member := tar.next()) is not None:
            # A negative size would send the standard library back to where it was.
            if member.offset_data <= last:
                raise UnreadableError("a tar header points backwards")
            last = member.offset_data
            # The library keeps every member for looking up names; that is done here.
            tar.members.clear()  # type: ignore[attr-defined]
            entry = _entry(data, member)
            budget.member(entry.path, len(member.linkname) + sum(len(value) for _, value in entry.xattrs))
            if member.islnk() and member.linkname in named:
                known = named[member.linkname]
                entry = entry._replace(
                    kind=known.kind, size=known.size, target=known.target, device=known.device, data=known.data
                )
            named[entry.path] = entry
            yield entry
        # The library takes a damaged header for the end.
        end = data.read_at(tar.offset, tar_header.BLOCK)
        if any(end) or 0 < len(end) < tar_header.BLOCK:
            raise UnreadableError(f"there is no tar header at byte {tar.offset}: the archive is damaged or cut")


def _entry(data: Data, member: tarfile.TarInfo) -> Entry:
    kind = _KINDS.get(member.type, Kind.FILE)
    content = _content(data, member) if member.isreg() else None
    headers = member.pax_headers
    return Entry(
        path=member.name,
        kind=kind,
        size=content.size if content is not None else 0,
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        mtime_ns=_nanoseconds(headers.get("mtime", member.mtime)),
        target=member.linkname if kind is Kind.SYMLINK else None,
        device=(member.devmajor, member.devminor) if kind in (Kind.CHARACTER, Kind.BLOCK) else None,
        xattrs=_xattrs(headers) if headers else (),
        times=tuple((name, _nanoseconds(headers[name])) for name in ("atime", "ctime") if name in headers),
        facts=_facts(member.uname, member.gname, member.linkname if member.islnk() else None),
        record=(member.offset, member.offset_data - member.offset),
        data=content,
    )


@lru_cache(maxsize=256)  # nearly all members of an archive share them
def _facts(user: str, group: str, link: str | None) -> tuple[Fact, ...]:
    return (
        Fact(name="user_name", value=user),
        Fact(name="group_name", value=group),
        Fact(name="hard_link", value=link),
    )


def _xattrs(headers: Mapping[str, str]) -> tuple[tuple[str, bytes], ...]:
    return tuple(
        sorted(
            (name.removeprefix(_XATTR), value.encode("utf-8", "surrogateescape"))
            for name, value in headers.items()
            if name.startswith(_XATTR)
        )
    )


def _content(data: Data, member: tarfile.TarInfo) -> Data:
    # Annotated by typeshed as a number, but it is the list of (offset, length) pairs that the header holds.
    sparse = cast("list[tuple[int, int]] | None", member.sparse)
    if sparse is None:
        return data.window(member.offset_data, member.size)
    pieces = []
    stored = member.offset_data
    for start, length in sparse:
        if length:
            pieces.append((start, length, stored))
            stored += length
    return data.scattered(pieces, member.size)


def _nanoseconds(stamp: str | float) -> int:
    """Convert a time in seconds, a decimal fraction in extended headers, without going through floating point."""
    if not isinstance(stamp, str):
        return int(stamp * 1_000_000_000) if isinstance(stamp, int) else round(stamp * 1e9)
    seconds, _, fraction = stamp.partition(".")
    sign = -1 if seconds.startswith("-") else 1
    return int(seconds or "0") * 1_000_000_000 + sign * int((fraction + "000000000")[:9])
