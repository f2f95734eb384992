"""One block of LZO1X, as file systems store it: without a header, and of a known greatest size.

The encoding is described in the kernel's Documentation/staging/lzo.rst.
"""

from typing import Final

from ci_toolkit.errors import UnreadableError

# What the last instruction copied beside its match: so many literals, or a long run of them.
_LONG_RUN: Final = 4
_LAST: Final = 16384


def decompress(packed: bytes, limit: int) -> bytes:
    """Return what PACKED holds. Raises UnreadableError when it is damaged, or more than LIMIT bytes."""
    try:
        return _decompress(packed, limit)
    except IndexError as error:
        raise UnreadableError("an LZO block is cut") from error


def _decompress(packed: bytes, limit: int) -> bytes:
    found = bytearray()
    position = 0
    state = 0
    if packed[0] > 17:
        position = 1
        literals = packed[0] - 17
        state = min(literals, _LONG_RUN)
        position = _copy(packed, position, literals, found)
    while True:
        code = packed[position]
        position += 1
        if code < 16 and state == 0:
            length, position = _length(packed, position, code, 15)
            position = _copy(packed, position, length + 3, found)
            state = _LONG_RUN
        else:
            length, distance, state, position = _match(packed, position, code, state)
            if distance == _LAST and code & 0xF0 == 16:
                return bytes(found)
            _repeat(found, distance, length, limit)
            position = _copy(packed, position, state, found)
        if len(found) > limit:
            raise UnreadableError(f"an LZO block holds more than {limit} bytes")


def _match(packed: bytes, position: int, code: int, state: int) -> tuple[int, int, int, int]:
    """Return length and distance of a match, how many literals follow it, and where these begin."""
    if code >= 64:
        length = (code >> 5) + 1 if code >= 128 else 3 + (code >> 5 & 1)
        return length, (packed[position] << 3) + (code >> 2 & 7) + 1, code & 3, position + 1
    if code >= 16:
        mask, base = (31, 1) if code >= 32 else (7, _LAST + ((code & 8) << 11))
        length, position = _length(packed, position, code & mask, mask)
        pair = packed[position] | packed[position + 1] << 8
        return length + 2, base + (pair >> 2), pair & 3, position + 2
    length, base = (3, 2049) if state == _LONG_RUN else (2, 1)
    return length, (packed[position] << 2) + (code >> 2) + base, code & 3, position + 1


def _length(packed: bytes, position: int, short: int, most: int) -> tuple[int, int]:
    """Return a length and where it ends; zero stands for a longer one, in bytes of 255 that are written as zero."""
    if short:
        return short, position
    length = most
    while not packed[position]:
        length += 255
        position += 1
    return length + packed[position], position + 1


def _copy(packed: bytes, position: int, count: int, found: bytearray) -> int:
    if position + count > len(packed):
        raise IndexError
    found += packed[position : position + count]
    return position + count


def _repeat(found: bytearray, distance: int, length: int, limit: int) -> None:
    if distance > len(found) or len(found) + length > limit:
        raise UnreadableError("an LZO block is damaged")
    start = len(found) - distance
    piece = bytes(found[start : start + length])
    # A match may reach into itself.
    found += (piece * (length // len(piece) + 1))[:length]
