"""Bytes at random places: a file, a window of it, or runs scattered over it."""

import io
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple, Protocol

from ci_toolkit.errors import UnreadableError

# Small enough to stay in the processor's cache, and below what malloc maps afresh for each allocation.
CHUNK = 1 << 16

# How a file of a directory tree is opened: since it was listed, it may have become a link or a FIFO.
PLAIN_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Buffer = bytearray | memoryview


class Run(NamedTuple):
    """`length` bytes of a data from `start` on, which lie at `offset` of its root; None is a hole, read as zeros."""

    start: int
    length: int
    offset: int | None


class Root(Protocol):
    """What has bytes of its own. Both reads give exactly as many as asked for, or raise UnreadableError."""

    @property
    def size(self) -> int: ...

    def read_at(self, offset: int, length: int) -> bytes: ...

    def read_into(self, buffer: memoryview, offset: int) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class OpenFile:
    """A file that somebody else keeps open; `held` is how many bytes it has on disk, None where that is not known."""

    fd: int
    size: int
    name: str = ""
    held: int | None = None

    def read_at(self, offset: int, length: int) -> bytes:
        return _exactly(self.fd, offset, length, self.name)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        _fill(self.fd, buffer, offset, self.name)


@dataclass(frozen=True, slots=True, eq=False)
class ClosedFile:
    """A file of a directory tree: opened for each read, so that a tree of any size needs no descriptors."""

    path: str
    size: int

    def read_at(self, offset: int, length: int) -> bytes:
        fd = self._open()
        try:
            return _exactly(fd, offset, length, self.path)
        finally:
            os.close(fd)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        fd = self._open()
        try:
            _fill(fd, buffer, offset, self.path)
        finally:
            os.close(fd)

    def _open(self) -> int:
        try:
            return os.open(self.path, PLAIN_FILE)
        except OSError as error:
            raise UnreadableError(f"{self.path}: {error.strerror}") from error


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """Bytes that were stored inside another structure."""

    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    def read_at(self, offset: int, length: int) -> bytes:
        return self.content[offset : offset + length]

    def read_into(self, buffer: memoryview, offset: int) -> None:
        buffer[:] = self.content[offset : offset + len(buffer)]


@dataclass(frozen=True, slots=True, eq=False)
class Nested:
    """Another data, taken for a file of its own."""

    data: "Data"

    @property
    def size(self) -> int:
        return self.data.size

    def read_at(self, offset: int, length: int) -> bytes:
        return self.data.read_at(offset, length)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        self.data.read_into(buffer, offset)


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """`size` bytes; `runs` cover all of them in order, holes included, and point into `root`."""

    root: Root
    runs: tuple[Run, ...]
    size: int

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to LENGTH bytes from OFFSET on, fewer only at the end. Raises UnreadableError."""
        if len(self.runs) == 1 and self.runs[0].offset is not None:
            length = max(0, min(length, self.size - offset))
            return self.root.read_at(self.runs[0].offset + offset, length) if length else b""
        pieces = [
            bytes(run.length) if run.offset is None else self.root.read_at(run.offset, run.length)
            for run in self._slice(offset, min(offset + length, self.size))
        ]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read_into(self, buffer: Buffer, offset: int) -> int:
        """Fill BUFFER with the bytes from OFFSET on, and return how many there are. Raises UnreadableError."""
        end = min(offset + len(buffer), self.size)
        view = memoryview(buffer)
        for run in self._slice(offset, end):
            part = view[run.start - offset : run.start - offset + run.length]
            if run.offset is None:
                part[:] = bytes(run.length)
            else:
                self.root.read_into(part, run.offset)
        return max(0, end - offset)

    def window(self, offset: int, length: int) -> "Data":
        """Return LENGTH bytes from OFFSET on as data of their own. Raises UnreadableError beyond the end."""
        # Archives have a million members, many of them empty, and lie in one piece.
        if 0 <= length <= self.size - offset and offset >= 0:
            if not length:
                return Data(self.root, (), 0)
            if len(self.runs) == 1 and self.runs[0].offset is not None:
                return Data(self.root, (Run(0, length, self.runs[0].offset + offset),), length)
        return self.scattered(((0, length, offset),), length)

    def scattered(self, pieces: Iterable[tuple[int, int, int]], size: int) -> "Data":
        """Return SIZE bytes made of PIECES (start, length, offset here) in order of start, with holes between them.

        Raises UnreadableError for pieces that overlap or that lie beyond the end.
        """
        runs: list[Run] = []
        position = 0
        for start, length, offset in pieces:
            if start < position or length < 0:
                raise UnreadableError("two pieces of one file overlap")
            if start >= size:
                break
            if start > position:
                _append(runs, Run(position, start - position, None))
            length = min(length, size - start)
            for run in self.located(offset, length):
                _append(runs, Run(start + run.start, run.length, run.offset))
            position = start + length
        if position < size:
            _append(runs, Run(position, size - position, None))
        return Data(self.root, tuple(runs), size)

    def gathered(self, spans: Iterable[tuple[int, int]]) -> "Data":
        """Return SPANS (offset, length), in any order, one after the other. Raises UnreadableError beyond the end."""
        pieces: list[tuple[int, int, int]] = []
        size = 0
        for offset, length in spans:
            pieces.append((size, length, offset))
            size += length
        return self.scattered(pieces, size)

    def located(self, offset: int, length: int) -> list[Run]:
        """Return the runs that LENGTH bytes from OFFSET on lie in, with starts counted from OFFSET.

        Raises UnreadableError when they lie beyond the end.
        """
        if offset < 0 or offset + length > self.size:
            raise UnreadableError(f"byte {offset + length} was asked for, of {self.size}")
        if len(self.runs) == 1 and self.runs[0].offset is not None:
            return [Run(0, length, self.runs[0].offset + offset)] if length else []
        return [Run(run.start - offset, run.length, run.offset) for run in self._slice(offset, offset + length)]

    def hole_until(self, offset: int) -> int:
        """Return where the hole that OFFSET lies in ends; OFFSET itself where there are bytes."""
        index = max(0, bisect_right(self.runs, offset, key=_start_of) - 1)
        run = self.runs[index]
        return run.start + run.length if run.offset is None else offset

    def chunks(self) -> Iterator[bytes]:
        for offset in range(0, self.size, CHUNK):
            yield self.read_at(offset, CHUNK)

    def open(self) -> BinaryIO:
        return io.BufferedReader(self.raw(), 1 << 16)

    def raw(self) -> io.RawIOBase:
        return _Reader(self)

    def _slice(self, offset: int, end: int) -> Iterator[Run]:
        index = max(0, bisect_right(self.runs, offset, key=_start_of) - 1)
        while offset < end:
            run = self.runs[index]
            skipped = offset - run.start
            length = min(run.length - skipped, end - offset)
            yield Run(offset, length, None if run.offset is None else run.offset + skipped)
            offset += length
            index += 1


@dataclass(frozen=True, slots=True, eq=False)
class Held(Data):
    """Bytes in memory that very many questions are asked about."""

    content: bytes

    def read_at(self, offset: int, length: int) -> bytes:
        return self.content[offset : offset + length]


class _Reader(io.RawIOBase):
    """The file-like face of a data, for the standard library's readers."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._data.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        length = self._data.read_into(buffer, self._position)
        self._position += length
        return length


