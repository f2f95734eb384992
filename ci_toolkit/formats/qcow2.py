"""qcow2, version 3, with clusters that zstd compressed (docs/interop/qcow2.txt of QEMU).

`qemu-img convert -c` writes the same bytes each time, but others with another version of libzstd, and on one processor.
Written here they are those of the library that this package brings, wherever it runs.
"""

import struct
from array import array
from pathlib import Path
from typing import BinaryIO, Final

import zstandard

from ci_toolkit.formats.parallel import packed
from ci_toolkit.formats.work import Work
from ci_toolkit.images.limits import KIB

# Magic, version, backing file, bits of a cluster, size, encryption, first table, reference counts, snapshots; features,
# width of the counts, length of the header, compression.
_HEADER: Final = struct.Struct(">4sIQIIQIIQQIIQQQQIIB7x")
_BITS: Final = 16
_CLUSTER: Final = 64 * KIB
_WORDS: Final = _CLUSTER // 8
_COUNTS: Final = _CLUSTER // 2
_SECTOR: Final = 512
_COMPRESSION: Final = 1 << 3
_ZSTD: Final = 1
_OWN: Final = 1 << 63
_PACKED: Final = 1 << 62
_SECTORS_AT: Final = 62 - (_BITS - 8)
_LEVEL: Final = 6


def write(work: Work, target: Path) -> None:
    """Write the disk to TARGET."""
    disk = work.disk
    done = work.progress("qcow2")
    reach = _WORDS * _CLUSTER
    tables = {number: array("Q", bytes(_CLUSTER)) for number in disk.blocks(reach)}
    first = array("Q", bytes(-(-disk.size // reach) * 8))
    start = _CLUSTER + -(-len(first) * 8 // _CLUSTER) * _CLUSTER
    for place, number in enumerate(tables):
        first[number] = (start + place * _CLUSTER) | _OWN
    with target.open("wb") as file:
        clusters = _Clusters(file, start + len(tables) * _CLUSTER)
        for number, content, smaller in packed(disk, _CLUSTER, _compressor):
            tables[number // _WORDS][number % _WORDS] = clusters.add(content, smaller=smaller)
            done(_CLUSTER)
        counts, blocks = clusters.counted()
        header = _HEADER.pack(
            b"QFI\xfb", 3, 0, 0, _BITS, disk.size, 0, len(first), _CLUSTER, counts, blocks, 0, 0,
            _COMPRESSION, 0, 0, 4, _HEADER.size, _ZSTD,
        )  # fmt: skip
        file.seek(0)
        file.write(header)
        file.seek(_CLUSTER)
        _put(file, first)
        file.seek(start)
        for table in tables.values():
            _put(file, table)


class _Clusters:
    """Writes clusters one after the other, compressed ones without gaps, and counts who lies in which."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file = file
        self._counts = array("H", [1]) * (start // _CLUSTER)
        self._end = start  # of the last cluster that is taken
        self._free = start  # in the last cluster that has compressed ones

    def add(self, content: bytes, *, smaller: bool) -> int:
        """Write CONTENT, which is SMALLER than a cluster or one as it is, and return what the table says of it."""
        if not smaller:
            place = self._end
            self._take(place, _CLUSTER)
            self._write(place, content)
            return place | _OWN
        room = -self._free % _CLUSTER
        # What begins in the last cluster of all may go on in the next one.
        if room < len(content) and self._free + room != self._end:
            self._free = self._end
        place = self._free
        self._free += len(content)
        sectors = (self._free - 1) // _SECTOR - place // _SECTOR
        self._take(place, (place // _SECTOR + sectors + 1) * _SECTOR - place)
        self._write(place, content)
        return _PACKED | sectors << _SECTORS_AT | place

    def counted(self) -> tuple[int, int]:
        """Write the reference counts, and return where their table is and how many clusters it takes."""
        used = len(self._counts)
        blocks = clusters = 0
        while blocks * _COUNTS < used + blocks + clusters or clusters * _WORDS < blocks:
            blocks = -(-(used + blocks + clusters) // _COUNTS)
            clusters = -(-blocks // _WORDS)
        self._counts.extend([1] * (blocks + clusters))
        self._counts.extend([0] * (blocks * _COUNTS - len(self._counts)))
        table = array("Q", [(used + number) * _CLUSTER for number in range(blocks)])
        self._file.seek(used * _CLUSTER)
        _put(self._file, self._counts)
        _put(self._file, table)
        self._file.truncate((used + blocks + clusters) * _CLUSTER)
        return (used + blocks) * _CLUSTER, clusters

    def _take(self, place: int, length: int) -> None:
        last = (place + length - 1) // _CLUSTER
        while len(self._counts) <= last:
            self._counts.append(0)
            self._end += _CLUSTER
        for cluster in range(place // _CLUSTER, last + 1):
            self._counts[cluster] += 1

    def _write(self, place: int, content: bytes) -> None:
        self._file.seek(place)
        self._file.write(content)


def _compressor() -> "zstandard.ZstdCompressor":
    return zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True, write_checksum=False)


def _put(file: BinaryIO, numbers: "array[int]") -> None:
    swapped = numbers[:]
    swapped.byteswap()
    file.write(swapped.tobytes())
