"""VMDK images made by qemu-img, against the disk that it takes out of them again."""

import struct
from pathlib import Path

import pytest
from bench import run
from specimens import budget, content, cuts, facts, flips, loaded, make_sense, opened, spans, survives
from virtual import MIB, back, converted, raw, told

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.disks import vmdk
from ci_toolkit.images.entry import Container
from ci_toolkit.images.packed import origin

SPARSE = ("monolithicSparse", "streamOptimized")


def read(image: Path) -> Container:
    data = opened(image)
    assert vmdk.recognise(data)
    container = vmdk.read(data, budget())
    make_sense(container)
    return container


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw(tmp_path_factory.mktemp("source") / "raw")


@pytest.mark.parametrize("form", SPARSE)
def test_the_disk_inside_is_what_qemu_takes_out(tmp_path: Path, source: Path, form: str) -> None:
    image = converted(source, tmp_path / "image", "vmdk", f"subformat={form}")
    (entry,) = read(image).entries
    assert content(entry) == back(image, "vmdk") == source.read_bytes()


def test_compressed_grains_are_not_taken_for_their_place_in_the_file(tmp_path: Path, source: Path) -> None:
    image = converted(source, tmp_path / "image", "vmdk", "subformat=streamOptimized")
    (entry,) = read(image).entries
    assert entry.data is not None
    assert origin(entry.data) is entry.data


def test_a_disk_of_several_grain_tables_is_read(tmp_path: Path) -> None:
    source = raw(tmp_path / "raw", size=40 * MIB)
    image = converted(source, tmp_path / "image", "vmdk", "zeroed_grain=on")
    run("qemu-io", "-f", "vmdk", "-c", "write -z 64k 64k", "-c", "write -P 5 35M 64k", image)
    (entry,) = read(image).entries
    assert content(entry) == back(image, "vmdk") != source.read_bytes()


def test_a_header_at_the_end_is_believed(tmp_path: Path, source: Path) -> None:
    """As VMware's own programs write, which know the place of the directory only then."""
    image = converted(source, tmp_path / "image", "vmdk", "subformat=streamOptimized")
    whole = image.read_bytes()
    marker = struct.pack("<QII", 1, 0, 3).ljust(512, b"\0")
    image.write_bytes(whole[:56] + b"\xff" * 8 + whole[64:] + marker + whole[:512] + bytes(512))
    assert content(read(image).entries[0]) == back(image, "vmdk") == source.read_bytes()
    cut = loaded(image.read_bytes()[:-512])
    with pytest.raises(UnreadableError, match="no footer at the end"):
        vmdk.read(cut, budget())


@pytest.mark.parametrize("form", SPARSE)
def test_the_descriptor_says_what_qemu_says(tmp_path: Path, source: Path, form: str) -> None:
    image = converted(source, tmp_path / "image", "vmdk", f"subformat={form}")
    container = read(image)
    found, expected = facts(container), told(image, "vmdk")
    special = expected["format-specific"]["data"]
    assert found["disk_size"] == expected["virtual-size"]
    assert int(str(found["CID"]), 16) == special["cid"]
    assert found["createType"] == special["create-type"] == form
    assert found["extent_0"] == "image"
    assert found["grain_size"] == special["extents"][0]["cluster-size"]
    (cid,) = [fact for fact in container.facts if fact.name == "CID"]
    ((offset, length),) = cid.places
    assert image.read_bytes()[offset - 4 : offset + length].decode() == "CID=" + str(cid.value)


def test_tables_and_grains_make_up_the_file(tmp_path: Path, source: Path) -> None:
    image = converted(source, tmp_path / "image", "vmdk")
    container = read(image)
    rest = bytearray(image.read_bytes())
    for data in (container.entries[0].data, *(region.data for region in container.regions)):
        assert data is not None
        for offset, length in spans(data):
            rest[offset : offset + length] = bytes(length)
    assert not any(rest)


@pytest.mark.parametrize("form", ["monolithicFlat", "twoGbMaxExtentSparse"])
def test_a_descriptor_of_other_files_names_them(tmp_path: Path, source: Path, form: str) -> None:
    image = converted(source, tmp_path / "image.vmdk", "vmdk", f"subformat={form}")
    container = read(image)
    assert container.entries == ()
    ((_, reason),) = container.skipped
    others = [path.name for path in tmp_path.iterdir() if path != image]
    assert others and all(name in reason for name in others)
    assert int(str(facts(container)["CID"]), 16) == told(image, "vmdk")["format-specific"]["data"]["cid"]


def test_a_disk_that_builds_on_another_is_refused(tmp_path: Path, source: Path) -> None:
    base = converted(source, tmp_path / "base", "vmdk")
    image = tmp_path / "image"
    run("qemu-img", "create", "-q", "-f", "vmdk", "-F", "vmdk", "-b", base, image)
    assert read(image).skipped == (("", "the disk image holds only what differs from another one"),)


@pytest.mark.parametrize("filling", [b"\n", b" ", b"a=", b"RW ", b'"', b'RW 1 A "\n'])
def test_a_long_descriptor_takes_no_long_time(filling: bytes) -> None:
    text = b"# Disk DescriptorFile\nCID=1\n" + filling * ((1 << 20) // len(filling))
    found = vmdk.read(loaded(text), budget())
    assert facts(found)["CID"] == "1"
    assert found.entries == ()


@pytest.mark.parametrize("form", SPARSE)
def test_a_cut_image_is_refused_with_the_reason(tmp_path: Path, source: Path, form: str) -> None:
    # The last compressed grain is filled up with zeros.
    whole = converted(source, tmp_path / "image", "vmdk", f"subformat={form}").read_bytes().rstrip(b"\0")
    for cut in cuts(whole, 20):
        if vmdk.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                vmdk.read(loaded(cut), budget())


@pytest.mark.parametrize("form", SPARSE)
def test_damage_is_read_or_refused(tmp_path: Path, source: Path, form: str) -> None:
    whole = converted(source, tmp_path / "image", "vmdk", f"subformat={form}").read_bytes()
    regions = vmdk.read(loaded(whole), budget()).regions
    tables = tuple((start, min(size, 400)) for region in regions for start, size in spans(region.data))
    read = sum(survives(vmdk.read, vmdk.recognise, one) for one in flips(whole, 120, within=((0, 80), *tables)))
    assert 0 < read < 120
