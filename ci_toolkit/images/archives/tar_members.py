"""A stream and a header with which the standard library reads archives of very many members in half the time."""

import struct
import tarfile
from typing import Final, Self
from zlib import adler32

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.ahead import Ahead
from ci_toolkit.images.data import Data

# Name, mode, uid, gid, size, mtime, checksum, type, target of a link, magic and version, names of user and group,
# major and minor number, prefix of the name.
_FIELDS: Final = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")
_PLAIN: Final = frozenset((*b"01234567", 0))
_DEVICES: Final = (tarfile.CHRTYPE, tarfile.BLKTYPE)
# Extended headers are read whole; no honest one is larger.
_READ_MAX: Final = 1 << 18
_CHECKSUM: Final = slice(148, 156)


class Stream:
    """The face of a data that the library reads: it refuses as much at once as only a hostile header asks for."""

    def __init__(self, data: Data) -> None:
        self._ahead = Ahead(data)
        self._position = 0

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> int:
        self._position = position
        return position

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _READ_MAX:
            raise UnreadableError(f"a tar header asks for {size} bytes")
        found = self._ahead.read_at(self._position, size)
        self._position += len(found)
        return found


class Header(tarfile.TarInfo):
    """One member. What is out of the ordinary in its header, numbers above all, is left to the library."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        found = None
        if len(buf) == _FIELDS.size and buf[156] in _PLAIN:
            try:
                found = cls._plain(bytes(buf), encoding, errors)
            except ValueError:
                found = None
        return found if found is not None else super().frombuf(buf, encoding, errors)

    @classmethod
    def _plain(cls, raw: bytes, encoding: str, errors: str) -> Self | None:
        """Decode a header whose numbers are all octal; None where its checksum is none. Raises ValueError."""
        (
            name, mode, uid, gid, size, mtime, checksum, kind, target, _, user, group, major, minor, prefix,
        ) = _FIELDS.unpack(raw)  # fmt: skip
        found = cls(_text(name, encoding, errors))
        found.chksum = _number(checksum)
        if found.chksum != _sum(raw[:256]) + _sum(raw[256:]) - sum(raw[_CHECKSUM]) + 8 * 0x20:
            return None
        found.mode, found.uid, found.gid = _number(mode), _number(uid), _number(gid)
        found.size, found.mtime, found.type = _number(size), _number(mtime), kind
        found.linkname = _text(target, encoding, errors)
        found.uname, found.gname = _text(user, encoding, errors), _text(group, encoding, errors)
        if kind in _DEVICES:
            found.devmajor, found.devminor = _number(major), _number(minor)
        # Before there were types, a directory was told by the slash after its name.
        if kind == tarfile.AREGTYPE and found.name.endswith("/"):
            found.type = tarfile.DIRTYPE
        if found.type == tarfile.DIRTYPE:
            found.name = found.name.rstrip("/")
        if before := _text(prefix, encoding, errors):
            found.name = f"{before}/{found.name}"
        return found


def _number(field: bytes) -> int:
    return int(field.rstrip(b" \0"), 8)


def _text(field: bytes, encoding: str, errors: str) -> str:
    return field.partition(b"\0")[0].decode(encoding, errors)


def _sum(half: bytes) -> int:
    """Add up the bytes of half a header: the low half of Adler-32 is that and one, as long as it is below 65,521."""
    return (adler32(half) & 0xFFFF) - 1
