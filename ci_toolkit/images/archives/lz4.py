"""lz4: frames in a row, and the legacy form that kernels and initrds have."""

from collections.abc import Iterator
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.archives.compressed import container, decompress
from ci_toolkit.images.archives.padding import zeros
from ci_toolkit.images.archives.spool import spooled
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Fact
from ci_toolkit.images.limits import MIB, Budget

FRAME: Final = b"\x04\x22\x4d\x18"
LEGACY: Final = b"\x02\x21\x4c\x18"
# What one block of the legacy form decompresses to, and to what it may have grown when it could not be compressed.
_BLOCK: Final = 8 * MIB
_COMPRESSED_MAX: Final = _BLOCK + _BLOCK // 255 + 16


class _Frame:
    """The library's decompressor in the shape of the others."""

    def __init__(self) -> None:
        import lz4.frame

        self._inner = lz4.frame.LZ4FrameDecompressor()

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def needs_input(self) -> bool:
        return bool(self._inner.needs_input)

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data or b""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return bytes(self._inner.decompress(data, max_length))


def recognise(data: Data) -> bool:
    return data.read_at(0, 4) in (FRAME, LEGACY)


def read(data: Data, budget: Budget) -> Container:
    """Decompress all frames in a row, or all legacy blocks. Raises UnreadableError for a damaged or cut stream."""
    if data.read_at(0, 4) == LEGACY:
        payload, end = _legacy(data, budget)
        return container("lz4", data, payload, end, (Fact(name="form", value="legacy", places=((0, 4),)),))
    try:
        payload, end = decompress(data, budget, _Frame, FRAME, "lz4")
    except RuntimeError as error:
        raise UnreadableError(f"the lz4 stream is damaged: {error}") from error
    return container("lz4", data, payload, end, _facts(data.read_at(0, 19)))


def _facts(head: bytes) -> tuple[Fact, ...]:
    flags, descriptor = head[4], head[5]
    sized = 8 if flags & 8 else 0
    size = int.from_bytes(head[6:14], "little") if sized else None
    return (
        Fact(name="form", value="frame", places=((0, 4),)),
        Fact(name="flags", value=flags, places=((4, 1),)),
        Fact(name="block_size", value=256 << 2 * (descriptor >> 4 & 7), places=((5, 1),)),
        Fact(name="stored_size", value=size, places=((6, sized),)),
    )


def _legacy(data: Data, budget: Budget) -> tuple[Data, int]:
    """Return the payload of all blocks, and where they end: nothing says so but what comes there instead."""
    import lz4.block

    end = 0

    def pieces() -> Iterator[bytes]:
        nonlocal end
        while data.read_at(end, 4) == LEGACY:
            end += 4
            while _COMPRESSED_MAX >= (size := int.from_bytes(data.read_at(end, 4), "little")) > 0:
                budget.stream()
                block = data.read_at(end + 4, size)
                if len(block) < size:
                    raise UnreadableError(f"the lz4 stream ends at byte {data.size}, too early: it is cut")
                yield lz4.block.decompress(block, uncompressed_size=_BLOCK)
                end += 4 + size
            budget.stream()
            end += zeros(data, end)

    try:
        return spooled(pieces(), budget), end
    except (lz4.block.LZ4BlockError, ValueError) as error:
        raise UnreadableError(f"the lz4 stream is damaged: {error}") from error
