"""ISO images: the disk as it is, where that is a disc; what a disc is, xorriso says."""

from pathlib import Path

import pytest
from bench import run
from bootable import Converted, to

from ci_toolkit.errors import UnreadableError

pytestmark = pytest.mark.slow


def test_it_is_the_disk_and_boots_from_the_esp(converted: Converted, disc: Path) -> None:
    made = converted("iso")
    assert made.read_bytes() == disc.read_bytes()
    told = run("xorriso", "-indev", made, "-report_el_torito", "plain").decode()
    (image,) = [line for line in told.splitlines() if line.startswith("El Torito boot img :") and "UEFI" in line]
    (table,) = [line for line in run("sfdisk", "--dump", disc).decode().splitlines() if "C12A7328" in line.upper()]
    start = int(table.partition("start=")[2].partition(",")[0])
    # In sectors of 2048 bytes, and of 512.
    assert int(image.split()[-1]) * 4 == start


def test_a_disk_that_is_no_disc_is_refused_with_what_makes_one(disk: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="is no disc") as caught:
        to(disk, "iso", tmp_path)
    assert "ElTorito=yes" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_a_disc_without_a_boot_record_is_refused(disc: Path, tmp_path: Path) -> None:
    other = tmp_path / "disk.raw"
    raw = bytearray(disc.read_bytes())
    place = raw.index(b"EL TORITO SPECIFICATION")
    raw[place] ^= 1
    other.write_bytes(raw)
    with pytest.raises(UnreadableError, match="is no disc"):
        to(other, "iso", tmp_path / "out")


def test_an_end_in_the_middle_of_a_sector_of_a_disc_is_filled(disc: Path, tmp_path: Path) -> None:
    other = tmp_path / "disk.raw"
    other.write_bytes(disc.read_bytes() + b"x" * 512)
    (made,) = to(other, "iso", tmp_path / "out").results
    assert made.path.read_bytes() == other.read_bytes() + bytes(1536)
