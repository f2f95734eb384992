"""Work that is done by all processors, with results that do not depend on how many there are."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, NamedTuple, Protocol, TypeVar

from ci_toolkit.formats.source import Disk

Item = TypeVar("Item")
Result = TypeVar("Result")

# So many results per thread may wait for the one before them.
_AHEAD: Final = 4
# Blocks that one thread compresses at once.
_BATCH: Final = 32


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def ordered(function: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None) -> Iterator[Result]:
    """Yield what FUNCTION makes of each of ITEMS, in their order; it is called in THREADS, all processors by default.

    ITEMS are asked for one by one in the caller's thread, and few more of them are held than there are threads.
    """
    threads = threads or processors()
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= _AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for left in waiting:
                left.cancel()


class Compressor(Protocol):
    """What compresses one content by itself."""

    def compress(self, data: bytes, /) -> bytes: ...


class Packed(NamedTuple):
    """The block of NUMBER: compressed, or as it is where that would not be SMALLER."""

    number: int
    content: bytes
    smaller: bool


def packed(disk: Disk, size: int, compressor: Callable[[], Compressor]) -> Iterator[Packed]:
    """Yield the blocks of SIZE bytes of DISK in which there is more than zeros, each compressed by itself."""

    def batches() -> Iterator[list[tuple[int, bytes]]]:
        batch: list[tuple[int, bytes]] = []
        for number in disk.blocks(size):
            batch.append((number, disk.read(number * size, size)))
            if len(batch) == _BATCH:
                yield batch
                batch = []
        yield batch

    def pack(batch: list[tuple[int, bytes]]) -> list[Packed]:
        compress = compressor().compress  # one thread's own
        found = []
        for number, block in batch:
            stream = compress(block)
            smaller = len(stream) < len(block)
            found.append(Packed(number, stream if smaller else block, smaller))
        return found

    for done in ordered(pack, batches()):
        yield from done
