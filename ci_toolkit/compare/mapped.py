"""Two files compared where the kernel keeps them: nothing is copied but blocks that differ."""

import ctypes
from mmap import ACCESS_COPY, mmap
from typing import Final

from ci_toolkit.compare.scan import Pieces, steps
from ci_toolkit.images.data import Data, OpenFile, whole

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
    one, other = _mapped(a, start, end), _mapped(b, start, end)
    # Of a map that could not be written to, ctypes tells no address; what is written would be this process's own.
    x, y = (ctypes.addressof(ctypes.c_char.from_buffer(found)) for found in (one, other))
    views = memoryview(one), memoryview(other)
    for offset, length in steps(a, b, start, end):
        place = offset - start
        if _memcmp(x + place, y + place, length):
            yield offset, views[0][place : place + length], views[1][place : place + length]


def _mapped(data: Data, start: int, end: int) -> mmap:
    assert isinstance(data.root, OpenFile)
    return mmap(data.root.fd, end - start, access=ACCESS_COPY, offset=start)
