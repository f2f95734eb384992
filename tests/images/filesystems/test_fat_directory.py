"""Directories that mcopy filled, slot by slot, against what mdir and mattrib say of them."""

import random
import re
import struct
from calendar import timegm
from pathlib import Path

import allocated
import pytest
from specimens import budget, entries, facts, opened, spans

from ci_toolkit.images.data import Data
from ci_toolkit.images.filesystems import fat
from ci_toolkit.images.filesystems.fat_directory import Slot, slots

HOUR = 3600 * 10**9


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("fat")
    return allocated.make(directory / "image", "FAT16", allocated.tree(directory / "tree"))


def root(image: Path) -> Data:
    (region,) = [region for region in fat.read(opened(image), budget()).regions if region.name == "root directory"]
    return region.data


def named(raw: bytes) -> dict[str, Slot]:
    return {slot.name: slot for slot in slots(raw, wide=False)}


def test_short_names_are_those_that_mdir_prints(image: Path) -> None:
    printed = allocated.mtools("mdir", image, "-a", "::/").decode()
    found = named(root(image).read_at(0, 1 << 20))
    lines = re.findall(r"^(.{8}) (.{3}) +(?:<DIR>|\d+) +\d+-\d\d-\d\d +\d+:\d\d +(.*)$", printed, re.MULTILINE)
    told = {}
    for base, extension, long in lines:
        short = f"{base.rstrip()}.{extension.rstrip()}".rstrip(".")
        told[long or short] = short
    assert set(told) == set(allocated.NAMES) | {"EFI"}
    # Beyond ASCII, mtools use another code page than mkfs.fat and the kernel do.
    assert {name: found[name].short for name, short in told.items() if short.isascii()} == {
        name: short for name, short in told.items() if short.isascii()
    }


def test_times_are_read_as_utc(image: Path, tmp_path: Path) -> None:
    printed = allocated.mtools("mdir", image, "-a", "::/").decode()
    found = named(root(image).read_at(0, 1 << 20))
    lines = re.findall(r"(\d+)-(\d\d)-(\d\d) +(\d+):(\d\d) +(\S.*)$", printed, re.MULTILINE)
    assert len(lines) > 8
    for year, month, day, hour, minute, name in lines:
        expected = timegm((int(year), int(month), int(day), int(hour), int(minute), 0))
        assert found[name].modified_ns // 60_000_000_000 * 60 == expected


def test_what_mcopy_writes_now_is_of_the_epoch(tmp_path: Path) -> None:
    image = allocated.make(tmp_path / "image", "FAT12")
    (tmp_path / "file").touch()
    allocated.mtools("mcopy", image, tmp_path / "file", "::/file")
    times = dict(entries(fat.read(opened(image), budget()))["file"].times)
    assert times["created"] // 10**9 // 2 == allocated.EPOCH // 2
    assert times["accessed"] // 10**9 == allocated.EPOCH // 86_400 * 86_400


def test_deleted_names_are_gone_and_the_others_stay(tmp_path: Path) -> None:
    image = allocated.make(tmp_path / "image", "FAT12")
    names = [f"a rather long name {number}" for number in range(6)]
    for name in names:
        (tmp_path / name).touch()
    allocated.mtools("mcopy", image, *(tmp_path / name for name in names), "::/")
    allocated.mtools("mdel", image, f"::/{names[0]}", f"::/{names[3]}")
    assert set(entries(fat.read(opened(image), budget()))) == {names[number] for number in (1, 2, 4, 5)}
    assert allocated.paths(image) == {names[number] for number in (1, 2, 4, 5)}


def test_a_character_of_two_units_may_lie_in_two_slots(tmp_path: Path) -> None:
    """The units of a slot are thirteen; mtools write none of these characters, but the kernel does."""
    image = allocated.make(tmp_path / "image", "FAT12")
    (tmp_path / "file").touch()
    allocated.mtools("mcopy", image, tmp_path / "file", "::/twelve-chars??.txt".replace("?", "é"))
    raw = root(image).read_at(0, 1 << 20)
    for unit, surrogate in zip((0, 1), struct.unpack("<2H", "😀".encode("utf-16-le")), strict=True):
        place = raw.find("é".encode("utf-16-le"))
        # The second part of a name lies before the first.
        place = raw.find("é".encode("utf-16-le"), place + 1) if unit == 0 else place
        raw = raw[:place] + struct.pack("<H", surrogate) + raw[place + 2 :]
    assert "twelve-chars😀.txt" in named(raw)


def test_a_long_name_of_another_short_one_is_not_used(image: Path) -> None:
    raw = bytearray(root(image).read_at(0, 1 << 20))
    slot = named(bytes(raw))["a long name with blanks and dots...txt"]
    raw[slot.position] = ord("B")
    found = named(bytes(raw))
    assert "a long name with blanks and dots...txt" not in found
    assert any(other.position == slot.position and other.name == other.short for other in found.values())


def test_a_slash_in_a_name_does_not_make_a_path(image: Path) -> None:
    raw = bytearray(root(image).read_at(0, 1 << 20))
    place = raw.find("a long".encode("utf-16-le")[:10])
    raw[place : place + 4] = "/.".encode("utf-16-le")
    assert not any("/" in name for name in named(bytes(raw)))


def test_impossible_dates_count_from_the_nearest_day(image: Path) -> None:
    raw = bytearray(root(image).read_at(0, 1 << 20))
    slot = named(bytes(raw))["empty"]
    # Month 15, day 0, 31 hours.
    struct.pack_into("<HH", raw, slot.position + 22, 31 << 11, 43 << 9 | 15 << 5)
    assert named(bytes(raw))["empty"].modified_ns == timegm((2023, 12, 1, 0, 0, 0)) * 10**9 + 31 * HOUR
    struct.pack_into("<HH", raw, slot.position + 22, 0, 0)
    assert named(bytes(raw))["empty"].modified_ns == 0


def test_any_bytes_are_a_directory() -> None:
    for seed in range(20):
        raw = random.Random(seed).randbytes(32 * 64)
        assert all(0 <= slot.position < len(raw) and slot.name is not None for slot in slots(raw, wide=True))


def test_the_label_is_no_file(image: Path) -> None:
    found = fat.read(opened(image), budget())
    assert facts(found)["label"] == "A LABEL"
    assert "A LABEL" not in entries(found)
    assert spans(root(image))
