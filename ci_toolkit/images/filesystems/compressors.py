"""Blocks of compressed file systems, unpacked in one piece and never to more than they may hold."""

import lzma
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import lz4.block
import zstandard

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.filesystems import lz4_block, lzo_block
from ci_toolkit.images.limits import MIB

# What a decompressor may ask for; squashfs and EROFS allow dictionaries of a few MiB.
_WINDOW: Final = 128 * MIB
_DICTIONARY_MIN: Final = 4096
# No lz4 block unpacks to more than this, and none of a file system to more than that.
_RATIO_MAX: Final = 255
_LZ4_MAX: Final = 12 * MIB
_BROKEN: Final = (
    zlib.error, lzma.LZMAError, lz4.block.LZ4BlockError, zstandard.ZstdError,
    ValueError, EOFError, IndexError, MemoryError, OverflowError,
)  # fmt: skip


def _zlib(raw: bytes, limit: int) -> bytes:
    return zlib.decompressobj().decompress(raw, limit)


def _deflate(raw: bytes, limit: int) -> bytes:
    return zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(raw, limit)


def _lzma(raw: bytes, limit: int) -> bytes:
    return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_WINDOW).decompress(raw, limit)


def _xz(raw: bytes, limit: int) -> bytes:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_WINDOW).decompress(raw, limit)


def _lz4(raw: bytes, limit: int) -> bytes:
    return bytes(lz4.block.decompress(raw, uncompressed_size=limit))


def _lz4_part(raw: bytes, limit: int) -> bytes:
    """Of a block that goes on beyond LIMIT, or that something follows."""
    for size in (limit, min(_RATIO_MAX * len(raw), _LZ4_MAX)):
        try:
            return bytes(lz4.block.decompress(raw, uncompressed_size=size)[:limit])
        except lz4.block.LZ4BlockError:
            continue
    return lz4_block.unpack(raw, limit)


def _microlzma(raw: bytes, limit: int) -> bytes:
    """LZMA whose first byte, always zero, gave way to the inverted properties; nothing says where it ends."""
    properties = ~raw[0] & 0xFF
    filters = [
        {
            "id": lzma.FILTER_LZMA1,
            # No match can go further back than to the first byte.
            "dict_size": max(_DICTIONARY_MIN, limit),
            "lc": properties % 9,
            "lp": properties // 9 % 5,
            "pb": properties // 45,
        }
    ]
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters).decompress(b"\0" + raw[1:], limit)


def _zstd(raw: bytes, limit: int) -> bytes:
    # Not by the size that the frame claims: that much memory would be asked for before anything is unpacked.
    with zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(raw) as stream:
        return bytes(stream.read(limit))


_METHODS: Final[Mapping[str, Callable[[bytes, int], bytes]]] = MappingProxyType(
    {
        "zlib": _zlib,
        "deflate": _deflate,
        "lzma": _lzma,
        "microlzma": _microlzma,
        "xz": _xz,
        "lz4": _lz4,
        "lz4-part": _lz4_part,
        "lzo": lzo_block.decompress,
        "zstd": _zstd,
    }
)


def unpack(method: str, raw: bytes, limit: int) -> bytes:
    """Return what RAW unpacks to, LIMIT bytes at most. Raises UnreadableError when it is damaged."""
    try:
        return _METHODS[method](raw, max(1, limit))
    except _BROKEN as error:
        raise UnreadableError(f"a block compressed with {method} is damaged: {error}") from error
