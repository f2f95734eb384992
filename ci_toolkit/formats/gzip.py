"""gzip by all processors (RFC 1952): one stream, whose bytes do not depend on how many there are, nor on the time."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ci_toolkit.formats.parallel import ordered
from ci_toolkit.images.limits import KIB, MIB

# Deflate, no name, no time, no hint, no system.
_HEADER: Final = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_PIECE: Final = MIB
_WINDOW: Final = 32 * KIB
LEVEL: Final = 6
# For what is compressed already: a gzip stream all the same, at the speed of the disk.
STORED: Final = 0


class _Piece(NamedTuple):
    """A part of the content, with the end of the one before it, from which it may repeat."""

    content: bytes
    before: bytes
    last: bool


def compressed(content: Iterable[bytes], level: int = LEVEL, threads: int | None = None) -> Iterator[bytes]:
    """Yield CONTENT, in pieces of any size, as a gzip stream."""

    def pack(piece: _Piece) -> tuple[_Piece, bytes]:
        packer = zlib.compressobj(level, zlib.DEFLATED, -15, zdict=piece.before)
        # The pieces end on whole bytes, so that the next one can follow.
        end = zlib.Z_FINISH if piece.last else zlib.Z_SYNC_FLUSH
        return piece, packer.compress(piece.content) + packer.flush(end)

    yield _HEADER
    checksum, size = 0, 0
    for piece, packed in ordered(pack, _pieces(content), threads):
        checksum = zlib.crc32(piece.content, checksum)
        size += len(piece.content)
        yield packed
    yield struct.pack("<II", checksum, size & 0xFFFF_FFFF)


def _pieces(content: Iterable[bytes]) -> Iterator[_Piece]:
    """Yield CONTENT in pieces of one size, the last one smaller or empty."""
    held = bytearray()
    before = b""
    for part in content:
        held += part
        while len(held) >= _PIECE:
            piece = bytes(held[:_PIECE])
            del held[:_PIECE]
            yield _Piece(piece, before, last=False)
            before = piece[-_WINDOW:]
    yield _Piece(bytes(held), before, last=True)
