"""A member of an archive that is compressed as one stream: unpacked when it is read, a large one into a file."""

import bz2
import lzma
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Final, Protocol

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.archives.spool import spooled
from ci_toolkit.images.data import Data, stored
from ci_toolkit.images.limits import KIB, Budget
from ci_toolkit.images.packed import Unpacked

_CHUNK: Final = 1 << 18
_SMALL: Final = 64 * KIB
# How many of one archive stay unpacked: a process may have a thousand open files, and archives lie in archives.
_KEPT: Final = 8


class Inflater(Protocol):
    """A decompressor whose output is bounded by max_length."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class Deflate:
    """zlib's decompressor of a stream without a header, in the shape of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=-15)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class Recent:
    """What was unpacked last of one archive."""

    def __init__(self) -> None:
        self._found: OrderedDict[object, Data] = OrderedDict()
        # Both sides of a comparison may read it, and digests beside them.
        self._lock = Lock()

    def get(self, key: object, unpack: Callable[[], Data]) -> Data:
        """Return what UNPACK does, which is not called where that is known. Raises as it does."""
        with self._lock:
            found = self._found.pop(key, None) or unpack()
            self._found[key] = found
            if len(self._found) > _KEPT:
                self._found.popitem(last=False)
            return found


class Inflated(Unpacked):
    """The root of one member's bytes; `place` is where they lie, compressed, in the archive that `recent` is of."""

    def __init__(self, place: Data, size: int, start: Callable[[], Inflater], recent: Recent, budget: Budget) -> None:
        super().__init__(place)
        self.size = size
        self._start = start
        self._budget = budget
        self._recent = recent
        # Not this object itself, whose files would stay open for longer than it lives.
        self._key = object()

    def read_at(self, offset: int, length: int) -> bytes:
        return self._unpacked().read_at(offset, length)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        self._unpacked().read_into(buffer, offset)

    def _unpacked(self) -> Data:
        return self._recent.get(self._key, self._unpack)

    def _unpack(self) -> Data:
        self._budget.stream()
        try:
            if self.size > _SMALL:
                return spooled(self._pieces(), self._budget)
            self._budget.decompress(self.size)
            return stored(b"".join(self._pieces()))
        except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError) as error:
            raise UnreadableError(f"a compressed member is damaged: {error}") from error

    def _pieces(self) -> Iterator[bytes]:
        inflater = self._start()
        position = size = 0
        while not inflater.eof:
            chunk = b""
            if inflater.needs_input:
                chunk = self.place.read_at(position, _CHUNK)
                position += len(chunk)
            piece = inflater.decompress(chunk, _CHUNK)
            size += len(piece)
            if size > self.size or (not piece and not chunk and not inflater.eof):
                break
            yield piece
        if size != self.size:
            raise UnreadableError(
                f"a compressed member does not hold the {self.size} bytes that it says: it is damaged"
            )


def starter(method: int) -> Callable[[], Inflater] | None:
    """Return what unpacks METHOD, as zip numbers them; None for one that is not known."""
    starters: dict[int, Callable[[], Inflater]] = {8: Deflate, 12: bz2.BZ2Decompressor}
    return starters.get(method)
