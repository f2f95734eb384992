"""POSIX ACLs: as ext4 and f2fs store them, as programs see them (linux/posix_acl_xattr.h), and as tar has them.

tar archives hold them as text (SCHILY.acl), which tar and bsdtar restore, and as attributes, which engines restore.
"""

import struct
from typing import Final

# The attribute, and the key of its text in an extended header.
NAMES: Final = {
    "system.posix_acl_access": "SCHILY.acl.access",
    "system.posix_acl_default": "SCHILY.acl.default",
}

_STORED, _SEEN = 1, 2
_VERSION: Final = struct.Struct("<I")
_SHORT: Final = struct.Struct("<HH")
_LONG: Final = struct.Struct("<HHI")
_NOBODY: Final = 0xFFFF_FFFF
_WITH_ID: Final = (0x02, 0x08)
_TAGS: Final = {0x01: "user", 0x02: "user", 0x04: "group", 0x08: "group", 0x10: "mask", 0x20: "other"}

# Tag, permissions and id of each entry.
Entries = list[tuple[int, int, int]]


def entries(value: bytes) -> Entries | None:
    """Return the entries of an ACL in either form, None where VALUE is none."""
    if len(value) < _VERSION.size:
        return None
    (version,) = _VERSION.unpack_from(value)
    found: Entries = []
    position = _VERSION.size
    while version in (_STORED, _SEEN) and position < len(value):
        long = version == _SEEN or value[position] in _WITH_ID
        if position + (_LONG.size if long else _SHORT.size) > len(value):
            return None
        if long:
            found.append(_LONG.unpack_from(value, position))
        else:
            tag, permissions = _SHORT.unpack_from(value, position)
            found.append((tag, permissions, _NOBODY))
        position += _LONG.size if long else _SHORT.size
    return found if found and all(tag in _TAGS for tag, _, _ in found) else None


def seen(found: Entries) -> bytes:
    """Return the attribute that a program sees."""
    return _VERSION.pack(_SEEN) + b"".join(_LONG.pack(*entry) for entry in found)


def text(found: Entries) -> str:
    """Return the entries as text with numbers for ids."""
    return ",".join(
        f"{_TAGS[tag]}:{number if tag in _WITH_ID else ''}:"
        + "".join(letter if permissions & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
        for tag, permissions, number in found
    )
