"""The root file system as a tar archive that zstd compressed."""

from pathlib import Path
from typing import Final

import zstandard

from ci_toolkit.formats import tar
from ci_toolkit.formats.parallel import processors
from ci_toolkit.formats.work import Work

_LEVEL: Final = 9


def write(work: Work, target: Path) -> None:
    """Write the archive to TARGET."""
    pack(work, target, processors())


def pack(work: Work, target: Path, threads: int) -> None:
    """Write the archive to TARGET by THREADS, one or more: how many changes nothing, but without any it would be other.

    libzstd cuts the content into parts of one size for its threads, also for a single one.
    """
    tree = work.tree
    done = work.progress("tar.zst", tree.size)
    packer = zstandard.ZstdCompressor(level=_LEVEL, threads=threads, write_checksum=True)
    with target.open("wb") as file, packer.stream_writer(file, closefd=False) as stream:
        for piece in tar.stream(tree):
            stream.write(piece)
            done(len(piece))
