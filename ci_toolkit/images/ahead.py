"""Small reads that mostly follow each other, as of the headers of an archive, without a system call for each."""

from typing import Final

from ci_toolkit.images.data import Data
from ci_toolkit.images.limits import KIB

# A header and its name come with the first read; where nothing is skipped between two, more and more is read at once.
_LEAST: Final = 512
_MOST: Final = 64 * KIB


class Ahead:
    """Reads DATA from any place on, fastest forwards."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._held = b""
        self._start = 0
        self._step = _LEAST

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to LENGTH bytes from OFFSET on, fewer only at the end. Raises UnreadableError."""
        start = offset - self._start
        end = start + length
        if start < 0 or end > len(self._held):
            self._fill(offset, length)
            return self._held[:length]
        return self._held[start:end]

    def _fill(self, offset: int, length: int) -> None:
        follows = 0 <= offset - self._start <= len(self._held)
        self._step = min(2 * self._step, _MOST) if follows else _LEAST
        self._held = self._data.read_at(offset, max(length, self._step))
        self._start = offset
