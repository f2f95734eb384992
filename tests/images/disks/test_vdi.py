"""VDI images made by qemu-img, against the disk that it takes out of them again."""

from pathlib import Path
from uuid import UUID

import pytest
from bench import run
from specimens import budget, content, cuts, facts, flips, loaded, make_sense, opened, spans, survives
from virtual import back, converted, differing, mapped, raw, told

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.disks import vdi
from ci_toolkit.images.entry import Container


def read(image: Path) -> Container:
    data = opened(image)
    assert vdi.recognise(data)
    container = vdi.read(data, budget())
    make_sense(container)
    return container


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw(tmp_path_factory.mktemp("source") / "raw")


@pytest.mark.parametrize(("options", "kind"), [((), "dynamic"), (("static=on",), "fixed")])
def test_the_disk_inside_is_what_qemu_takes_out(
    tmp_path: Path, source: Path, options: tuple[str, ...], kind: str
) -> None:
    image = converted(source, tmp_path / "image", "vdi", *options)
    container = read(image)
    (entry,) = container.entries
    assert content(entry) == back(image, "vdi") == source.read_bytes()
    assert facts(container)["image_type"] == kind
    assert facts(container)["disk_size"] == told(image, "vdi")["virtual-size"]
    assert entry.data is not None
    expected = [(one["offset"], one["length"]) for one in mapped(image, "vdi") if one["data"]]
    assert all(
        any(start <= offset and offset + length <= start + size for start, size in spans(entry.data))
        for offset, length in expected
    )


def test_blocks_written_later_are_followed(tmp_path: Path, source: Path) -> None:
    image = converted(source, tmp_path / "image", "vdi")
    run("qemu-io", "-f", "vdi", "-c", "write -P 7 3M 70k", "-c", "write -P 8 10 500", image)
    assert content(read(image).entries[0]) == back(image, "vdi") != source.read_bytes()


def test_its_identifiers_are_random_and_lie_where_they_are_said_to(tmp_path: Path, source: Path) -> None:
    images = [converted(source, tmp_path / name, "vdi") for name in ("a", "b")]
    contents = []
    for image in images:
        for fact in read(image).facts:
            if "uuid" in fact.name:
                ((offset, length),) = fact.places
                assert str(UUID(bytes_le=image.read_bytes()[offset : offset + length])) == fact.value
        contents.append(image.read_bytes())
    places = differing(*contents)
    random = [fact.places[0] for fact in read(images[0]).facts if fact.name in ("uuid", "snapshot_uuid")]
    assert places and all(any(start <= place < start + 16 for start, _ in random) for place in places)


def test_a_cut_image_is_refused_with_the_reason(tmp_path: Path, source: Path) -> None:
    whole = converted(source, tmp_path / "image", "vdi", "static=on").read_bytes()
    for cut in cuts(whole, 20):
        if vdi.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                vdi.read(loaded(cut), budget())


def test_damage_is_read_or_refused(tmp_path: Path, source: Path) -> None:
    whole = converted(source, tmp_path / "image", "vdi").read_bytes()
    read = sum(survives(vdi.read, vdi.recognise, one) for one in flips(whole, 150, within=((64, 340), (340, 230))))
    assert 0 < read < 150
