"""Where decompressed bytes go: a file that has no name."""

import os
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path
from threading import Condition
from typing import Final

from ci_toolkit.images.data import Data, OpenFile, whole
from ci_toolkit.images.limits import BeyondLimitError, Budget

_GLIMPSE: Final = 64


class Spool:
    """A file without a name, closed and thereby deleted with the last reference: nested streams come and go."""

    def __init__(self) -> None:
        self.fd, name = tempfile.mkstemp(prefix="ci-toolkit-")
        weakref.finalize(self, os.close, self.fd)
        Path(name).unlink()
        self.size = 0
        self._grown = Condition()
        self._is_whole = False

    def write(self, piece: bytes) -> None:
        """Append PIECE; zeros become a hole, as disk images are mostly that. Raises BeyondLimitError."""
        if not any(piece[:_GLIMPSE]) and piece.count(0) == len(piece):
            self.skip(len(piece))
            return
        start, end = self.size, self.size + len(piece)
        try:
            while start < end:
                start += os.pwrite(self.fd, memoryview(piece)[len(piece) - (end - start) :], start)
        except OSError as error:
            raise _full(error) from error
        self._grow(end)

    def skip(self, length: int) -> None:
        """Append a hole. Raises BeyondLimitError."""
        try:
            os.ftruncate(self.fd, self.size + length)
        except OSError as error:
            raise _full(error) from error
        self._grow(self.size + length)

    def end(self) -> None:
        """Say that nothing more is written."""
        with self._grown:
            self._is_whole = True
            self._grown.notify_all()

    def has(self, end: int) -> bool:
        """Wait for the bytes before END, and tell whether there are so many."""
        with self._grown:
            self._grown.wait_for(lambda: self.size >= end or self._is_whole)
        return self.size >= end

    def _grow(self, end: int) -> None:
        with self._grown:
            self.size = end
            self._grown.notify_all()

    def read_at(self, offset: int, length: int) -> bytes:
        return OpenFile(self.fd, self.size).read_at(offset, length)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        OpenFile(self.fd, self.size).read_into(buffer, offset)


def _full(error: OSError) -> BeyondLimitError:
    return BeyondLimitError(f"nowhere to decompress to: {error.strerror}")


def spooled(pieces: Iterable[bytes], budget: Budget, spool: Spool | None = None) -> Data:
    """Return all PIECES as one data, in SPOOL or a new one, charged to BUDGET. Raises BeyondLimitError."""
    spool = Spool() if spool is None else spool
    try:
        for piece in pieces:
            budget.decompress(len(piece))
            spool.write(piece)
    finally:
        spool.end()
    return whole(spool)
