"""A file that is changed in its place, so that holes stay holes."""

import os
from types import TracebackType
from typing import Final, Self

_CHUNK: Final = 1 << 16


class Image:
    """An open file, read and written at any place; what lies beyond the end is nothing."""

    def __init__(self, path: str, *, writable: bool = True) -> None:
        self.fd = os.open(path, os.O_RDWR if writable else os.O_RDONLY)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self.fd)

    @property
    def size(self) -> int:
        return os.fstat(self.fd).st_size

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self.fd, length, offset) if 0 <= offset < 1 << 62 else b""

    def write(self, offset: int, content: bytes) -> None:
        """Write as much of CONTENT as there is room for."""
        if 0 <= offset < self.size:
            os.pwrite(self.fd, content[: self.size - offset], offset)

    def resize(self, size: int) -> None:
        os.ftruncate(self.fd, size)

    def replace(self, content: bytes) -> None:
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, content, 0)

    def data(self) -> list[tuple[int, int]]:
        """Return where there is data (begin, end), in order."""
        found: list[tuple[int, int]] = []
        position = 0
        while position < self.size:
            try:
                start = os.lseek(self.fd, position, os.SEEK_DATA)
            except OSError:
                break
            position = os.lseek(self.fd, start, os.SEEK_HOLE)
            found.append((start, position))
        return found


def differing(a: Image, b: Image) -> tuple[int, int | None]:
    """Count the positions at which two files differ, with the difference of their sizes; and the first of them."""
    shared = min(a.size, b.size)
    chunks = {
        offset // _CHUNK
        for image in (a, b)
        for start, end in image.data()
        for offset in range(start // _CHUNK * _CHUNK, end, _CHUNK)
    }
    count, first = 0, None
    for number in sorted(chunks):
        start = number * _CHUNK
        length = max(0, min(_CHUNK, shared - start))
        x, y = a.read(start, length), b.read(start, length)
        if x == y:
            continue
        places = [place for place, (one, other) in enumerate(zip(x, y, strict=True)) if one != other]
        count += len(places)
        first = start + places[0] if first is None else first
    if a.size != b.size and first is None:
        first = shared
    return count + abs(a.size - b.size), first
