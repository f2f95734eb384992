"""Descriptors and times of ISO 9660, with the values that calendars and date(1) give for them."""

from pathlib import Path

import discs
import pytest
from bench import run
from specimens import loaded, opened

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.filesystems import iso9660_volume
from ci_toolkit.images.read import identify


@pytest.mark.parametrize(
    "text", ["2023-11-14 22:13:20 +0000", "2023-11-14 23:13:20 +0100", "1999-12-31 23:59:59 -0330"]
)
def test_times_are_those_of_date(text: str) -> None:
    expected = int(run("date", "-d", text, "+%s"))
    day, clock, zone = text.split()
    quarters = (int(zone[:3]) * 60 + int(zone[0] + zone[3:])) // 15
    digits = (day + clock).replace("-", "").replace(":", "").encode() + b"25"
    offset = quarters.to_bytes(1, "little", signed=True)
    assert iso9660_volume.moment(digits + offset) == expected * 10**9 + 250_000_000
    year, *others = (int(number) for number in (*day.split("-"), *clock.split(":")))
    assert iso9660_volume.moment(bytes((year - 1900, *others)) + offset) == expected * 10**9


@pytest.mark.parametrize("raw", [b"0" * 16 + b"\0", bytes(17), b"20231114221320x0\0", bytes(7), b"\xff" * 17])
def test_what_is_no_time_is_none(raw: bytes) -> None:
    assert iso9660_volume.moment(raw) is None


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    work = tmp_path_factory.mktemp("volume")
    (work / "tree").mkdir()
    return discs.make("xorriso", work / "image", work / "tree", "-R", "-J").read_bytes()


def test_descriptors_lie_where_isoinfo_reads_them(tmp_path: Path, whole: bytes) -> None:
    (tmp_path / "image").write_bytes(whole)
    found = iso9660_volume.read_descriptors(opened(tmp_path / "image"))
    assert found.joliet is not None and found.joliet.joliet
    table = run("isoinfo", "-p", "-i", tmp_path / "image").decode().splitlines()
    # The root directory is the first line of the table: its block is the last but one of its numbers.
    root = next(line for line in table if line.split()[:1] == ["1:"]).split()
    assert int(root[2], 16) == found.primary.root[0]


@pytest.mark.parametrize("name", [None, "file"])
def test_a_disk_with_an_empty_volume_for_el_torito_is_a_disk(tmp_path: Path, name: str | None) -> None:
    """As systemd-repart --el-torito= writes it; one that holds a file is an ISO image with a partition table."""
    tree = tmp_path / "tree"
    tree.mkdir()
    if name is not None:
        (tree / name).touch()
    # Without Rock Ridge and with it: its fields make the first two records longer.
    for number, options in enumerate(((), ("-R",))):
        volume = discs.make("genisoimage", tmp_path / f"{number}.iso", tree, *options).read_bytes()
        disk = tmp_path / f"{number}.raw"
        with disk.open("wb") as file:
            file.truncate(4 << 20)
        run("sfdisk", "--quiet", disk, stdin=b"label: gpt\nstart=2048, size=2048\n")
        with disk.open("r+b") as file:
            file.seek(16 * 2048)
            file.write(volume[16 * 2048 :][: (2048 * 512) - 16 * 2048])
        known = identify(opened(disk))
        assert known is not None
        assert known.name == ("gpt" if name is None else "iso9660")


@pytest.mark.parametrize(
    ("place", "new", "reason"),
    [
        (16 * 2048, b"\2", "no primary"),
        (17 * 2048 + 1, b"XX", "damaged"),
        (16 * 2048 + 128, b"\7\0", "blocks of 7 bytes"),
        (16 * 2048 + 80, b"\xff\xff\xff\xff", "cut"),
    ],
)
def test_what_cannot_be_believed_is_refused(whole: bytes, place: int, new: bytes, reason: str) -> None:
    damaged = whole[:place] + new + whole[place + len(new) :]
    with pytest.raises(UnreadableError, match=reason):
        iso9660_volume.read_descriptors(loaded(damaged))
