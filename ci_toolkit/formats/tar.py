"""tar archives of the pax form (POSIX.1-2001), with nothing in them that the entries do not have."""

import struct
from collections.abc import Iterator
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.formats import acl
from ci_toolkit.formats.tree import Tree
from ci_toolkit.images.entry import Entry, Kind
from ci_toolkit.images.limits import MIB

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
_HEADER: Final = struct.Struct("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x")
_MAGIC: Final = b"ustar\00000"
_TYPES: Final = {
    Kind.FILE: b"0", Kind.SYMLINK: b"2", Kind.CHARACTER: b"3", Kind.BLOCK: b"4", Kind.DIRECTORY: b"5", Kind.FIFO: b"6",
}  # fmt: skip
_LINK: Final = b"1"
_EXTENDED: Final = b"x"
_NAME_MAX: Final = 100
_ID_MAX: Final = 8**7
_SIZE_MAX: Final = 8**11
_SECOND: Final = 10**9


def stream(tree: Tree) -> Iterator[bytes]:
    """Yield the archive of TREE in pieces. Raises UnreadableError where a file cannot be read."""
    for entry in tree.entries:
        link = tree.links.get(entry.path)
        yield header(entry, link)
        if entry.kind is Kind.FILE and link is None:
            yield from _content(entry)
    yield END


def plain(name: str, size: int) -> bytes:
    """Return the header of a file of SIZE bytes that belongs to no tree: root's, of 1970."""
    return header(Entry(path=name, kind=Kind.FILE, size=size, mode=0o644, uid=0, gid=0, mtime_ns=0))


def padded(size: int) -> bytes:
    """Return what follows SIZE bytes of a member, up to the next block."""
    return bytes(-size % BLOCK)


def header(entry: Entry, link: str | None = None) -> bytes:
    """Return the header of ENTRY, which may be a hard LINK to what came before, with an extended one before it."""
    name = _raw(entry.path) + (b"/" if entry.kind is Kind.DIRECTORY else b"")
    name = b"./" if name == b"/" else name
    target = _raw(link if link is not None else entry.target or "")
    size = entry.size if entry.kind is Kind.FILE and link is None else 0
    uid, gid, moment = entry.uid or 0, entry.gid or 0, entry.mtime_ns or 0
    seconds = moment // _SECOND
    records: list[tuple[bytes, bytes]] = []
    if len(name) > _NAME_MAX or not name.isascii():
        records.append((b"path", name))
    if len(target) > _NAME_MAX or not target.isascii():
        records.append((b"linkpath", target))
    records += [(key, b"%d" % value) for key, value in ((b"uid", uid), (b"gid", gid)) if value >= _ID_MAX]
    if size >= _SIZE_MAX:
        records.append((b"size", b"%d" % size))
    if moment % _SECOND or not 0 <= seconds < _SIZE_MAX:
        records.append((b"mtime", _decimal(moment)))
    if link is None:
        for key, value in entry.xattrs:
            records += _attribute(key, value)
    kind = _LINK if link is not None else _TYPES[entry.kind]
    device = entry.device or (0, 0)
    own = _block(name, entry.mode or 0, (uid, gid), size, seconds, kind, target, device)
    return _extended(records) + own if records else own


def _attribute(name: str, value: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the records of an extended attribute; an ACL has two."""
    found = acl.entries(value) if name in acl.NAMES else None
    if found is not None:
        yield _raw(acl.NAMES[name]), acl.text(found).encode()
        value = acl.seen(found)
    yield b"SCHILY.xattr." + _raw(name), value


def _extended(records: list[tuple[bytes, bytes]]) -> bytes:
    """Return the extended header of RECORDS, in the order of their keys."""
    content = b"".join(_record(key, value) for key, value in sorted(records))
    if any(not _is_utf8(key) or (not _is_utf8(value) and b"xattr" not in key) for key, value in records):
        content = _record(b"hdrcharset", b"BINARY") + content
    own = _block(b"././@PaxHeader", 0o644, (0, 0), len(content), 0, _EXTENDED, b"", (0, 0))
    return own + content + padded(len(content))


def _record(key: bytes, value: bytes) -> bytes:
    """Return one line of an extended header; the length at its beginning counts itself."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(str(length)) + len(rest):
        length = len(str(length)) + len(rest)
    return b"%d" % length + rest


def _block(
    name: bytes,
    mode: int,
    owner: tuple[int, int],
    size: int,
    seconds: int,
    kind: bytes,
    target: bytes,
    device: tuple[int, int],
) -> bytes:
    def packed(checksum: bytes) -> bytes:
        uid, gid = (value if value < _ID_MAX else 0 for value in owner)
        return _HEADER.pack(
            name[:_NAME_MAX], b"%07o\0" % mode, b"%07o\0" % uid, b"%07o\0" % gid,
            b"%011o\0" % (size if size < _SIZE_MAX else 0), b"%011o\0" % min(max(0, seconds), _SIZE_MAX - 1),
            checksum, kind, target[:_NAME_MAX], _MAGIC, b"", b"",
            b"%07o\0" % device[0], b"%07o\0" % device[1], b"",
        )  # fmt: skip

    return packed(b"%06o\0 " % sum(packed(b" " * 8)))


def _content(entry: Entry) -> Iterator[bytes]:
    if entry.data is None or entry.data.size != entry.size:
        raise UnreadableError(f"{entry.path!r} cannot be read from the image")
    for offset in range(0, entry.size, MIB):
        yield entry.data.read_at(offset, MIB)
    yield padded(entry.size)


def _decimal(moment: int) -> bytes:
    """Return nanoseconds as seconds with a fraction."""
    seconds, rest = divmod(abs(moment), _SECOND)
    fraction = f".{rest:09}".rstrip("0").rstrip(".")
    return f"{'-' if moment < 0 else ''}{seconds}{fraction}".encode()


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
