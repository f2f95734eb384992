"""One pass over two images, on several processors: which blocks differ, and in how many bytes."""

import errno
import os
import signal
import threading
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from ci_toolkit.images.data import Data, Nested, OpenFile, Root
from ci_toolkit.images.limits import MIB

# Read into buffers that are used again and again: fresh memory would cost more than the comparison.
AT_ONCE: Final = 1 << 18
_SMALL: Final = 4096
# Each process takes every n-th stripe, as what differs is mostly all in one place.
_STRIPE: Final = 16 * MIB
_WORKERS_MAX: Final = 4
_WORTH_A_WORKER: Final = 64 * MIB
_NONE: Final = 1 << 63


@dataclass(slots=True)
class Scan:
    """The numbers of the blocks that differ, ascending, how many bytes differ in each, and the first one's offset."""

    numbers: "array[int]" = field(default_factory=lambda: array("Q"))
    counts: "array[int]" = field(default_factory=lambda: array("Q"))
    first: int | None = None

    def add(self, number: int, first: int, count: int) -> None:
        """Add COUNT differing bytes of a block, the last one so far or a later one; the first of them is at FIRST."""
        if self.first is None:
            self.first = first
        if self.numbers and self.numbers[-1] == number:
            self.counts[-1] += count
        else:
            self.numbers.append(number)
            self.counts.append(count)


def scan(a: Data, b: Data, end: int, block: int, workers: int | None = None) -> Scan:
    """Compare the bytes before END; WORKERS is how many processes do, by default as many as help.

    BLOCK is a power of two between 4 KiB and 16 MiB. Raises UnreadableError.
    """
    workers = _worth(a, b, end) if workers is None else workers
    children = [_Child(a, b, end, block, (number, workers)) for number in range(1, workers)]
    try:
        own = _stripes(a, b, end, block, (0, workers))
        # A child that failed met what we meet again, and can say: a file that ends early.
        others = [child.result() or _stripes(a, b, end, block, child.share) for child in children]
    finally:
        for child in children:
            child.close()
    return _merged([own, *others]) if others else own


