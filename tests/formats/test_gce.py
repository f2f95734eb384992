"""What Google Compute Engine imports, listed and unpacked by tar."""

import struct
from pathlib import Path

from bench import run
from bootable import Converted, to
from truths import sparse
from virtual import MIB


def test_tar_finds_the_disk_in_whole_gib(tmp_path: Path, converted: Converted, disk: Path) -> None:
    told = run("tar", "-t", "-z", "-v", "--numeric-owner", "-f", converted("gce")).decode().split()
    assert told[1:3] == ["0/0", str(1 << 30)]
    assert told[-1] == "disk.raw"
    run("tar", "-x", "-z", "--no-same-owner", "-f", converted("gce"), "-C", tmp_path)
    run("qemu-img", "compare", "-q", "-f", "raw", "-F", "raw", tmp_path / "disk.raw", disk)
    assert (tmp_path / "disk.raw").stat().st_blocks * 512 < disk.stat().st_size


def test_a_disk_in_very_many_pieces(tmp_path: Path) -> None:
    """More than one block of the list of pieces."""
    head = struct.pack("<446xB3sB3sII", 0, b"", 0x83, b"", 1, 1).ljust(510, b"\0") + b"\x55\xaa"
    pieces = [(number * MIB + 70_000, b"piece %d" % number) for number in range(1, 60)]
    image = sparse(tmp_path / "image.raw", 1500 * MIB, (0, head), *pieces)
    (made,) = to(image, "gce", tmp_path).results
    run("tar", "-x", "-z", "--no-same-owner", "-f", made.path, "-C", tmp_path)
    assert (tmp_path / "disk.raw").stat().st_size == 2 << 30
    run("qemu-img", "compare", "-q", "-f", "raw", "-F", "raw", tmp_path / "disk.raw", image)
