"""Rock Ridge: the names, modes, owners, links, devices and times that ISO 9660 lacks (SUSP 1.12, RRIP 1.12)."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.filesystems.iso9660_volume import moment

# Where the fields of a record go on: block, offset and length.
Continuation = tuple[int, int, int]

_CONTINUATIONS_MAX: Final = 8
_TARGET_MAX: Final = 1 << 16
_TIMES: Final = ("created", "modified", "accessed", "changed", "backed up", "expires", "effective")
_LONG: Final = 0x80
_MORE: Final = 1


@dataclass(slots=True, kw_only=True)
class Extras:
    """What the fields of one record say."""

    name: bytes | None = None
    mode: int | None = None
    links: int | None = None
    uid: int | None = None
    gid: int | None = None
    inode: int | None = None
    device: tuple[int, int] | None = None
    target: bytes | None = None
    times: dict[str, int] = field(default_factory=dict)
    child: int | None = None
    relocated: bool = False
    packed: bytes | None = None


def skip(system_use: bytes) -> int | None:
    """Return how many bytes come before the fields, from those of the root directory; None where it has none."""
    if system_use[:2] == b"SP" and len(system_use) >= 7 and system_use[4:6] == b"\xbe\xef":
        return system_use[6]
    return None


def extras(system_use: bytes, fetch: Callable[[Continuation], bytes]) -> Extras:
    """Gather the fields of a record; FETCH reads where they go on. Raises UnreadableError."""
    found = Extras()
    names: list[bytes] = []
    target = _Target()
    for signature, body in _fields(system_use, fetch):
        if signature == b"NM" and body and not body[0] & 6:
            names.append(body[1:])
        elif signature == b"PX" and len(body) >= 32:
            found.mode, found.links, found.uid, found.gid = struct.unpack_from("<I4xI4xI4xI", body)
            if len(body) >= 40:
                (found.inode,) = struct.unpack_from("<I", body, 32)
        elif signature == b"PN" and len(body) >= 16:
            found.device = _device(*struct.unpack_from("<I4xI", body))
        elif signature == b"SL" and body:
            target.add(body[1:])
        elif signature == b"TF" and body:
            found.times.update(_times(body))
        elif signature == b"CL" and len(body) >= 8:
            (found.child,) = struct.unpack_from("<I", body)
        elif signature == b"RE":
            found.relocated = True
        elif signature == b"ZF":
            found.packed = body
    if names:
        found.name = b"".join(names)
    found.target = target.whole()
    return found


def _fields(system_use: bytes, fetch: Callable[[Continuation], bytes]) -> Iterator[tuple[bytes, bytes]]:
    for _ in range(_CONTINUATIONS_MAX):
        following: Continuation | None = None
        start = 0
        while start + 4 <= len(system_use):
            signature, length = system_use[start : start + 2], system_use[start + 2]
            if length < 4 or start + length > len(system_use) or signature == b"ST":
                break
            body = system_use[start + 4 : start + length]
            if signature == b"CE" and len(body) >= 24:
                following = struct.unpack_from("<I4xI4xI", body)
            yield signature, body
            start += length
        if following is None:
            return
        system_use = fetch(following)
    raise UnreadableError("a record goes on in too many places")


class _Target:
    """A symbolic link's target, which comes in parts."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._open = False
        self._size = 0

    def add(self, components: bytes) -> None:
        start = 0
        while start + 2 <= len(components):
            flags, length = components[start], components[start + 1]
            part = components[start + 2 : start + 2 + length]
            if flags & 2:
                part = b"."
            elif flags & 4:
                part = b".."
            elif flags & 8:
                part = b""
            if self._open and self._parts:
                self._parts[-1] += part
            else:
                self._parts.append(part)
            self._open = bool(flags & _MORE)
            self._size += len(part)
            if self._size > _TARGET_MAX:
                raise UnreadableError(f"a symbolic link of more than {_TARGET_MAX} bytes")
            start += 2 + length

    def whole(self) -> bytes | None:
        # The root alone is one empty part.
        return (b"/" if self._parts == [b""] else b"/".join(self._parts)) if self._parts else None


def _times(body: bytes) -> Iterator[tuple[str, int]]:
    size = 17 if body[0] & _LONG else 7
    start = 1
    for bit, name in enumerate(_TIMES):
        if body[0] >> bit & 1:
            raw = body[start : start + size]
            value = moment(raw) if len(raw) == size else None
            if value is not None:
                yield name, value
            start += size


def _device(high: int, low: int) -> tuple[int, int]:
    """Decode the halves of a dev_t, or its two numbers where they were written apart."""
    if high == 0 and low > 0xFF:
        return low >> 8 & 0xFFF, (low & 0xFF) | (low >> 12 & 0xFFF00)
    return high, low
