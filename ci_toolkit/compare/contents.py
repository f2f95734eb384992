"""What is kept of a content: its size, its digest and its beginning."""

import hashlib
from collections.abc import Callable
from threading import Event
from typing import Final

from ci_toolkit.compare.difference import Content
from ci_toolkit.images.data import Data
from ci_toolkit.images.limits import BeyondLimitError, Budget

# Hashing and reading let other threads run, but waiting for one's turn again takes up to 5 ms each time.
_HASHED_AT_ONCE: Final = 8 << 20


def digest(data: Data, stop: Event | None = None) -> str:
    """Return the SHA-256 of DATA in hexadecimal, of no meaning once another thread has set STOP."""
    found = hashlib.sha256()
    buffer = bytearray(min(data.size, _HASHED_AT_ONCE))
    view = memoryview(buffer)
    for offset in range(0, data.size, _HASHED_AT_ONCE):
        if stop is not None and stop.is_set():
            break
        found.update(view[: data.read_into(buffer, offset)])
    return found.hexdigest()


def keep(data: Data, budget: Budget, sha256: Callable[[Data], str] = digest) -> Content:
    """Read DATA once. Beyond the budget the head is empty, or the digest "". Raises UnreadableError."""
    length = budget.keep(data.size)
    head = data.read_at(0, length) if length else b""
    try:
        budget.read(data.size)
    except BeyondLimitError:
        return Content(size=data.size, sha256="", head=head)
    return Content(size=data.size, sha256=sha256(data), head=head)
