"""Where decompressed bytes go: a file that has no name."""

import os
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path
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

    def write(self, piece: bytes) -> None:
        """Append PIECE; zeros become a hole, as disk images are mostly that. Raises BeyondLimitError."""
        end = self.size + len(piece)
        try:
            if not any(piece[:_GLIMPSE]) and piece.count(0) == len(piece):
                os.ftruncate(self.fd, end)
            else:
                while self.size < end:
                    self.size += os.pwrite(self.fd, memoryview(piece)[len(piece) - (end - self.size) :], self.size)
        except OSError as error:
            raise BeyondLimitError(f"nowhere to decompress to: {error.strerror}") from error
        self.size = end

    def read_at(self, offset: int, length: int) -> bytes:
        return OpenFile(self.fd, self.size).read_at(offset, length)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        OpenFile(self.fd, self.size).read_into(buffer, offset)


def spooled(pieces: Iterable[bytes], budget: Budget) -> Data:
    """Return all PIECES as one data, charged to BUDGET. Raises BeyondLimitError."""
    spool = Spool()
    for piece in pieces:
        budget.decompress(len(piece))
        spool.write(piece)
    return whole(spool)
