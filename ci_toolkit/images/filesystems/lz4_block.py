"""One lz4 block, unpacked in part: up to a given size, whatever follows.

The encoding is described at https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md.
"""

from typing import Final

from ci_toolkit.errors import UnreadableError

_LONG: Final = 15
_MORE: Final = 255
_MATCH_MIN: Final = 4


def unpack(raw: bytes, limit: int) -> bytes:
    """Return the first LIMIT bytes, or fewer when RAW ends before. Raises UnreadableError when it is damaged."""
    found = bytearray()
    position = 0
    while position < len(raw) and len(found) < limit:
        token = raw[position]
        count, position = _length(raw, position + 1, token >> 4)
        found += raw[position : position + min(count, limit - len(found))]
        position += count
        if position + 2 > len(raw) or len(found) >= limit:
            break
        distance = int.from_bytes(raw[position : position + 2], "little")
        count, position = _length(raw, position + 2, token & _LONG)
        if not 0 < distance <= len(found):
            raise UnreadableError("an lz4 block is damaged")
        count = min(count + _MATCH_MIN, limit - len(found))
        pattern = bytes(found[-distance:][:count])
        found += (pattern * -(-count // len(pattern)))[:count]
    return bytes(found)


def _length(raw: bytes, position: int, length: int) -> tuple[int, int]:
    """Return a length that goes on in further bytes where its first part is full, and where what follows begins."""
    if length < _LONG:
        return length, position
    while position < len(raw):
        length += raw[position]
        position += 1
        if raw[position - 1] != _MORE:
            break
    return length, position
