"""What all virtual disks share: the raw disk inside, put together from clusters all over the file."""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import zstandard

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data, whole
from ci_toolkit.images.entry import Container, Entry, Fact, Kind, Region
from ci_toolkit.images.limits import Budget

# Where a cluster of the disk begins, its length, and where it lies in the file.
Piece = tuple[int, int, int]
Unpack = Callable[[bytes, int], bytes]

# What belongs to no table: the clusters of the disk, and room for more.
REMAINDER: Final = "clusters"
# Unpacked clusters that are kept, since the next read mostly asks for the same.
_KEPT: Final = 8 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Patchwork:
    """A file, and behind its bytes those of its compressed clusters, each unpacked when it is read.

    `packed` are the (offset, length) of the clusters in the file; each comes to `unit` bytes.
    """

    data: Data
    unit: int
    packed: Sequence[tuple[int, int]]
    unpack: Unpack
    _recent: dict[int, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return self.data.size + self.unit * len(self.packed)

    def starts_at(self, number: int) -> int:
        """Return where the cluster of NUMBER begins."""
        return self.data.size + self.unit * number

    def read_at(self, offset: int, length: int) -> bytes:
        pieces = []
        end = offset + length
        while offset < end:
            if offset < self.data.size:
                piece = self.data.read_at(offset, min(end, self.data.size) - offset)
            else:
                number, start = divmod(offset - self.data.size, self.unit)
                piece = self._cluster(number)[start : start + end - offset]
            pieces.append(piece)
            offset += len(piece)
        return b"".join(pieces)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        buffer[:] = self.read_at(offset, len(buffer))

    def _cluster(self, number: int) -> bytes:
        found = self._recent.get(number)
        if found is None:
            found = self.unpack(self.data.read_at(*self.packed[number]), self.unit)
            if len(found) < self.unit:
                raise UnreadableError(f"the compressed cluster at byte {self.packed[number][0]} is damaged")
            while len(self._recent) * self.unit >= max(_KEPT, self.unit):
                self._recent.pop(next(iter(self._recent)), None)
            self._recent[number] = found
        return found


def assembled(data: Data, pieces: Iterable[Piece], size: int) -> Data:
    """Return the disk of SIZE bytes that lies in PIECES of DATA. Raises UnreadableError where they cannot be believed.

    Without this a small file could claim one cluster for every place of a disk that takes days to read.
    """
    disk = data.scattered(_inside(data, pieces, size), size)
    if sum(run.length for run in disk.runs if run.offset is not None) > data.size:
        raise UnreadableError("the clusters of the disk overlap")
    return disk


def patched(
    data: Data, pieces: Iterable[Piece], packed: dict[int, tuple[int, int]], unit: int, size: int, unpack: Unpack
) -> Data:
    """The same with compressed clusters besides, `packed` by where they begin on the disk."""
    if not packed:
        return assembled(data, pieces, size)
    plain = _inside(data, pieces, size)
    if sum(length for _, length, _ in plain) > data.size:
        raise UnreadableError("the clusters of the disk overlap")
    root = Patchwork(data, unit, tuple(packed.values()), unpack)
    plain += [(start, unit, root.starts_at(number)) for number, start in enumerate(packed)]
    return whole(root).scattered(sorted(plain), size)


def _inside(data: Data, pieces: Iterable[Piece], size: int) -> list[Piece]:
    """Return PIECES in order, the last one cut to the disk. Raises UnreadableError for those beyond the file."""
    found = []
    for start, length, offset in sorted(pieces):
        length = min(length, size - start)
        if length <= 0:
            break
        if offset + length > data.size:
            raise UnreadableError(
                f"a cluster ends at byte {offset + length}, the file at byte {data.size}: the image is cut"
            )
        found.append((start, length, offset))
    return found


def container(
    name: str, disk: Data | None, budget: Budget, facts: Iterable[Fact], regions: Iterable[Region], refused: str = ""
) -> Container:
    """Return the container of one raw DISK; where there is none, REFUSED says why."""
    entries: tuple[Entry, ...] = ()
    if disk is not None:
        budget.member("")
        entries = (Entry(path="", kind=Kind.DISK, size=disk.size, data=disk),)
    return Container(
        format=name,
        entries=entries,
        facts=tuple(facts),
        regions=tuple(regions),
        remainder=REMAINDER,
        skipped=(("", refused),) if refused else (),
    )


def inflate(raw: bytes, unit: int) -> bytes:
    """Unpack a raw deflate stream, as qcow2 has it."""
    return _inflate(raw, unit, -15)


def unzip(raw: bytes, unit: int) -> bytes:
    """Unpack a zlib stream, as vmdk has it."""
    return _inflate(raw, unit, 15)


def unzstd(raw: bytes, unit: int) -> bytes:
    try:
        with zstandard.ZstdDecompressor(max_window_size=128 << 20).stream_reader(raw) as stream:
            return bytes(stream.read(unit))
    except zstandard.ZstdError as error:
        raise UnreadableError(f"a compressed cluster is damaged: {error}") from error


def _inflate(raw: bytes, unit: int, wbits: int) -> bytes:
    try:
        return zlib.decompressobj(wbits).decompress(raw, unit)
    except zlib.error as error:
        raise UnreadableError(f"a compressed cluster is damaged: {error}") from error


def within(data: Data, offset: int, length: int, what: str) -> bytes:
    """Return LENGTH bytes at OFFSET. Raises UnreadableError, naming WHAT is cut, where there are fewer."""
    found = data.read_at(offset, length) if offset < data.size else b""
    if len(found) < length:
        raise UnreadableError(f"{what} ends at byte {offset + length}, the file at byte {data.size}: the image is cut")
    return found


def spots(data: Data, name: str, spans: Iterable[tuple[int, int]]) -> list[Region]:
    """Return the SPANS (offset, length) as regions, cut to the file."""
    return [
        Region(name=name, data=data.window(offset, min(length, data.size - offset)))
        for offset, length in spans
        if 0 <= offset < data.size and length > 0
    ]
