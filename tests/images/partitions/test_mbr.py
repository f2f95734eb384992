"""Partition tables of the old form, written by sfdisk, against what sfdisk says of them."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from bench import run
from specimens import budget, cuts, facts, flips, loaded, make_sense, opened, spans, survives

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import Kind
from ci_toolkit.images.partitions import mbr

SCRIPT = """\
label: dos
label-id: 0xcafe1234
start=100, size=100, type=c, bootable
start=300, size=2000, type=5
start=2400, size=8, type=83
start=310, size=50, type=83
start=400, size=60, type=82
start=500, size=70, type=83
"""


def disk(path: Path, script: str = SCRIPT, size: int = 2 << 20) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    run("sfdisk", "--quiet", path, stdin=script.encode())
    return path


def told(path: Path) -> Any:
    return json.loads(run("sfdisk", "--json", path))["partitiontable"]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return disk(tmp_path_factory.mktemp("mbr") / "disk")


def expected(image: Path) -> list[tuple[int, int, int, int, bool]]:
    """Number, first byte, bytes, type and activity of every partition but the extended one, which holds the others."""
    return [
        (
            int(line["node"].removeprefix(str(image))),
            line["start"] * 512,
            line["size"] * 512,
            int(line["type"], 16),
            line.get("bootable", False),
        )
        for line in told(image)["partitions"]
        if line["type"] not in ("5", "f", "85")
    ]


def found(image: Path) -> list[tuple[int | None, int, int, int, bool]]:
    container = mbr.read(opened(image), budget())
    make_sense(container)
    assert all(entry.kind is Kind.PARTITION and entry.path == str(entry.number) for entry in container.entries)
    return [
        (
            entry.number,
            *spans(entry.data)[0],
            int(str(facts(entry)["partition_type"]), 16),
            facts(entry)["flags"] == 0x80,
        )
        for entry in container.entries
        if entry.data
    ]


def test_primary_and_logical_partitions_are_where_sfdisk_says(image: Path) -> None:
    assert [number for number, *_ in expected(image)] == [1, 3, 5, 6, 7]
    assert found(image) == expected(image)


@pytest.mark.parametrize("kind", ["f", "85"])
def test_every_type_of_extended_partition_is_followed(tmp_path: Path, kind: str) -> None:
    image = disk(
        tmp_path / "disk", f"label: dos\nstart=64, size=1000, type={kind}\nstart=70, size=20\nstart=99, size=20\n"
    )
    assert [number for number, *_ in expected(image)] == [5, 6]
    assert found(image) == expected(image)


def test_the_signature_is_the_one_that_sfdisk_reads(image: Path) -> None:
    container = mbr.read(opened(image), budget())
    assert facts(container) == {"disk_signature": told(image)["id"]}
    assert container.facts[0].places == ((440, 4),)
    assert image.read_bytes()[440:444] == bytes.fromhex("3412feca")


def test_facts_lie_where_their_values_are(image: Path) -> None:
    raw = image.read_bytes()
    for entry in mbr.read(loaded(raw), budget()).entries:
        places = {fact.name: fact.places[0] for fact in entry.facts}
        offset, length = places["sectors"]
        assert int.from_bytes(raw[offset : offset + length], "little") == entry.size // 512
        offset, length = places["partition_type"]
        assert f"0x{raw[offset]:02x}" == facts(entry)["partition_type"]


def test_tables_and_partitions_make_up_all_bytes_that_sfdisk_wrote(image: Path) -> None:
    container = mbr.read(opened(image), budget())
    rest = bytearray(image.read_bytes())
    for region in container.regions:
        for offset, length in spans(region.data):
            rest[offset : offset + length] = bytes(length)
    assert not any(rest)


@pytest.mark.parametrize("size", [512 * 150, 512 * 2390, 512 * 2404])
def test_a_cut_disk_is_refused_with_the_reason(image: Path, size: int) -> None:
    with pytest.raises(
        UnreadableError, match=r"partition \d ends at byte \d+, the disk at byte|sector \d+ lies beyond"
    ):
        mbr.read(loaded(image.read_bytes()[:size]), budget())


def test_logical_partitions_in_a_ring_are_read_once(image: Path) -> None:
    raw = bytearray(image.read_bytes())
    # sfdisk put the second table in front of partition 6: let its link lead back to the first.
    assert raw[510:512] == b"\x55\xaa"
    (second,) = (sector for sector in range(301, 402) if raw[sector * 512 + 510 : sector * 512 + 512] == b"\x55\xaa")
    struct.pack_into("<B3sII", raw, second * 512 + 446 + 16 + 4, 5, bytes(3), 0, 1)
    container = mbr.read(loaded(bytes(raw)), budget())
    assert [entry.number for entry in container.entries] == [1, 3, 5, 6]


def test_a_program_or_text_is_no_partition_table(tmp_path: Path) -> None:
    image = disk(tmp_path / "disk", "label: dos\n")
    assert told(image).get("partitions", []) == []
    assert not mbr.recognise(opened(image))
    assert not mbr.recognise(loaded(b"x" * 510 + b"\x55\xaa"))
    assert not mbr.recognise(loaded(b"\x55\xaa"))
    assert not mbr.recognise(loaded(b""))


def test_damage_is_read_or_refused(image: Path) -> None:
    whole = image.read_bytes()
    tables = tuple((table * 512 + 446, 66) for table in range(300, 500) if whole[table * 512 + 510] == 0x55)
    assert len(tables) >= 2
    assert not any(survives(mbr.read, mbr.recognise, cut) for cut in cuts(whole[: 2405 * 512], 60))
    read = sum(survives(mbr.read, mbr.recognise, damaged) for damaged in flips(whole, 400, within=((446, 64), *tables)))
    assert 0 < read < 400
