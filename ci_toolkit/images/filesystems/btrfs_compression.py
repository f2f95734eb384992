"""The three compressions of btrfs, each extent a stream of its own."""

import zlib
from typing import Final

import zstandard

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.filesystems import lzo_block
from ci_toolkit.images.limits import MIB

# By the numbers that the extents have.
METHODS: Final = {1: "zlib", 2: "lzo", 3: "zstd"}
_LZO_HEADER: Final = 4
_WINDOW: Final = 8 * MIB


def unpack(method: str, packed: bytes, size: int, sector: int) -> bytes:
    """Return SIZE bytes, filled up with zeros where there are fewer. Raises UnreadableError for a damaged stream."""
    try:
        match method:
            case "zlib":
                # Of a size of zero, everything would be unpacked.
                found = zlib.decompressobj().decompress(packed, max(1, size))
            case "zstd":
                with zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(packed) as stream:
                    found = stream.read(size)
            case _:
                found = _lzo(packed, size, sector)
    except (zlib.error, zstandard.ZstdError) as error:
        raise UnreadableError(f"an extent compressed with {method} is damaged: {error}") from error
    return found[:size].ljust(size, b"\0")


def _lzo(packed: bytes, size: int, sector: int) -> bytes:
    """Unpack segments of one sector each; no segment's length lies across the end of a sector."""
    end = int.from_bytes(packed[:_LZO_HEADER], "little")
    if not _LZO_HEADER <= end <= len(packed):
        raise UnreadableError("an extent compressed with lzo is damaged: its length is impossible")
    position = _LZO_HEADER
    found = bytearray()
    while position < end and len(found) < size:
        if sector - position % sector < _LZO_HEADER:
            position += sector - position % sector
        length = int.from_bytes(packed[position : position + _LZO_HEADER], "little")
        position += _LZO_HEADER
        if not length or position + length > end:
            raise UnreadableError("an extent compressed with lzo is damaged: a segment's length is impossible")
        found += lzo_block.decompress(packed[position : position + length], sector)
        position += length
    return bytes(found)
