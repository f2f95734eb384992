"""Extended attributes of XFS: in the inode, in leaves, or with values in blocks of their own."""

import struct
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import text
from ci_toolkit.images.filesystems.xfs_superblock import Superblock

_LOCAL: Final = 0x01
_ROOT: Final = 0x02
_SECURE: Final = 0x04
_PARENT: Final = 0x08
_INCOMPLETE: Final = 0x80
_LEAF: Final = (0xFBEE, 0x3BEE)
_NODE: Final = (0xFEBE, 0x3EBE)
_LEAF_HEADER: Final = (32, 80)
_NODE_HEADER: Final = (16, 64)
_COUNT_AT: Final = (12, 56)
_ENTRY: Final = struct.Struct(">IHBB")
_VALUE_MAX: Final = 1 << 16
_REMOTE_MAGIC: Final = b"XARM"
_REMOTE_HEADER: Final = 56
_DEPTH_MAX: Final = 5
# The names that POSIX ACLs have here, and those that a program sees.
_ACLS: Final = {b"SGI_ACL_FILE": "system.posix_acl_access", b"SGI_ACL_DEFAULT": "system.posix_acl_default"}
_ACL_HERE: Final = struct.Struct(">IIHH")
_ACL_SEEN: Final = struct.Struct("<HHI")
_ACL_VERSION: Final = 2

# Gives a block of the fork by its number there.
BlockReader = Callable[[int], bytes]


class Attribute(NamedTuple):
    """A name as programs see it, and its value."""

    name: str
    value: bytes


def short_attributes(raw: bytes) -> Iterator[Attribute]:
    """Yield the attributes of a fork that lies in the inode. Raises UnreadableError."""
    if len(raw) < 4:
        raise UnreadableError("attributes in an inode are damaged")
    position = 4
    for _ in range(raw[2]):
        if position + 3 > len(raw):
            raise UnreadableError("attributes in an inode are damaged")
        name_length, value_length, flags = raw[position : position + 3]
        position += 3
        end = position + name_length + value_length
        if end > len(raw):
            raise UnreadableError("attributes in an inode are damaged")
        middle = position + name_length
        yield from _attribute(raw[position:middle], raw[middle:end], flags)
        position = end


def tree_attributes(read: BlockReader, superblock: Superblock) -> Iterator[Attribute]:
    """Yield the attributes of a fork of blocks, whose first one READ gives as block 0. Raises UnreadableError."""
    seen: set[int] = set()
    pending = [(0, 0)]
    while pending:
        number, depth = pending.pop()
        if number in seen or depth > _DEPTH_MAX:
            raise UnreadableError("the tree of attributes leads to a block twice")
        seen.add(number)
        raw = read(number)
        magic = int.from_bytes(raw[8:10], "big")
        v5 = superblock.is_v5
        count = int.from_bytes(raw[_COUNT_AT[v5] : _COUNT_AT[v5] + 2], "big")
        header = _LEAF_HEADER[v5] if magic == _LEAF[v5] else _NODE_HEADER[v5]
        if magic not in (_LEAF[v5], _NODE[v5]) or header + 8 * count > len(raw):
            raise UnreadableError("an attribute block is damaged")
        if magic == _LEAF[v5]:
            yield from _leaf(raw, header, count, read, superblock)
        else:
            pairs = struct.iter_unpack(">II", raw[header : header + 8 * count])
            pending.extend((below, depth + 1) for _, below in reversed(list(pairs)))


def _leaf(raw: bytes, header: int, count: int, read: BlockReader, superblock: Superblock) -> Iterator[Attribute]:
    for _, place, flags, _ in _ENTRY.iter_unpack(raw[header : header + 8 * count]):
        if flags & _LOCAL:
            if place + 3 > len(raw):
                raise UnreadableError("an attribute block is damaged")
            value_length, name_length = struct.unpack_from(">HB", raw, place)
            start = place + 3
            value = raw[start + name_length : start + name_length + value_length]
            if len(value) < value_length:
                raise UnreadableError("an attribute block is damaged")
        else:
            if place + 9 > len(raw):
                raise UnreadableError("an attribute block is damaged")
            block, value_length, name_length = struct.unpack_from(">IIB", raw, place)
            start = place + 9
            value = b"" if flags & _INCOMPLETE else _remote(block, value_length, read, superblock)
        yield from _attribute(raw[start : start + name_length], value, flags)


def _remote(block: int, size: int, read: BlockReader, superblock: Superblock) -> bytes:
    if size > _VALUE_MAX:
        raise UnreadableError(f"an attribute of {size} bytes")
    found = bytearray()
    while len(found) < size:
        raw = read(block)
        if superblock.is_v5:
            if raw[:4] != _REMOTE_MAGIC:
                raise UnreadableError("the block of an attribute's value is damaged")
            raw = raw[_REMOTE_HEADER:]
        found += raw
        block += 1
    return bytes(found[:size])


def _attribute(name: bytes, value: bytes, flags: int) -> Iterator[Attribute]:
    # Pointers to parents say again what the directories say; what is incomplete was never there.
    if flags & (_PARENT | _INCOMPLETE):
        return
    if flags & _ROOT and name in _ACLS:
        yield Attribute(_ACLS[name], _acl(value))
    else:
        prefix = "trusted." if flags & _ROOT else "security." if flags & _SECURE else "user."
        yield Attribute(prefix + text(name), value)


def _acl(value: bytes) -> bytes:
    """Return an ACL as programs see it."""
    found = _ACL_VERSION.to_bytes(4, "little")
    count = min(int.from_bytes(value[:4], "big"), (len(value) - 4) // _ACL_HERE.size)
    for index in range(count):
        tag, number, permissions, _ = _ACL_HERE.unpack_from(value, 4 + index * _ACL_HERE.size)
        found += _ACL_SEEN.pack(tag & 0xFFFF, permissions, number)
    return found
