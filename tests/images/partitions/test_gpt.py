"""Partition tables written by sfdisk, against what sfdisk says of them."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from bench import run
from specimens import SMALL, budget, cuts, entries, facts, flips, loaded, make_sense, opened, spans, survives

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import Kind
from ci_toolkit.images.limits import Budget
from ci_toolkit.images.partitions import gpt

SCRIPT = """\
label: gpt
label-id: 11111111-2222-3333-4444-555555555555
start=2048, size=256, type=uefi, name="esp", uuid=AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE
start=2560, size=100, type=linux, name="größer ☃", attrs="RequiredPartition,GUID:60,63"
start=2400, size=1, type=swap
"""


def disk(path: Path, script: str = SCRIPT, size: int = 2 << 20) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    run("sfdisk", "--quiet", path, stdin=script.encode())
    return path


def told(path: Path) -> Any:
    return json.loads(run("sfdisk", "--json", path))["partitiontable"]


def sealed(raw: bytes, *, entries: bool = True) -> bytes:
    """RAW with the right checksums in its first table."""
    table, count, size = struct.unpack_from("<QII", raw, 512 + 72)
    fixed = bytearray(raw)
    if entries:
        struct.pack_into("<I", fixed, 512 + 88, zlib.crc32(raw[table * 512 :][: count * size]))
    struct.pack_into("<I", fixed, 512 + 16, 0)
    struct.pack_into("<I", fixed, 512 + 16, zlib.crc32(fixed[512 : 512 + 92]))
    return bytes(fixed)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return disk(tmp_path_factory.mktemp("gpt") / "disk")


def test_partitions_are_where_sfdisk_says(image: Path) -> None:
    expected = [
        (int(line["node"].removeprefix(str(image))), line.get("name", ""), line["start"] * 512, line["size"] * 512)
        for line in told(image)["partitions"]
    ]
    found = gpt.read(opened(image), budget())
    make_sense(found)
    assert all(entry.kind is Kind.PARTITION for entry in found.entries)
    assert [
        (entry.number, facts(entry)["label"], *spans(entry.data)[0]) for entry in found.entries if entry.data
    ] == expected
    assert [entry.path for entry in found.entries] == ["1:esp", "2:größer ☃", "3"]
    assert [entry.size for entry in found.entries] == [size for *_, size in expected]


def test_identifiers_and_bounds_are_those_that_sfdisk_reads(image: Path) -> None:
    expected = told(image)
    found = gpt.read(opened(image), budget())
    assert facts(found) == {
        "disk_guid": expected["id"].lower(),
        "first_usable_lba": expected["firstlba"],
        "last_usable_lba": expected["lastlba"],
        "sector_size": expected["sectorsize"],
    }
    for entry, line in zip(found.entries, expected["partitions"], strict=True):
        assert facts(entry)["partition_guid"] == line["uuid"].lower()
        assert facts(entry)["partition_type"] == line["type"].lower()
    flags = facts(found.entries[1])["flags"]
    assert flags == 1 | 1 << 60 | 1 << 63
    assert told(image)["partitions"][1]["attrs"] == "RequiredPartition GUID:60,63"


def test_facts_lie_in_both_copies_of_the_table(image: Path) -> None:
    raw = image.read_bytes()
    found = gpt.read(loaded(raw), budget())
    guid = UUID(told(image)["id"]).bytes_le
    (places,) = [fact.places for fact in found.facts if fact.name == "disk_guid"]
    assert [raw[offset : offset + length] for offset, length in places] == [guid, guid]
    first = UUID("AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE").bytes_le
    (places,) = [fact.places for fact in found.entries[0].facts if fact.name == "partition_guid"]
    assert len(places) == 2
    assert all(raw[offset : offset + length] == first for offset, length in places)


def test_tables_and_partitions_make_up_all_bytes_that_sfdisk_wrote(image: Path) -> None:
    found = gpt.read(opened(image), budget())
    rest = bytearray(image.read_bytes())
    for data in (*(region.data for region in found.regions), *(entry.data for entry in found.entries)):
        for offset, length in spans(data) if data else ():
            rest[offset : offset + length] = bytes(length)
    assert not any(rest)


def test_numbers_with_a_gap_stay_theirs(tmp_path: Path) -> None:
    image = disk(tmp_path / "disk", "label: gpt\n2: size=100, name=two\n7: size=100, name=seven\n")
    assert [line["node"] for line in told(image)["partitions"]] == [f"{image}2", f"{image}7"]
    assert [(entry.number, entry.path) for entry in gpt.read(opened(image), budget()).entries] == [
        (2, "2:two"),
        (7, "7:seven"),
    ]


def test_a_table_of_another_length_is_read(tmp_path: Path) -> None:
    image = disk(tmp_path / "disk", "label: gpt\ntable-length: 8\nsize=100, name=one\n8: size=100, name=eight\n")
    found = gpt.read(opened(image), budget())
    assert [entry.path for entry in found.entries] == ["1:one", "8:eight"]
    assert [spans(entry.data)[0][0] // 512 for entry in found.entries if entry.data] == [
        line["start"] for line in told(image)["partitions"]
    ]


def test_sectors_of_4_kib_are_found(tmp_path: Path) -> None:
    image = tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(8 << 20)
    run("fdisk", "--sector-size=4096", image, stdin=b"g\nn\n1\n\n+16\nn\n2\n\n+8\nw\n")
    listed = run("fdisk", "--sector-size=4096", "--list", "--output=Start,Sectors", image).decode()
    lines = [line.split() for line in listed.partition("Start")[2].splitlines()[1:]]
    assert len(lines) == 2
    assert gpt.recognise(opened(image))
    found = gpt.read(opened(image), budget())
    assert facts(found)["sector_size"] == 4096
    assert [spans(entry.data) for entry in found.entries if entry.data] == [
        [(int(start) * 4096, int(sectors) * 4096)] for start, sectors in lines
    ]


def test_an_empty_table_is_one_all_the_same(tmp_path: Path) -> None:
    image = disk(tmp_path / "disk", "label: gpt\n")
    assert gpt.read(opened(image), budget()).entries == ()


def test_a_lost_backup_leaves_one_place_for_each_fact(image: Path) -> None:
    raw = image.read_bytes()
    damaged = raw[:-512] + bytes(512)
    found = gpt.read(loaded(damaged), budget())
    assert all(len(fact.places) == 1 for fact in found.facts if fact.places)
    assert [entry.path for entry in found.entries] == ["1:esp", "2:größer ☃", "3"]


@pytest.mark.parametrize("size", [1024 + 50, 1024 + 512 * 30, 2048 * 512, 2060 * 512, (2 << 20) - 512])
def test_a_cut_disk_is_refused_with_the_reason(image: Path, size: int) -> None:
    with pytest.raises(UnreadableError, match=r"cut"):
        gpt.read(loaded(image.read_bytes()[:size]), budget())


def test_a_partition_beyond_the_end_is_refused(image: Path) -> None:
    raw = bytearray(image.read_bytes())
    (table,) = struct.unpack_from("<Q", raw, 512 + 72)
    struct.pack_into("<Q", raw, table * 512 + 40, 1 << 63)
    with pytest.raises(UnreadableError, match=r"partition '1:esp' ends at byte \d+, the disk at byte 2097152"):
        gpt.read(loaded(sealed(bytes(raw))), budget())


@pytest.mark.parametrize(("offset", "value"), [(80, 1 << 31), (84, 64), (84, 0), (84, 1 << 31), (12, 600), (12, 0)])
def test_a_table_of_impossible_size_is_refused(image: Path, offset: int, value: int) -> None:
    raw = bytearray(image.read_bytes())
    struct.pack_into("<I", raw, 512 + offset, value)
    with pytest.raises(UnreadableError, match="damaged"):
        gpt.read(loaded(sealed(bytes(raw), entries=False)[:-512] + bytes(512)), budget())


@pytest.mark.parametrize("place", [512, 512 + 16, 512 + 56, 1024 + 60, 1024 + 128 + 33])
def test_the_backup_is_read_where_the_first_table_is_damaged(tmp_path: Path, image: Path, place: int) -> None:
    """As sfdisk does."""
    raw = bytearray(image.read_bytes())
    raw[place] ^= 0x41
    (tmp_path / "disk").write_bytes(raw)
    expected = told(tmp_path / "disk")["partitions"]
    assert [line["uuid"] for line in expected] == [line["uuid"] for line in told(image)["partitions"]]
    data = loaded(bytes(raw))
    assert gpt.recognise(data)
    found = gpt.read(data, budget())
    make_sense(found)
    assert [facts(entry)["partition_guid"] for entry in found.entries] == [line["uuid"].lower() for line in expected]
    ((path, reason),) = found.skipped
    assert path == ""
    assert reason.endswith("; its backup was read")
    tables = [offset for fact in found.entries[0].facts for offset, _ in fact.places]
    assert tables and min(tables) > 1 << 20


def test_no_table_is_believed_whose_checksums_are_wrong(image: Path) -> None:
    raw = bytearray(image.read_bytes())
    for place in (512 + 60, len(raw) - 512 + 60):
        raw[place] ^= 1
    with pytest.raises(UnreadableError, match="checksum is wrong"):
        gpt.read(loaded(bytes(raw)), budget())
    raw = bytearray(image.read_bytes())
    raw[1024 + 60] ^= 1
    with pytest.raises(UnreadableError, match="checksum of its entries is wrong"):
        gpt.read(loaded(bytes(raw[:-512]) + bytes(512)), budget())


def test_no_other_disk_is_taken_for_one(tmp_path: Path) -> None:
    assert not gpt.recognise(opened(disk(tmp_path / "disk", "label: dos\nsize=100\n")))
    assert not gpt.recognise(loaded(b""))
    assert not gpt.recognise(loaded(b"EFI PART"))


def test_damage_is_read_or_refused(image: Path) -> None:
    whole = image.read_bytes()
    tables = ((512, 92), (512 * 2, 512), (len(whole) - 512, 92))
    assert not any(survives(gpt.read, gpt.recognise, cut) for cut in cuts(whole, 60))
    read = sum(survives(gpt.read, gpt.recognise, sealed(one)) for one in flips(whole, 400, within=tables))
    assert 0 < read < 400


def test_a_table_full_of_partitions_stays_within_the_table(tmp_path: Path) -> None:
    lines = "".join(f"start={2048 + number}, size=1\n" for number in range(128))
    found = gpt.read(opened(disk(tmp_path / "disk", f"label: gpt\n{lines}")), Budget(SMALL))
    assert len(entries(found)) == 128
