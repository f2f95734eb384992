"""File systems made by mkfs.fat and filled by mcopy, against what mtools take out of them again."""

import random
from pathlib import Path

import allocated
import pytest
from specimens import budget, content, cuts, entries, facts, flips, loaded, make_sense, opened, spans, survives

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import directory
from ci_toolkit.images.entry import Container, Kind
from ci_toolkit.images.filesystems import fat


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return allocated.tree(tmp_path_factory.mktemp("source") / "tree")


@pytest.fixture(scope="module", params=allocated.SHAPES)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    return allocated.make(tmp_path_factory.mktemp("fat") / "image", request.param, source)


@pytest.fixture(scope="module")
def found(image: Path) -> Container:
    assert fat.recognise(opened(image))
    container = fat.read(opened(image), budget())
    make_sense(container)
    assert container.skipped == ()
    return container


def test_names_are_those_that_mdir_lists(image: Path, found: Container) -> None:
    assert set(entries(found)) == allocated.paths(image)
    assert set(allocated.NAMES) < set(entries(found))


def test_contents_and_times_are_what_mcopy_takes_out(tmp_path: Path, image: Path, found: Container) -> None:
    allocated.mtools("mcopy", image, "-s", "-m", "::/", tmp_path / "out")
    expected = entries(directory.read(tmp_path / "out", budget()))
    for path, entry in entries(found).items():
        assert entry.kind is expected[path].kind
        if entry.kind is Kind.FILE:
            assert content(entry) == (tmp_path / "out" / path).read_bytes()
            assert entry.mtime_ns == expected[path].mtime_ns


def test_clusters_are_those_that_mshowfat_lists(image: Path, found: Container) -> None:
    size = facts(found)["cluster_size"]
    assert isinstance(size, int)
    (first,) = [region for region in found.regions if region.name == "root directory"]
    bits = facts(found)["fat_bits"]
    start = spans(first.data)[0][0] if bits == 32 else spans(first.data)[0][0] + first.data.size
    for path, entry in entries(found).items():
        if entry.kind is Kind.FILE and entry.size and entry.data:
            expected = [
                (start + (cluster - 2) * size, count * size) for cluster, count in allocated.clusters(image, path)
            ]
            assert [offset for offset, _ in spans(entry.data)] == [offset for offset, _ in expected]
            assert sum(length for _, length in expected) - size < entry.size <= sum(length for _, length in expected)


def test_records_hold_the_size_of_their_file(image: Path, found: Container) -> None:
    raw = image.read_bytes()
    for entry in found.entries:
        assert entry.record is not None
        offset, length = entry.record
        slot = raw[offset : offset + length]
        assert int.from_bytes(slot[28:32], "little") == entry.size


def test_identifiers_are_those_that_were_asked_for(image: Path, found: Container) -> None:
    raw = image.read_bytes()
    assert facts(found)["volume_id"] == "CAFE-1234"
    assert b"Volume Serial Number is CAFE-1234" in allocated.mtools("mdir", image, "::/")
    assert facts(found)["label"] == facts(found)["boot_label"] == "A LABEL"
    assert b"Volume label is A LABEL" in allocated.mtools("mlabel", image, "-s", "::")
    places = {fact.name: fact.places for fact in found.facts}
    assert {raw[offset : offset + length] for offset, length in places["volume_id"]} == {b"\x34\x12\xfe\xca"}
    assert {raw[offset : offset + length] for offset, length in places["label"]} == {b"A LABEL    "}
    assert len(places["volume_id"]) == (2 if facts(found)["fat_bits"] == 32 else 1)


def test_attributes_are_those_that_mattrib_sets(tmp_path: Path) -> None:
    image = allocated.make(tmp_path / "image", "FAT12")
    (tmp_path / "file").touch()
    allocated.mtools("mcopy", image, tmp_path / "file", "::/file")
    allocated.mtools("mattrib", image, "+r", "+h", "+s", "-a", "::/file")
    assert b" SHR" in allocated.mtools("mattrib", image, "::/file")
    assert facts(entries(fat.read(opened(image), budget()))["file"])["attributes"] == 0x01 | 0x02 | 0x04


def test_tables_and_directories_make_up_all_that_no_file_holds(image: Path, found: Container) -> None:
    rest = bytearray(image.read_bytes())
    slack = facts(found)["cluster_size"]
    assert isinstance(slack, int)
    for data in (*(region.data for region in found.regions), *(entry.data for entry in found.entries)):
        for offset, length in spans(data) if data else ():
            rest[offset : offset + length] = bytes(length)
    # What mkfs.fat writes into the reserved sectors beside the boot sectors is all that is left.
    reserved = spans(next(region.data for region in found.regions if region.name == "fat"))[0][0]
    assert not any(rest[reserved:])


