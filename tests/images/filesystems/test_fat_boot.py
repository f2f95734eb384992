"""Boot sectors and allocation tables made by mkfs.fat, against fsck.fat and minfo."""

import re
import struct
from pathlib import Path

import allocated
import pytest
from bench import run
from specimens import budget, entries, facts, loaded, opened

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.filesystems import fat, fat_boot

LAYOUTS = {
    **allocated.SHAPES,
    "FAT32 with sectors of 4 KiB": (16, ("-F", "32", "-S", "4096", "-s", "1")),
    "the largest FAT12": (4, ("-F", "12", "-s", "2", "-r", "16")),
}


@pytest.fixture(scope="module", params=LAYOUTS)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fat") / "image"
    size, options = LAYOUTS[request.param]
    with path.open("wb") as file:
        file.truncate(size << 20)
    run("mkfs.fat", *options, path)
    return path


def test_the_layout_is_what_fsck_reads(image: Path) -> None:
    printed = run("fsck.fat", "-n", "-v", image).decode()
    boot = fat_boot.read_boot(opened(image))

    def number(pattern: str) -> int:
        match = re.search(pattern, printed)
        assert match is not None, printed
        return int(match[1])

    assert boot.sector == number(r"(\d+) bytes per logical sector")
    assert boot.cluster == number(r"(\d+) bytes per cluster")
    assert boot.reserved == number(r"(\d+) reserved sector") * boot.sector
    assert (boot.copies, boot.bits) == (number(r"(\d+) FATs?,"), number(r"FATs?, (\d+) bit"))
    assert boot.table_size == number(r"(\d+) bytes per FAT")
    assert boot.clusters == number(r"(\d+) data clusters")
    assert boot.data_offset == number(r"Data area starts at byte (\d+)")
    assert boot.size == number(r"(\d+) sectors total") * boot.sector
    if boot.bits == 32:
        assert boot.root_cluster == number(r"Root directory start at cluster (\d+)")
    else:
        assert boot.root_offset == number(r"Root directory starts at byte (\d+)")
        assert boot.root_size == number(r"(\d+) root directory entries") * 32


def test_the_rest_of_the_boot_sector_is_what_minfo_prints(image: Path) -> None:
    printed = allocated.mtools("minfo", image, "::").decode()
    boot = fat_boot.read_boot(opened(image))
    serial, label, banner = (
        re.search(pattern, printed) for pattern in (r"serial number: (\w+)", r'disk label="(.*)"', r'banner:"(.*)"')
    )
    assert serial and label and banner
    assert (f"{boot.volume_id:08X}", boot.label.decode()) == (serial[1], label[1])
    assert boot.system.decode().rstrip("\0") == banner[1].rstrip()
    info, backup = (
        re.search(pattern, printed) for pattern in (r"infoSector location=(\d+)", r"backup boot sector=(\d+)")
    )
    assert boot.info == int(info[1] if info else 0) * boot.sector
    assert boot.backup == int(backup[1] if backup else 0) * boot.sector


def test_an_empty_file_system_has_no_entries(image: Path) -> None:
    assert entries(fat.read(opened(image), budget())) == {}


@pytest.mark.parametrize("label", ["FAT12", "FAT16", "FAT32"])
def test_chains_go_on_to_the_last_cluster(tmp_path: Path, label: str) -> None:
    image = allocated.make(tmp_path / "image", label)
    boot = fat_boot.read_boot(opened(image))
    free = re.search(r"([\d ]+) bytes free", allocated.mtools("mdir", image, "::/").decode())
    assert free is not None
    (tmp_path / "file").write_bytes(b"x" * int(free[1].replace(" ", "")))
    allocated.mtools("mcopy", image, tmp_path / "file", "::/file")
    ((first, count),) = allocated.clusters(image, "file")
    assert first + count == boot.clusters + 2
    assert fat_boot.Table(opened(image), boot).chain(first) == [(first, count)]


@pytest.mark.parametrize(
    ("offset", "form", "value"),
    [(17, "<H", 0xFFFF), (22, "<H", 1), (14, "<H", 0xFFFF), (19, "<H", 3)],
    ids=["entries of the root", "sectors of a table", "reserved sectors", "sectors"],
)
def test_a_boot_sector_that_makes_no_sense_is_refused(tmp_path: Path, offset: int, form: str, value: int) -> None:
    raw = bytearray(allocated.make(tmp_path / "image", "FAT12").read_bytes())
    struct.pack_into(form, raw, offset, value)
    assert fat_boot.recognise(loaded(bytes(raw)))
    with pytest.raises(UnreadableError, match="damaged"):
        fat_boot.read_boot(loaded(bytes(raw)))


@pytest.mark.parametrize("shape", ["FAT12", "FAT16", "FAT32"])
def test_a_chain_in_a_ring_is_refused(tmp_path: Path, shape: str) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_bytes(b"x" * 50_000)
    image = allocated.make(tmp_path / "image", shape, tmp_path / "tree")
    raw = bytearray(image.read_bytes())
    boot = fat_boot.read_boot(loaded(bytes(raw)))
    ((first, _),) = allocated.clusters(image, "file")
    # The next even one, whose twelve bits begin with a byte.
    inside = first + 2 - first % 2
    place = boot.reserved + inside * boot.bits // 8
    width = -(-boot.bits // 8)
    raw[place : place + width] = (first | (inside + 1) << 12 if boot.bits == 12 else first).to_bytes(4, "little")[
        :width
    ]
    with pytest.raises(UnreadableError, match="the chain from cluster"):
        fat_boot.Table(loaded(bytes(raw)), boot).chain(first)


@pytest.mark.parametrize("head", [b"", b"\xeb\x3c\x90", b"\xeb\x3c\x90" + bytes(507) + b"\x55\xaa", bytes(512)])
def test_nothing_else_is_taken_for_one(head: bytes) -> None:
    assert not fat_boot.recognise(loaded(head))


def test_facts_name_the_width(image: Path) -> None:
    printed = run("fsck.fat", "-n", "-v", image).decode()
    assert f"{facts(fat.read(opened(image), budget()))['fat_bits']} bit entries" in printed
