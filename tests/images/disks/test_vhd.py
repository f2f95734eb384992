"""VHD images made by qemu-img, against the disk that it takes out of them again."""

import time
from pathlib import Path

import pytest
from bench import run
from specimens import budget, content, cuts, facts, flips, loaded, make_sense, opened, spans, survives
from virtual import back, converted, differing, raw, told

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.disks import vhd
from ci_toolkit.images.entry import Container

FORMS = {
    "dynamic": (),
    "dynamic, of the size asked for": ("force_size=on",),
    "fixed": ("subformat=fixed",),
    "fixed, of the size asked for": ("subformat=fixed", "force_size=on"),
}


def read(image: Path) -> Container:
    data = opened(image)
    assert vhd.recognise(data)
    container = vhd.read(data, budget())
    make_sense(container)
    return container


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw(tmp_path_factory.mktemp("source") / "raw")


@pytest.mark.parametrize("form", FORMS)
def test_the_disk_inside_is_what_qemu_takes_out(tmp_path: Path, source: Path, form: str) -> None:
    before = int(time.time())
    image = converted(source, tmp_path / "image", "vpc", *FORMS[form])
    container = read(image)
    (entry,) = container.entries
    assert content(entry) == back(image, "vpc")
    assert content(entry).startswith(source.read_bytes())
    found = facts(container)
    assert found["disk_size"] == told(image, "vpc")["virtual-size"]
    assert found["image_type"] == form.partition(",")[0]
    assert before <= int(str(found["creation_time"])) <= time.time()


def test_blocks_written_later_are_followed(tmp_path: Path, source: Path) -> None:
    image = converted(source, tmp_path / "image", "vpc")
    run("qemu-io", "-f", "vpc", "-c", "write -P 7 3M 70k", "-c", "write -P 8 10 500", image)
    assert content(read(image).entries[0]) == back(image, "vpc")


def test_all_but_the_disk_are_tables(tmp_path: Path, source: Path) -> None:
    image = converted(source, tmp_path / "image", "vpc")
    container = read(image)
    rest = bytearray(image.read_bytes())
    for data in (container.entries[0].data, *(region.data for region in container.regions)):
        assert data is not None
        for offset, length in spans(data):
            rest[offset : offset + length] = bytes(length)
    assert not any(rest)


def test_two_builds_differ_in_what_the_facts_name(tmp_path: Path, source: Path) -> None:
    images = [converted(source, tmp_path / name, "vpc") for name in ("a", "b")]
    one, other = (image.read_bytes() for image in images)
    places = differing(one, other)
    named = [
        place for fact in read(images[0]).facts if fact.name in ("uuid", "creation_time", "checksum")
        for place in fact.places
    ]  # fmt: skip
    assert places and all(any(start <= at < start + length for start, length in named) for at in places)


def test_a_cut_image_is_refused_with_the_reason(tmp_path: Path, source: Path) -> None:
    whole = converted(source, tmp_path / "image", "vpc").read_bytes()
    for cut in cuts(whole, 20):
        if vhd.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                vhd.read(loaded(cut), budget())


def test_damage_is_read_or_refused(tmp_path: Path, source: Path) -> None:
    whole = converted(source, tmp_path / "image", "vpc").read_bytes()
    areas = ((0, 86), (512, 60), (1536, 16), (len(whole) - 512, 86))
    read = sum(survives(vhd.read, vhd.recognise, one) for one in flips(whole, 80, within=areas))
    assert 0 < read < 80
