"""Digests of large contents, made beside the walk: hashing and reading let other threads run."""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Final

from ci_toolkit.compare.contents import digest
from ci_toolkit.compare.difference import Content, Difference, Value
from ci_toolkit.compare.ledger import Steps
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.archives.spool import Spool
from ci_toolkit.images.data import Data, OpenFile
from ci_toolkit.images.limits import MIB

# Below it, to hand over costs as much as to hash.
_SMALLEST: Final = MIB
# Others unpack while they are read, and are no good in two threads at once.
_PLAIN: Final = (OpenFile, Spool)


class Digests:
    """Hands out tickets in place of digests, and puts the digests in their places in the end.

    Where they are not WANTED, large contents have none.
    """

    def __init__(self, *, wanted: bool = True) -> None:
        self._wanted = wanted
        self._pool = ThreadPoolExecutor(max(1, len(os.sched_getaffinity(0)) - 1))
        self._stop = Event()
        self._waiting: dict[str, Future[str]] = {}

    def of(self, data: Data) -> str:
        """Return the SHA-256 of DATA in hexadecimal, or a ticket for it. Raises UnreadableError."""
        if data.size < _SMALLEST or not isinstance(data.root, _PLAIN):
            return digest(data)
        if not self._wanted:
            return ""
        ticket = f"ticket {len(self._waiting)}"
        self._waiting[ticket] = self._pool.submit(digest, data, self._stop)
        return ticket

    def settled(self, difference: Difference, failed: Callable[[Steps, str], None]) -> Difference:
        """Return DIFFERENCE with digests for tickets; FAILED is told why a content, then None, could not be read."""
        before, after = (
            self._settled(difference.path, value, failed) for value in (difference.before, difference.after)
        )
        if before is difference.before and after is difference.after:
            return difference
        return replace(difference, before=before, after=after)

    def close(self) -> None:
        """Give up what nobody waits for any more."""
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)

    def _settled(self, path: Steps, value: Value, failed: Callable[[Steps, str], None]) -> Value:
        future = self._waiting.get(value.sha256) if isinstance(value, Content) else None
        if future is None or not isinstance(value, Content):
            return value
        try:
            return replace(value, sha256=future.result())
        except UnreadableError as error:
            failed(path, error.message)
            return None