def _worth(a: Data, b: Data, end: int) -> int:
    """Return how many processes are worth it; one where forking is not safe, or two would share one position."""
    plain = isinstance(a.root, OpenFile) and isinstance(b.root, OpenFile)
    if not plain or threading.active_count() > 1:
        return 1
    return max(1, min(_WORKERS_MAX, len(os.sched_getaffinity(0)), end // _WORTH_A_WORKER))


def _stripes(a: Data, b: Data, end: int, block: int, share: tuple[int, int]) -> Scan:
    """Scan every n-th stripe, from one on that SHARE names: (which, n)."""
    found = Scan()
    first, workers = share
    stripe = max(_STRIPE, block) if workers > 1 else max(end, 1)
    step = min(block, AT_ONCE)
    for begin in range(first * stripe, end, workers * stripe):
        for offset, one, other in unequal(a, b, begin, min(begin + stripe, end)):
            for start in range(0, len(one), step):
                x, y = one[start : start + step], other[start : start + step]
                if x != y:
                    mask = differing(x, y)
                    place = offset + start + len(mask) - len(mask.lstrip(b"\0"))
                    found.add(place // block, place, len(mask) - mask.count(0))
    return found


def _merged(scans: list[Scan]) -> Scan:
    pairs = [pair for scan in scans for pair in zip(scan.numbers, scan.counts, strict=True)]
    pairs.sort()  # rows that ascend are merged, not sorted
    firsts = [scan.first for scan in scans if scan.first is not None]
    return Scan(
        numbers=array("Q", (number for number, _ in pairs)),
        counts=array("Q", (count for _, count in pairs)),
        first=min(firsts, default=None),
    )


class _Child:
    """A copy of this process that scans its SHARE, and writes what it found into a pipe."""

    def __init__(self, a: Data, b: Data, end: int, block: int, share: tuple[int, int]) -> None:
        self.share = share
        reading, writing = os.pipe()
        self._pipe = os.fdopen(reading, "rb")
        try:
            self._pid = os.fork()
        except OSError:  # too many processes: the pipe stays empty
            self._pid = -1
        if self._pid == 0:
            code = 1
            try:
                with os.fdopen(writing, "wb") as pipe:
                    _write(pipe, _stripes(a, b, end, block, share))
                code = 0
            except BaseException:
                pass
            finally:
                os._exit(code)
        os.close(writing)

    def result(self) -> Scan | None:
        """Wait for what was found; None where the process failed."""
        found = _read(self._pipe)
        if self._pid > 0:
            _, status = os.waitpid(self._pid, 0)
            self._pid = -1
            return found if status == 0 else None
        return None

    def close(self) -> None:
        """End the process, if it was not waited for."""
        self._pipe.close()
        if self._pid > 0:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)


def _write(pipe: BinaryIO, found: Scan) -> None:
    header = array("Q", (len(found.numbers), _NONE if found.first is None else found.first))
    for part in (header, found.numbers, found.counts):
        pipe.write(part.tobytes())


def _read(pipe: BinaryIO) -> Scan | None:
    raw = array("Q")
    content = pipe.read()
    raw.frombytes(content[: len(content) // raw.itemsize * raw.itemsize])
    if len(raw) < 2 or len(raw) != 2 + 2 * raw[0]:
        return None
    count = raw[0]
    return Scan(numbers=raw[2 : 2 + count], counts=raw[2 + count :], first=None if raw[1] == _NONE else raw[1])


def differing(x: bytes, y: bytes) -> bytes:
    """Return a byte for each position of the longer one: zero where both are equal."""
    shared = min(len(x), len(y))
    # One operation on large integers is far faster than a loop over bytes.
    mask = (int.from_bytes(x[:shared], "little") ^ int.from_bytes(y[:shared], "little")).to_bytes(shared, "little")
    return mask + b"\xff" * (max(len(x), len(y)) - shared)


def unequal(a: Data, b: Data, start: int, end: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (offset, bytes of A, bytes of B) of the pieces between START and END that are not equal."""
    if end - start <= _SMALL:
        one, other = a.read_at(start, end - start), b.read_at(start, end - start)
        if one != other:
            yield start, one, other
        return
    x, y = (bytearray(min(end - start, AT_ONCE)) for _ in range(2))
    holes = _Holes(a.root), _Holes(b.root)
    offset = start
    while offset < end:
        here = min(hole.next_data(offset) for hole in holes)
        # The pieces stay aligned to the blocks that are counted.
        offset = max(offset, here // AT_ONCE * AT_ONCE)
        length = min(AT_ONCE - offset % AT_ONCE, end - offset)
        if length <= 0:
            return
        views = memoryview(x)[:length], memoryview(y)[:length]
        a.read_into(views[0], offset)
        b.read_into(views[1], offset)
        if x != y:
            one, other = bytes(views[0]), bytes(views[1])
            # Beyond LENGTH, both may have what was there before.
            if one != other:
                yield offset, one, other
        offset += length


class _Holes:
    """Finds the holes of a sparse file or disk, in ascending order."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._data = 0
        self._hole = 0

    def next_data(self, offset: int) -> int:
        """Return where the first byte from OFFSET on lies that is in no hole; beyond the end for none."""
        if isinstance(self._root, Nested):
            return self._root.data.hole_until(offset)
        if not isinstance(self._root, OpenFile):
            return offset
        if offset >= self._hole:
            try:
                self._data = os.lseek(self._root.fd, offset, os.SEEK_DATA)
                self._hole = os.lseek(self._root.fd, self._data, os.SEEK_HOLE)
            except OSError as error:
                # There is nothing but a hole up to the end; or the file system cannot say.
                self._data = self._hole = 1 << 63 if error.errno == errno.ENXIO else offset
        return max(offset, self._data)