def whole(root: Root) -> Data:
    """Return all bytes of ROOT."""
    return Data(root, (Run(0, root.size, 0),) if root.size else (), root.size)


def alone(data: Data) -> Data:
    """Return DATA as if it lay in one piece in a file of its own, with its holes."""
    runs = tuple(Run(run.start, run.length, None if run.offset is None else run.start) for run in data.runs)
    return Data(Nested(data), runs, data.size)


def joined(parts: Iterable[Data]) -> Data:
    """Return PARTS, which share one root, one after the other and without their holes."""
    runs: list[Run] = []
    position = 0
    root: Root = Memory(b"")
    for part in parts:
        root = part.root
        for run in part.runs:
            if run.offset is not None:
                runs.append(Run(position, run.length, run.offset))
                position += run.length
    return Data(root, tuple(runs), position)


def held(content: bytes) -> Data:
    return Held(Memory(content), (Run(0, len(content), 0),) if content else (), len(content), content)


def stored(content: bytes) -> Data:
    return whole(Memory(content))


def _fill(fd: int, buffer: memoryview, offset: int, name: str) -> None:
    try:
        while buffer:
            length = os.preadv(fd, [buffer], offset)
            if not length:
                raise _early(name, offset, len(buffer))
            buffer, offset = buffer[length:], offset + length
    except OSError as error:
        raise _broken(name, offset, error) from error


def _exactly(fd: int, offset: int, length: int, name: str) -> bytes:
    try:
        found = os.pread(fd, length, offset)
        while len(found) < length:
            more = os.pread(fd, length - len(found), offset + len(found))
            if not more:
                raise _early(name, offset + len(found), length - len(found))
            found += more
    except OSError as error:
        raise _broken(name, offset, error) from error
    return found


def _early(name: str, end: int, missing: int) -> UnreadableError:
    return UnreadableError(f"{name}: ends at byte {end}, {missing} bytes early".removeprefix(": "))


def _broken(name: str, offset: int, error: OSError) -> UnreadableError:
    return UnreadableError(f"{name}: byte {offset} could not be read: {error.strerror}".removeprefix(": "))


def _start_of(run: Run) -> int:
    return run.start


def _append(runs: list[Run], run: Run) -> None:
    """Add RUN, joined to the last one where both lie in one piece."""
    if runs:
        last = runs[-1]
        if last.offset is None and run.offset is None:
            runs[-1] = Run(last.start, last.length + run.length, None)
            return
        if last.offset is not None and last.offset + last.length == run.offset:
            runs[-1] = Run(last.start, last.length + run.length, last.offset)
            return
    runs.append(run)
