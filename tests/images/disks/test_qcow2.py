"""qcow2 images made by qemu-img, against the disk that it takes out of them again and the map that it prints."""

import struct
from pathlib import Path

import pytest
from bench import run
from specimens import budget, content, cuts, facts, flips, loaded, make_sense, opened, spans, survives
from virtual import MIB, back, converted, mapped, raw, told

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.disks import qcow2
from ci_toolkit.images.entry import Container, Kind
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits

FORMS = {
    "version 2": ("compat=0.10",),
    "version 3": (),
    "small clusters": ("cluster_size=512",),
    "large clusters": ("cluster_size=2M",),
    "subclusters": ("extended_l2=on", "cluster_size=128k"),
    "allocated": ("preallocation=metadata",),
    "narrow counts": ("refcount_bits=1",),
}
COMPRESSED = {"zlib": (), "zstd": ("compression_type=zstd",), "small zlib": ("cluster_size=4k",)}


def read(image: Path) -> Container:
    data = opened(image)
    assert qcow2.recognise(data)
    container = qcow2.read(data, budget())
    make_sense(container)
    return container


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw(tmp_path_factory.mktemp("source") / "raw")


@pytest.mark.parametrize("form", FORMS)
def test_the_disk_inside_is_what_qemu_takes_out(tmp_path: Path, source: Path, form: str) -> None:
    image = converted(source, tmp_path / "image", "qcow2", *FORMS[form])
    (entry,) = read(image).entries
    assert (entry.path, entry.kind) == ("", Kind.DISK)
    assert content(entry) == back(image, "qcow2") == source.read_bytes()


def test_it_lies_where_qemu_maps_it(tmp_path: Path, source: Path) -> None:
    image = converted(source, tmp_path / "image", "qcow2")
    (entry,) = read(image).entries
    assert entry.data is not None
    expected = [(one["offset"], one["length"]) for one in mapped(image, "qcow2") if "offset" in one and one["data"]]
    whole = image.read_bytes()
    for offset, length in expected:
        assert any(start <= offset and offset + length <= start + size for start, size in spans(entry.data))
    assert sum(length for _, length in expected) == sum(length for _, length in spans(entry.data))
    assert all(start + size <= len(whole) for start, size in spans(entry.data))


@pytest.mark.parametrize("form", COMPRESSED)
def test_compressed_clusters_are_unpacked(tmp_path: Path, source: Path, form: str) -> None:
    image = converted(source, tmp_path / "image", "qcow2", *COMPRESSED[form], compressed=True)
    (entry,) = read(image).entries
    assert content(entry) == back(image, "qcow2") == source.read_bytes()
    assert entry.data is not None and entry.data.root.size > image.stat().st_size


def test_clusters_written_over_zeroed_and_dropped_are_followed(tmp_path: Path, source: Path) -> None:
    for name, options in (("plain", ()), ("subclusters", FORMS["subclusters"])):
        image = converted(source, tmp_path / name, "qcow2", *options, compressed=True)
        commands = ("write -P 7 70k 5k", "write -z 0 64k", "discard 1M 128k", "write -P 9 3000k 1", "write -z 3100k 4k")
        for command in commands:
            run("qemu-io", "-f", "qcow2", "-c", command, image)
        (entry,) = read(image).entries
        assert content(entry) == back(image, "qcow2") != source.read_bytes()


def test_the_header_says_what_qemu_says(tmp_path: Path, source: Path) -> None:
    image = converted(
        source, tmp_path / "image", "qcow2", "compression_type=zstd", "refcount_bits=8", "lazy_refcounts=on"
    )
    found, expected = facts(read(image)), told(image, "qcow2")
    special = expected["format-specific"]["data"]
    assert found["disk_size"] == expected["virtual-size"]
    assert found["cluster_size"] == expected["cluster-size"]
    assert found["compression"] == special["compression-type"] == "zstd"
    assert found["refcount_bits"] == special["refcount-bits"] == 8
    assert found["features_compatible"] == int(special["lazy-refcounts"])


def test_facts_lie_where_they_say(tmp_path: Path, source: Path) -> None:
    image = converted(source, tmp_path / "image", "qcow2")
    for fact in read(image).facts:
        for offset, length in fact.places:
            raw_value = int.from_bytes(image.read_bytes()[offset : offset + length], "big")
            if fact.name == "disk_size":
                assert raw_value == fact.value


