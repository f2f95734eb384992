"""What the items of btrfs' trees say: inodes, names, extended attributes, roots of trees, pieces of files."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import Fact

INODE_ITEM: Final = 1
XATTR_ITEM: Final = 24
DIR_INDEX: Final = 96
EXTENT_DATA: Final = 108
ROOT_ITEM: Final = 132

INODE_SIZE: Final = 160
FLAGS_AT: Final = 64
_INODE: Final = struct.Struct("<QQQQQIIIIQQQ32xqIqIqIqI")
_NAME: Final = struct.Struct("<QBQQHHB")
_EXTENT: Final = struct.Struct("<QQBBHB")
_REGULAR: Final = struct.Struct("<QQQQ")
_TIME: Final = struct.Struct("<qI")
_INLINE: Final = 0
_PREALLOCATED: Final = 2
_ROOT_MIN: Final = 239
_ROOT_WITH_UUIDS: Final = 439
UUID_AT: Final = 247
_ROOT_UUIDS: Final = (("uuid", UUID_AT), ("parent_uuid", 263), ("received_uuid", 279))
_ROOT_TIMES: Final = (("change_time", 327), ("creation_time", 339), ("send_time", 351), ("receive_time", 363))
_ROOT_NUMBERS: Final = (
    ("generation", 160, "<Q"),
    ("used_size", 192, "<Q"),
    ("last_snapshot", 200, "<Q"),
    ("flags", 208, "<Q"),
)
# No extent that is compressed holds more; a hostile one would say so.
_COMPRESSED_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Inode:
    """One inode; times are nanoseconds since the epoch."""

    size: int
    links: int
    uid: int
    gid: int
    mode: int
    device: tuple[int, int]
    flags: int
    accessed_ns: int
    changed_ns: int
    modified_ns: int
    created_ns: int


@dataclass(frozen=True, slots=True)
class Name:
    """A name of a directory, or of an attribute with its value; `kind` and `number` say where the name leads."""

    name: bytes
    value: bytes
    number: int
    kind: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """A piece of a file from START on, LENGTH bytes long.

    Inline, it lies at `offset` of its item. Else it begins at `offset` of the extent of `held` bytes, or of `unpacked`
    bytes where it is compressed, that lies at `address` in `held` bytes; without an address it is a hole.
    """

    start: int
    length: int
    offset: int
    address: int
    held: int
    unpacked: int
    compression: int
    inline: bool = False
    reserved: bool = False


def read_inode(raw: bytes) -> Inode:
    """Read an inode item. Raises UnreadableError."""
    if len(raw) < INODE_SIZE:
        raise UnreadableError("an inode item is cut")
    (
        _, _, size, _, _, links, uid, gid, mode, device, flags, _,
        accessed, accessed_part, changed, changed_part, modified, modified_part, created, created_part,
    ) = _INODE.unpack_from(raw)  # fmt: skip
    return Inode(
        size,
        links,
        uid,
        gid,
        mode,
        # As the kernel keeps it in memory.
        (device >> 20 & 0xFFF, device & 0xFFFFF),
        flags,
        accessed * 10**9 + accessed_part,
        changed * 10**9 + changed_part,
        modified * 10**9 + modified_part,
        created * 10**9 + created_part,
    )


def read_names(raw: bytes) -> Iterator[Name]:
    """Yield the names of an item; those of equal hashes share one. Raises UnreadableError."""
    position = 0
    while position < len(raw):
        if position + _NAME.size > len(raw):
            raise UnreadableError("a name is cut")
        number, kind, _, _, value_length, name_length, _ = _NAME.unpack_from(raw, position)
        position += _NAME.size
        end = position + name_length + value_length
        if end > len(raw):
            raise UnreadableError("a name is cut")
        yield Name(raw[position : position + name_length], raw[position + name_length : end], number, kind)
        position = end


def read_extent(start: int, raw: bytes) -> Extent:
    """Read a piece of a file that begins at START of it. Raises UnreadableError."""
    if len(raw) < _EXTENT.size:
        raise UnreadableError("an extent item is cut")
    _, unpacked, compression, encryption, encoding, kind = _EXTENT.unpack_from(raw)
    if encryption or encoding or kind > _PREALLOCATED or (compression and unpacked > _COMPRESSED_MAX):
        raise UnreadableError("an extent item is damaged")
    if kind == _INLINE:
        held = len(raw) - _EXTENT.size
        return Extent(
            start=start, length=unpacked if compression else held, offset=_EXTENT.size, address=0,
            held=held, unpacked=unpacked, compression=compression, inline=True,
        )  # fmt: skip
    if len(raw) < _EXTENT.size + _REGULAR.size:
        raise UnreadableError("an extent item is cut")
    address, held, offset, length = _REGULAR.unpack_from(raw, _EXTENT.size)
    reserved = kind == _PREALLOCATED
    if address and not reserved and (offset + length > (unpacked if compression else held) or held > 1 << 40):
        raise UnreadableError("an extent item is damaged")
    if compression and held > 2 * _COMPRESSED_MAX:
        raise UnreadableError("an extent item is damaged")
    return Extent(
        start=start, length=length, offset=offset, address=address,
        held=held, unpacked=unpacked, compression=compression, reserved=reserved,
    )  # fmt: skip


def root_of(raw: bytes) -> int:
    """Return the address of the tree that a root item leads to. Raises UnreadableError."""
    if len(raw) < _ROOT_MIN:
        raise UnreadableError("a root item is cut")
    return int.from_bytes(raw[176:184], "little")


def root_uuid(raw: bytes) -> bytes:
    return raw[UUID_AT : UUID_AT + 16] if len(raw) >= _ROOT_WITH_UUIDS else b""


def root_facts(raw: bytes, tree: str, starts: tuple[int, ...], uuids: tuple[tuple[int, int], ...]) -> tuple[Fact, ...]:
    """The named values of a root item of a TREE, whose copies begin at STARTS; UUIDS are other places of its UUID."""

    def fact(name: str, value: int | str, offset: int, length: int) -> Fact:
        own = tuple((start + offset, length) for start in starts)
        return Fact(name=f"{tree}_{name}", value=value, places=own + (uuids if offset == UUID_AT else ()))

    if len(raw) < _ROOT_WITH_UUIDS:
        return ()
    return (
        *(fact(name, str(UUID(bytes=raw[offset : offset + 16])), offset, 16) for name, offset in _ROOT_UUIDS),
        *(fact(name, _nanoseconds(raw, offset), offset, 12) for name, offset in _ROOT_TIMES),
        *(
            fact(name, struct.unpack_from(form, raw, offset)[0], offset, struct.calcsize(form))
            for name, offset, form in _ROOT_NUMBERS
        ),
    )


def _nanoseconds(raw: bytes, offset: int) -> int:
    seconds, part = _TIME.unpack_from(raw, offset)
    return int(seconds * 10**9 + part)