def test_fragments_are_put_together(tmp_path: Path) -> None:
    image = allocated.make(tmp_path / "image", "FAT12")
    (tmp_path / "small").write_bytes(b"s" * 3000)
    large = random.Random(1).randbytes(200_000)
    (tmp_path / "large").write_bytes(large)
    for number in range(30):
        (tmp_path / f"s{number}").write_bytes(bytes([number]) * 3000)
    allocated.mtools("mcopy", image, *(tmp_path / f"s{number}" for number in range(30)), "::/")
    allocated.mtools("mdel", image, *(f"::/s{number}" for number in range(0, 30, 2)))
    allocated.mtools("mcopy", image, tmp_path / "large", "::/large")
    there = entries(fat.read(opened(image), budget()))
    assert content(there["large"]) == large == allocated.mtools("mtype", image, "::/large")
    assert there["large"].data is not None
    assert len(spans(there["large"].data)) == len(allocated.clusters(image, "large")) > 10


@pytest.mark.parametrize("shape", ["FAT12", "FAT16"])
def test_only_fat32_has_the_high_half_of_a_cluster_number(tmp_path: Path, shape: str) -> None:
    """Others keep something else there, and mtools do not look at it."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_bytes(b"content")
    image = allocated.make(tmp_path / "image", shape, tmp_path / "tree")
    raw = bytearray(image.read_bytes())
    record = entries(fat.read(loaded(bytes(raw)), budget()))["file"].record
    assert record is not None
    raw[record[0] + 20 : record[0] + 22] = b"\x01\x00"
    image.write_bytes(raw)
    assert allocated.mtools("mtype", image, "::/file") == b"content"
    assert content(entries(fat.read(opened(image), budget()))["file"]) == b"content"


def damaged(tmp_path: Path, *changes: tuple[str, int, bytes]) -> Container:
    """Change bytes (path, offset in its record, bytes) of a file system with two files and a directory."""
    (tmp_path / "tree/sub").mkdir(parents=True)
    (tmp_path / "tree/one").write_bytes(b"1" * 5000)
    (tmp_path / "tree/two").write_bytes(b"2" * 5000)
    (tmp_path / "tree/sub/three").write_bytes(b"3")
    image = allocated.make(tmp_path / "image", "FAT16", tmp_path / "tree")
    raw = bytearray(image.read_bytes())
    there = entries(fat.read(loaded(bytes(raw)), budget()))
    for path, offset, new in changes:
        record = there[path].record
        assert record is not None
        raw[record[0] + offset : record[0] + offset + len(new)] = new
    return fat.read(loaded(bytes(raw)), budget())


def test_a_file_longer_than_its_chain_is_skipped(tmp_path: Path) -> None:
    found = damaged(tmp_path, ("one", 28, b"\xff\xff\xff\xff"))
    assert set(entries(found)) == {"two", "sub", "sub/three"}
    assert found.skipped == (("one", "4294967295 bytes are said to lie in 5 clusters"),)


def test_a_chain_that_begins_nowhere_is_skipped(tmp_path: Path) -> None:
    found = damaged(tmp_path, ("one", 26, b"\xf0\xff"))
    assert found.skipped == (("one", "the chain from cluster 65520 is damaged"),)


def test_a_directory_inside_itself_is_read_once(tmp_path: Path) -> None:
    image = allocated.make(tmp_path / "image", "FAT16")
    allocated.mtools("mmd", image, "::/a", "::/a/b")
    raw = bytearray(image.read_bytes())
    there = entries(fat.read(loaded(bytes(raw)), budget()))
    outer, inner = there["a"].record, there["a/b"].record
    assert outer is not None and inner is not None
    raw[inner[0] + 26 : inner[0] + 28] = raw[outer[0] + 26 : outer[0] + 28]
    found = fat.read(loaded(bytes(raw)), budget())
    assert set(entries(found)) == {"a", "a/b"}
    assert [path for path, _ in found.skipped] == ["a/b"]


def test_a_cut_image_is_refused_with_the_reason(image: Path) -> None:
    whole = image.read_bytes()
    for cut in cuts(whole, 2):
        if fat.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                fat.read(loaded(cut), budget())


@pytest.mark.parametrize("shape", ["FAT12", "small FAT16"])
def test_damage_is_read_or_refused(tmp_path: Path, shape: str) -> None:
    (tmp_path / "tree/sub/sub").mkdir(parents=True)
    for number in range(20):
        (tmp_path / f"tree/sub/a rather long name {number}").write_bytes(random.Random(number).randbytes(number * 700))
    image = allocated.make(tmp_path / "image", shape, tmp_path / "tree")
    whole = image.read_bytes()
    container = fat.read(loaded(whole), budget())
    regions = [span for region in container.regions if region.name != "fat" for span in spans(region.data)]
    tables = [(spans(region.data)[0][0], 256) for region in container.regions if region.name == "fat"]
    records = [entry.record for entry in container.entries if entry.record]
    read = 0
    for seed, areas in enumerate(([(0, 64)], records, [*regions, *tables])):
        read += sum(survives(fat.read, fat.recognise, one) for one in flips(whole, 70, seed=seed, within=tuple(areas)))
    assert 0 < read < 210