def test_snapshots_are_named(tmp_path: Path, source: Path) -> None:
    image = converted(source, tmp_path / "image", "qcow2")
    for name in ("first", "größer"):
        run("qemu-img", "snapshot", "-c", name, image)
        run("qemu-io", "-f", "qcow2", "-c", "write -P 3 0 1M", image)
    container = read(image)
    expected = told(image, "qcow2")["snapshots"]
    found = facts(container)
    assert [found["snapshot_0"], found["snapshot_1"]] == [one["name"] for one in expected] == ["first", "größer"]
    assert [found[f"snapshot_{n}_time"] for n in range(2)] == [
        one["date-sec"] * 10**9 + one["date-nsec"] for one in expected
    ]
    (region,) = [region for region in container.regions if region.name == "snapshot table"]
    assert "größer".encode() in region.data.read_at(0, region.data.size)
    assert content(container.entries[0]) == back(image, "qcow2")


def test_tables_and_clusters_make_up_the_file(tmp_path: Path, source: Path) -> None:
    image = converted(source, tmp_path / "image", "qcow2", "cluster_size=4k")
    container = read(image)
    rest = bytearray(image.read_bytes())
    for data in (container.entries[0].data, *(region.data for region in container.regions)):
        assert data is not None
        for offset, length in spans(data):
            rest[offset : offset + length] = bytes(length)
    assert not any(rest)


def test_a_disk_that_builds_on_another_is_refused_with_its_name(tmp_path: Path, source: Path) -> None:
    image = tmp_path / "image"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", source, image)
    container = read(image)
    assert container.entries == ()
    assert container.skipped == (("", f"the disk image holds only what differs from another one, {str(source)!r}"),)
    assert facts(container)["backing_file"] == told(image, "qcow2")["backing-filename"]


def test_a_disk_in_a_file_of_its_own_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "image"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={tmp_path / 'data'}", image, "1M")
    ((_, reason),) = read(image).skipped
    assert "file of its own" in reason


def test_an_encrypted_disk_is_refused(tmp_path: Path, source: Path) -> None:
    image = converted(source, tmp_path / "image", "qcow2")
    raw = bytearray(image.read_bytes())
    raw[35] = 1
    image.write_bytes(raw)
    assert told(image, "qcow2")["encrypted"]
    assert read(image).skipped == (("", "the disk image is encrypted"),)


def test_a_cut_image_is_refused_with_the_reason(tmp_path: Path, source: Path) -> None:
    whole = converted(source, tmp_path / "image", "qcow2").read_bytes()
    for cut in cuts(whole, 20):
        if qcow2.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                qcow2.read(loaded(cut), budget())


@pytest.mark.parametrize("compressed", [False, True])
def test_damage_is_read_or_refused(tmp_path: Path, compressed: bool) -> None:
    small = raw(tmp_path / "raw", size=3 * MIB)
    image = converted(small, tmp_path / "image", "qcow2", "cluster_size=4k", compressed=compressed)
    run("qemu-img", "snapshot", "-c", "name", image)
    whole = image.read_bytes()
    tables = [span for region in read(image).regions for span in spans(region.data) if region.name != "header"]
    used = [(start, min(size, 200)) for start, size in tables if any(whole[start : start + size])]
    chance = 0
    for seed, areas in enumerate(([(0, 112)], used)):
        damaged = flips(whole, 80, seed=seed, within=tuple(areas))
        chance += sum(survives(qcow2.read, qcow2.recognise, one) for one in damaged)
    assert 0 < chance < 160


def header(size: int, l1_entries: int, *, bits: int = 16) -> bytes:
    return struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, bits, size, 0, l1_entries, 1 << 16, 0, 0, 0, 0)


def test_tables_that_share_one_another_are_refused() -> None:
    l1 = struct.pack(">Q", 2 << 16) * 1000
    image = header(1000 << 29, 1000).ljust(1 << 16, b"\0") + l1.ljust(1 << 16, b"\0") + bytes(1 << 16)
    with pytest.raises(UnreadableError, match="share one table"):
        qcow2.read(loaded(image), budget())


def test_one_cluster_for_every_place_is_refused() -> None:
    l2 = struct.pack(">Q", 3 << 16) * 8192
    image = header(1 << 29, 1).ljust(1 << 16, b"\0") + struct.pack(">Q", 2 << 16).ljust(1 << 16, b"\0") + l2
    with pytest.raises(UnreadableError, match="overlap"):
        qcow2.read(loaded(image + bytes(1 << 16)), budget())


def test_a_bomb_is_refused(tmp_path: Path, source: Path) -> None:
    image = converted(source, tmp_path / "image", "qcow2", compressed=True)
    with pytest.raises(BeyondLimitError, match="compressed streams hold more"):
        qcow2.read(opened(image), Budget(Limits(decompressed=100_000)))
