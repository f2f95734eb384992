"""A scan that other processes do while this one does something else."""

import os
import resource
import signal
import threading
from array import array
from collections.abc import Callable
from functools import partial
from mmap import mmap
from typing import BinaryIO, Final

from ci_toolkit.compare.scan import AT_ONCE, Pieces, Scan, merged, scan, unequal
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data, OpenFile
from ci_toolkit.images.limits import MIB

# Who has done one stripe takes the next one: what differs, and takes longer, is mostly all in one place.
_STRIPE: Final = 16 * MIB
# The numbers of all stripes lie in a pipe, which may hold no more than a page.
_STRIPES_MAX: Final = 1000
_NUMBER: Final = 4
_WORKERS_MAX: Final = 4
_NICER: Final = 10
_WORTH_A_WORKER: Final = 64 * MIB
_NONE: Final = 1 << 63
_SAME: Final = b"\1"
_DIFFERS: Final = b"\2"


class Scanning:
    """A scan of the bytes before `end`, by blocks of a power of two from 4 KiB on; to be closed.

    `workers` is how many other processes do it, by default as many as help. Without any, nothing is done before it is
    asked for.
    """

    def __init__(self, a: Data, b: Data, end: int, block: int, workers: int | None = None) -> None:
        self._a, self._b, self._end, self._block = a, b, end, block
        workers = _worth(a, b, end) if workers is None else workers
        stripe = max(_STRIPE, -(-end // _STRIPES_MAX)) if workers else max(end, 1)
        # Pieces and maps begin with a stripe.
        self._stripe = -(-stripe // max(block, AT_ONCE)) * max(block, AT_ONCE)
        count = -(-end // self._stripe)
        self._queue = _filled(count)
        self._stripes = range(count)
        # Of each stripe, what has become of it; all processes see that at once.
        self._known = mmap(-1, max(count, 1))
        self._result: Scan | None = None
        self._failure: UnreadableError | None = None
        # Something comes out of it when something differs, or it ends when nobody is left to write.
        self._news, tell = os.pipe()
        self._children = [_Child(partial(self.share, tell)) for _ in range(workers)]
        os.close(tell)

    @property
    def goes_on(self) -> bool:
        """Tell whether other processes are at it."""
        return bool(self._children)

    def has_found(self) -> bool:
        """Tell whether anything differs, as soon as something is found. Raises UnreadableError."""
        if self._children and _DIFFERS not in self._known[:]:
            os.read(self._news, 1)
        return _DIFFERS in self._known[:] or bool(self.result().numbers)

    def differs(self, start: int, end: int) -> bool | None:
        """Tell whether anything between START and END differs, if that is known already."""
        if end > self._end:
            return None
        inner = self._known[-(-start // self._stripe) : end // self._stripe]
        if _DIFFERS in inner:
            return True
        outer = self._known[start // self._stripe : -(-end // self._stripe)]
        return False if outer.count(_SAME) == len(outer) else None

    def result(self) -> Scan:
        """Wait for all that differs. Raises UnreadableError, and then again."""
        if self._failure is not None:
            raise self._failure
        if self._result is None:
            try:
                self._result = self._finished()
            except UnreadableError as error:
                self._failure = error
                raise
            finally:
                self.close()
        return self._result

    def close(self) -> None:
        """End what still runs."""
        for child in self._children:
            child.close()
        self._children.clear()
        if self._queue >= 0:
            os.close(self._queue)
            os.close(self._news)
            self._queue = -1

    def share(self, tell: int) -> tuple[list[int], Scan]:
        """Scan stripes as long as there are any, in another process, and write to TELL when one differs.

        Return which, and what was found in them.
        """
        from ci_toolkit.compare import mapped

        possible = mapped.is_possible(self._a) and mapped.is_possible(self._b)
        stripes: list[int] = []
        found = Scan()
        while number := os.read(self._queue, _NUMBER):
            stripes.append(int.from_bytes(number, "little"))
            known = len(found.numbers)
            self._scan(stripes[-1], found, mapped.unequal if possible else unequal)
            if not known and found.numbers:
                os.write(tell, b"!")
        return stripes, found

    def _finished(self) -> Scan:
        shares = [child.result() for child in self._children]
        # A child that failed met what we meet again, and can say: a file that ends early.
        rest = Scan()
        for number in sorted(set(self._stripes).difference(*(stripes for stripes, _ in shares))):
            self._scan(number, rest, unequal)
        return merged([rest, *(found for _, found in shares)], self._stripe // self._block)

    def _scan(self, number: int, found: Scan, pieces: Callable[[Data, Data, int, int], Pieces]) -> None:
        begin, before = number * self._stripe, len(found.numbers)
        scan(pieces(self._a, self._b, begin, min(begin + self._stripe, self._end)), self._block, found)
        self._known[number] = _SAME[0] if len(found.numbers) == before else _DIFFERS[0]


def _worth(a: Data, b: Data, end: int) -> int:
    """Return how many processes are worth it; none where forking is not safe, or two would share one position."""
    plain = isinstance(a.root, OpenFile) and isinstance(b.root, OpenFile)
    processors = len(os.sched_getaffinity(0))
    if not plain or threading.active_count() > 1 or processors == 1 or end < 2 * _WORTH_A_WORKER:
        return 0
    return min(_WORKERS_MAX, processors, end // _WORTH_A_WORKER)


def _filled(count: int) -> int:
    """Return where to read the numbers below COUNT from, one after the other, whichever process does."""
    reading, writing = os.pipe()
    os.write(writing, b"".join(number.to_bytes(_NUMBER, "little") for number in range(count)))
    os.close(writing)
    return reading


class _Child:
    """A copy of this process that does its share of a scan, and writes what it found into a pipe."""

    def __init__(self, share: Callable[[], tuple[list[int], Scan]]) -> None:
        reading, writing = os.pipe()
        self._pipe = os.fdopen(reading, "rb")
        try:
            self._pid = os.fork()
        except OSError:  # too many processes: the pipe stays empty
            self._pid = -1
        if self._pid == 0:
            code = 1
            try:
                _humble()
                with os.fdopen(writing, "wb") as pipe:
                    _write(pipe, *share())
                code = 0
            except BaseException:
                pass
            finally:
                os._exit(code)
        os.close(writing)

    def result(self) -> tuple[list[int], Scan]:
        """Wait for what was found, and in which stripes; in none where the process failed."""
        found = _read(self._pipe)
        if self._pid > 0:
            _, status = os.waitpid(self._pid, 0)
            self._pid = -1
            if status == 0 and found is not None:
                return found
        return [], Scan()

    def close(self) -> None:
        """End the process, if it was not waited for."""
        self._pipe.close()
        if self._pid > 0:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = -1


def _humble() -> None:
    """Leave the processor to who waits for more than this, and end quietly where a file cannot be read."""
    os.nice(_NICER)
    signal.signal(signal.SIGBUS, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _write(pipe: BinaryIO, stripes: list[int], found: Scan) -> None:
    header = array("Q", (len(stripes), len(found.numbers), _NONE if found.first is None else found.first))
    for part in (header, array("Q", stripes), found.numbers, found.counts):
        pipe.write(part.tobytes())


def _read(pipe: BinaryIO) -> tuple[list[int], Scan] | None:
    raw = array("Q")
    content = pipe.read()
    raw.frombytes(content[: len(content) // raw.itemsize * raw.itemsize])
    if len(raw) < 3 or len(raw) != 3 + raw[0] + 2 * raw[1]:
        return None
    numbers, counts = 3 + raw[0], 3 + raw[0] + raw[1]
    first = None if raw[2] == _NONE else raw[2]
    return list(raw[3:numbers]), Scan(numbers=raw[numbers:counts], counts=raw[counts:], first=first)
