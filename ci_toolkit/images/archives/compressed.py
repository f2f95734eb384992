"""Compressed streams: zstd, xz, lzma, gzip and bzip2, decompressed into a file that has no name."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Generator, Iterator
from typing import Final, Protocol

import zstandard

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.archives import zstd_frames
from ci_toolkit.images.archives.padding import zeros
from ci_toolkit.images.archives.spool import Spool, spooled
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Fact, Kind
from ci_toolkit.images.limits import GIB, Budget

# Large pieces, since each one means waiting for one's turn among threads.
CHUNK: Final = 1 << 20
_FIRST_READ: Final = 1 << 12

GZIP: Final = b"\x1f\x8b\x08"
XZ: Final = b"\xfd7zXZ\0"
BZIP2: Final = b"BZh"
# Of lzma: lc=3, lp=0, pb=2, as every tool writes it; there is no other magic.
_LZMA: Final = 0x5D
_LZMA_SIZE_MAX: Final = 256 * GIB
_UNKNOWN: Final = (1 << 64) - 1


class Decompressor(Protocol):
    """What the standard library's decompressors share; output is bounded by max_length, so no bomb fills the memory."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gzip:
    """zlib's decompressor in the shape of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


is_zstd = zstd_frames.recognise


def is_xz(data: Data) -> bool:
    return data.read_at(0, 6) == XZ


def is_lzma(data: Data) -> bool:
    """Tell, as xz does, by a dictionary and a size that somebody may have wanted."""
    head = data.read_at(0, 14)
    dictionary, size = int.from_bytes(head[1:5], "little"), int.from_bytes(head[5:13], "little")
    # One or two bits in a row; and the first byte of the range coder is always zero.
    plausible = dictionary >= 1 << 12 and dictionary // (dictionary & -dictionary) in (1, 3)
    return (
        len(head) == 14 and head[0] == _LZMA and plausible and head[13] == 0
        and (size == _UNKNOWN or size < _LZMA_SIZE_MAX)
    )  # fmt: skip


def is_gzip(data: Data) -> bool:
    return data.read_at(0, 3) == GZIP


def is_bzip2(data: Data) -> bool:
    head = data.read_at(0, 10)
    return head[:3] == BZIP2 and head[3:4].isdigit() and head[4:] in (b"1AY&SY", b"\x17rE8P\x90")


def read_zstd(data: Data, budget: Budget, spool: Spool | None = None) -> Container:
    """Decompress all frames in a row, into SPOOL if given. Raises UnreadableError for a damaged or cut stream."""
    frames, end = _frames(data, budget)
    reader = zstandard.ZstdDecompressor(max_window_size=budget.limits.window).stream_reader(
        frames.open(), read_size=CHUNK, read_across_frames=True
    )
    try:
        payload = spooled(iter(lambda: reader.read(CHUNK), b""), budget, spool)
    except zstandard.ZstdError as error:
        raise UnreadableError(f"the zstd stream is damaged: {error}") from error
    return container("zstd", data, payload, end, ())


def read_xz(data: Data, budget: Budget) -> Container:
    """Decompress all streams in a row. Raises UnreadableError for a damaged or cut stream."""

    def start() -> Decompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=budget.limits.window)

    payload, end = decompress(data, budget, start, XZ, "xz")
    return container("xz", data, payload, end, (Fact(name="check", value=data.read_at(7, 1)[0]),))


def read_lzma(data: Data, budget: Budget) -> Container:
    """Decompress the one stream, of the format before xz. Raises UnreadableError when it is damaged or cut."""

    def start() -> Decompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=budget.limits.window)

    head = data.read_at(0, 13)
    payload, end = decompress(data, budget, start, head, "lzma")
    size = int.from_bytes(head[5:], "little")
    facts = (
        Fact(name="dictionary_size", value=int.from_bytes(head[1:5], "little"), places=((1, 4),)),
        Fact(name="stored_size", value=None if size == _UNKNOWN else size, places=((5, 8),)),
    )
    return container("lzma", data, payload, end, facts)


def read_gzip(data: Data, budget: Budget) -> Container:
    """Decompress all members in a row. Raises UnreadableError for a damaged or cut stream."""
    payload, end = decompress(data, budget, _Gzip, GZIP, "gzip")
    head = data.read_at(0, 1024)
    name = head[10:].partition(b"\0")[0] if head[3] & 8 and not head[3] & 4 else b""
    facts = (
        Fact(name="mtime", value=int.from_bytes(head[4:8], "little"), places=((4, 4),)),
        Fact(name="extra_flags", value=head[8], places=((8, 1),)),
        Fact(name="operating_system", value=head[9], places=((9, 1),)),
        Fact(name="name", value=name.decode("latin-1"), places=((10, len(name)),)),
    )
    return container("gzip", data, payload, end, facts)


def read_bzip2(data: Data, budget: Budget) -> Container:
    """Decompress all streams in a row. Raises UnreadableError for a damaged or cut stream."""
    payload, end = decompress(data, budget, bz2.BZ2Decompressor, BZIP2, "bzip2")
    return container("bzip2", data, payload, end, ())


def container(name: str, data: Data, payload: Data, end: int, facts: tuple[Fact, ...]) -> Container:
    """Return what holds PAYLOAD, and what follows the END of it."""
    entries = [Entry(path="", kind=Kind.STREAM, size=payload.size, data=payload)]
    rest = data.window(end, data.size - end)
    if any(any(chunk) for chunk in rest.chunks()):
        entries.append(Entry(path="", kind=Kind.STREAM, size=rest.size, data=rest))
    return Container(format=name, entries=tuple(entries), facts=facts, remainder="stream")


def _frames(data: Data, budget: Budget) -> tuple[Data, int]:
    """Return all zstd frames without the zeros between them, which pad the parts of an initrd, and where they end."""
    frames, end = zstd_frames.frames(data, budget)
    return data.gathered(frames), end


def decompress(
    data: Data, budget: Budget, start: Callable[[], Decompressor], magic: bytes, name: str
) -> tuple[Data, int]:
    """Return the payload of all streams that begin with MAGIC, and where they end; zeros between them are padding."""
    end = 0

    def pieces() -> Iterator[bytes]:
        nonlocal end
        while data.read_at(end, len(magic)) == magic:
            budget.stream()
            end = yield from _one(data, end, start(), name)
            end += zeros(data, end)

    try:
        return spooled(pieces(), budget), end
    except (lzma.LZMAError, zlib.error, OSError, ValueError, EOFError) as error:
        raise UnreadableError(f"the {name} stream is damaged: {error}") from error


def _one(data: Data, position: int, decompressor: Decompressor, name: str) -> Generator[bytes, None, int]:
    """Yield the payload of one stream; its end is returned."""
    # What is read beyond the end is read again for the next stream, and there may be millions of tiny ones.
    wanted = _FIRST_READ
    while not decompressor.eof:
        chunk = b""
        if decompressor.needs_input:
            chunk = data.read_at(position, wanted)
            position += len(chunk)
            wanted = min(2 * wanted, CHUNK)
            if not chunk:
                raise UnreadableError(f"the {name} stream ends at byte {data.size}, too early: it is cut")
        piece = decompressor.decompress(chunk, CHUNK)
        if piece:
            yield piece
    return position - len(decompressor.unused_data)
