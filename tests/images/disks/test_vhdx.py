"""VHDX images made by qemu-img, against the disk that it takes out of them again."""

from pathlib import Path

import pytest
from bench import run
from specimens import budget, content, cuts, facts, flips, loaded, make_sense, opened, spans, survives
from virtual import MIB, back, converted, differing, raw, told

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.disks import vhdx
from ci_toolkit.images.entry import Container


def read(image: Path) -> Container:
    data = opened(image)
    assert vhdx.recognise(data)
    container = vhdx.read(data, budget())
    make_sense(container)
    return container


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw(tmp_path_factory.mktemp("source") / "raw")


@pytest.mark.parametrize("options", [(), ("subformat=fixed",), ("block_size=1M",), ("block_size=32M", "log_size=2M")])
def test_the_disk_inside_is_what_qemu_takes_out(tmp_path: Path, source: Path, options: tuple[str, ...]) -> None:
    image = converted(source, tmp_path / "image", "vhdx", *options)
    container = read(image)
    (entry,) = container.entries
    assert content(entry) == back(image, "vhdx") == source.read_bytes()
    assert facts(container)["disk_size"] == told(image, "vhdx")["virtual-size"]
    assert str(facts(container)["creator"]).startswith("QEMU")


def test_entries_for_bitmaps_are_passed_over(tmp_path: Path) -> None:
    """With blocks of 32 MiB, each 128 of them have one: the disk must be larger than 4 GiB."""
    image = tmp_path / "image"
    run("qemu-img", "create", "-q", "-f", "vhdx", "-o", "block_size=32M", image, "5G")
    run("qemu-io", "-f", "vhdx", "-c", "write -P 7 4500M 64k", "-c", "write -P 8 1M 64k", image)
    (entry,) = read(image).entries
    assert entry.data is not None
    for start, value in ((4500, 7), (1, 8)):
        assert entry.data.read_at(start * MIB, 64 << 10) == bytes([value]) * (64 << 10)
    assert entry.data.size == 5 << 30
    assert entry.data.read_at(3000 * MIB, 99) == bytes(99)


def test_two_builds_differ_in_what_the_facts_name(tmp_path: Path, source: Path) -> None:
    images = [converted(source, tmp_path / name, "vhdx") for name in ("a", "b")]
    one, other = (image.read_bytes() for image in images)
    places = differing(one, other)
    container = read(images[0])
    drawn = ("uuid", "checksum", "sequence")
    named = [place for fact in container.facts if fact.name.endswith(drawn) for place in fact.places]
    # The log keeps what was written by its means.
    named += [span for region in container.regions if region.name == "log" for span in spans(region.data)]
    assert places and all(any(start <= at < start + length for start, length in named) for at in places)


def test_a_log_that_was_not_replayed_is_refused(tmp_path: Path, source: Path) -> None:
    image = converted(source, tmp_path / "image", "vhdx")
    run("qemu-io", "-f", "vhdx", "-c", "write -P 7 5M 64k", image)
    raw = bytearray(image.read_bytes())
    (log,) = [region for region in read(image).regions if region.name == "log"]
    start = spans(log.data)[0][0]
    entry = raw.index(b"loge", start)
    # As a machine that stops while the disk is open leaves it: the headers name the log.
    for place in (64 << 10, 128 << 10):
        raw[place + 48 : place + 64] = raw[entry + 32 : entry + 48]
        raw[place + 4 : place + 8] = bytes(4)
        raw[place + 4 : place + 8] = vhdx.crc32c(bytes(raw[place : place + 4096])).to_bytes(4, "little")
    found = vhdx.read(loaded(bytes(raw)), budget())
    assert found.entries == ()
    assert "not closed" in found.skipped[0][1]


def test_a_cut_image_is_refused_with_the_reason(tmp_path: Path, source: Path) -> None:
    whole = converted(source, tmp_path / "image", "vhdx", "subformat=fixed").read_bytes()
    # What lies behind the last byte of the disk belongs to its last block.
    for cut in cuts(whole[: whole.rindex(b"end")], 20):
        if vhdx.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                vhdx.read(loaded(cut), budget())


def test_damage_is_read_or_refused(tmp_path: Path, source: Path) -> None:
    whole = converted(source, tmp_path / "image", "vhdx", "block_size=1M").read_bytes()
    regions = {region.name: spans(region.data)[0][0] for region in read(tmp_path / "image").regions}
    metadata, blocks = regions["metadata"], regions["block table"]
    areas = ((0, 64), (64 << 10, 80), (192 << 10, 80), (metadata, 200), (metadata + (64 << 10), 60), (blocks, 30))
    chance = sum(survives(vhdx.read, vhdx.recognise, one) for one in flips(whole, 80, within=areas))
    assert 0 < chance < 80
