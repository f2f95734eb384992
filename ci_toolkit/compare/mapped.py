"""Two files compared where the kernel keeps them: nothing is copied but blocks that differ."""

import ctypes
from mmap import ACCESS_COPY, mmap
from typing import Final

from ci_toolkit.compare.scan import AT_ONCE, Pieces, steps
from ci_toolkit.images.data import Data, OpenFile, whole

# Pages that are mapped count as this process's memory. A multiple of what is compared at once.
_MAPPED_AT_ONCE: Final = 64 * AT_ONCE

_memcmp: Final = ctypes.CDLL(None).memcmp
_memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


def is_possible(data: Data) -> bool:
    """Tell whether DATA is all of a file."""
    return isinstance(data.root, OpenFile) and data.runs == whole(data.root).runs


def unequal(a: Data, b: Data, start: int, end: int) -> Pieces:
    """Yield (offset, bytes of A, bytes of B) of the pieces between START and END that are not equal, as `scan` does.

    Where a file was cut meanwhile or cannot be read, SIGBUS ends the process: this is for processes that do something
    for another one. Raises OSError and ValueError where nothing can be mapped.
    """
    here: _Maps | None = None
    for offset, length in steps(a, b, start, end):
        if here is None or offset >= here.end:
            here = _Maps(a, b, offset, min(offset + _MAPPED_AT_ONCE, end))
        if here.differ(offset, length):
            yield offset, here.one(offset, length), here.other(offset, length)


class _Maps:
    """Both files from `begin` to `end`, mapped as long as somebody holds this or what it gave."""

    def __init__(self, a: Data, b: Data, begin: int, end: int) -> None:
        self._begin, self.end = begin, end
        maps = _mapped(a, begin, end), _mapped(b, begin, end)
        # Of a map that could not be written to, ctypes tells no address; what is written would be this process's own.
        self._x, self._y = (ctypes.addressof(ctypes.c_char.from_buffer(one)) for one in maps)
        self._one, self._other = memoryview(maps[0]), memoryview(maps[1])

    def differ(self, offset: int, length: int) -> bool:
        place = offset - self._begin
        return bool(_memcmp(self._x + place, self._y + place, length))

    def one(self, offset: int, length: int) -> memoryview:
        return self._one[offset - self._begin : offset - self._begin + length]

    def other(self, offset: int, length: int) -> memoryview:
        return self._other[offset - self._begin : offset - self._begin + length]


def _mapped(data: Data, begin: int, end: int) -> mmap:
    assert isinstance(data.root, OpenFile)
    return mmap(data.root.fd, end - begin, access=ACCESS_COPY, offset=begin)
