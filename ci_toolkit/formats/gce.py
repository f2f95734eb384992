"""What Google Compute Engine imports: disk.raw of whole GiB in a gzipped tar archive of the old GNU form, with holes.

https://cloud.google.com/compute/docs/import/import-existing-image#requirements_for_the_image_file
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ci_toolkit.formats import gzip
from ci_toolkit.formats.source import Disk
from ci_toolkit.formats.work import Work
from ci_toolkit.images.limits import GIB, MIB

_BLOCK: Final = 512
_NAME: Final = b"disk.raw"
_SPARSE: Final = b"S"
_MAGIC: Final = b"ustar  \0"
# The old GNU header holds the first four pieces of a sparse file, and each block that follows it 21 more.
_HEADER: Final = struct.Struct("100s8s8s8s12s12s8s1s100s8s32s32s8s8s41x96ss12s17x")
_FIRST: Final = 4
_MORE: Final = 21


def write(work: Work, target: Path) -> None:
    """Write the archive to TARGET."""
    disk = work.disk
    done = work.progress("gce")

    def content() -> Iterator[bytes]:
        yield from _headers(disk)
        for offset, length in disk.spans:
            for start in range(offset, offset + length, MIB):
                piece = disk.read(start, min(MIB, offset + length - start))
                yield piece
                done(len(piece))
        yield bytes(-disk.held % _BLOCK + 2 * _BLOCK)

    with target.open("wb") as file:
        file.writelines(gzip.compressed(content()))


def _headers(disk: Disk) -> Iterator[bytes]:
    """Yield the header of the one member, and the list of its pieces."""
    size = -(-disk.size // GIB) * GIB
    # A piece of no length at the end tells the size of a file that ends with a hole.
    pieces = [_number(offset) + _number(length) for offset, length in (*disk.spans, (size, 0))]
    first, rest = pieces[:_FIRST], pieces[_FIRST:]

    def header(checksum: bytes) -> bytes:
        return _HEADER.pack(
            _NAME, b"0000644\0", b"0000000\0", b"0000000\0", _number(disk.held), _number(0), checksum, _SPARSE, b"",
            _MAGIC, b"root", b"root", b"", b"", b"".join(first), b"\1" if rest else b"\0", _number(size),
        )  # fmt: skip

    yield header(b"%06o\0 " % sum(header(b" " * 8)))
    while rest:
        block, rest = rest[:_MORE], rest[_MORE:]
        yield b"".join(block).ljust(504, b"\0") + (b"\1" if rest else b"\0") + bytes(7)


def _number(value: int) -> bytes:
    """Return VALUE as octal digits, or in base 256 where it has too many."""
    if value < 8**11:
        return b"%011o\0" % value
    return b"\x80" + value.to_bytes(11, "big")
