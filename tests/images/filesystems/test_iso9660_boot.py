"""Boot images and partition tables of ISO images made by xorriso, against what it and sfdisk tell of them."""

import json
import re
from pathlib import Path

import discs
import pytest
from bench import run
from specimens import budget, content, entries, facts, loaded, make_sense, opened, spans

from ci_toolkit.images.entry import Container, Entry
from ci_toolkit.images.filesystems import iso9660
from ci_toolkit.images.read import identify


def read(image: Path) -> Container:
    container = iso9660.read(opened(image), budget())
    make_sense(container)
    return container


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("source") / "tree"
    root.mkdir()
    (root / "file").write_text("content")
    return root


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    return discs.bootable(tmp_path_factory.mktemp("image") / "image", root)


def table(image: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run("sfdisk", "--json", image))["partitiontable"]["partitions"]
    return found


def sectors(entry: Entry) -> tuple[object, object]:
    """First sector and number of sectors, from GPT or MBR."""
    found = facts(entry)
    if "sectors" in found:
        return found["first_lba"], found["sectors"]
    return found["first_lba"], int(str(found["last_lba"])) - int(str(found["first_lba"])) + 1


def test_boot_images_are_what_xorriso_reports(image: Path) -> None:
    found = read(image)
    told = run("xorriso", "-indev", image, "-report_el_torito", "plain").decode()
    rows = re.findall(r"img : +(\d+) +(\S+) +(\S) +(\S+) +(\S+) +\S+ +(\d+) +(\d+)", told)
    assert len(rows) == 2
    for number, platform, bootable, emulation, segment, count, block in rows:
        here = facts(entries(found)[f"[boot]/{number}"])
        assert here["platform"] == platform
        assert here["bootable"] == (bootable == "y")
        assert here["emulation"] == emulation
        assert (here["load_segment"], here["sectors"], here["first_block"]) == (
            int(segment, 16),
            int(count),
            int(block),
        )
    catalogue = re.search(r"catalog  : (\d+)", told)
    assert catalogue is not None
    (region,) = [region for region in found.regions if region.name == "boot catalogue"]
    assert spans(region.data) == [(int(catalogue[1]) * 2048, 2048)]


def test_boot_images_that_are_files_are_read_once(image: Path, root: Path) -> None:
    there = entries(read(image))
    assert [there[f"[boot]/{number}"].data for number in (1, 2)] == [None, None]
    assert there["[boot]/2"].size == (root / "boot/efi.img").stat().st_size
    assert content(there["boot/efi.img"]) == (root / "boot/efi.img").read_bytes()


def test_a_hidden_boot_image_has_its_content(tmp_path: Path, root: Path) -> None:
    """The file is taken out of the tree; only the catalogue leads to it."""
    image = discs.bootable(tmp_path / "image", root, "-hide", "efi.img", "-hide-joliet", "efi.img")
    there = entries(read(image))
    assert "boot/efi.img" not in there
    assert content(there["[boot]/2"]) == (root / "boot/efi.img").read_bytes()


def test_an_appended_partition_is_an_entry(tmp_path: Path, root: Path) -> None:
    discs.bootable(tmp_path / "other", root)
    efi = root / "boot/efi.img"
    appended = ("-append_partition", "2", "0xef", efi, "-appended_part_as_gpt")
    boot = ("-e", "--interval:appended_partition_2:all::", "-no-emul-boot")
    image = discs.make("xorriso", tmp_path / "image", root, "-R", *appended, *boot)
    data = opened(image)
    known = identify(data)
    assert known is not None and known.name == "iso9660"
    found = read(image)
    there = entries(found)
    assert content(there["[partition]/2:Appended2"]) == efi.read_bytes()
    assert there["[boot]/1"].data is None
    expected = json.loads(run("sfdisk", "--json", image))["partitiontable"]
    assert facts(found)["disk_guid"] == expected["id"].lower()
    partitions = [entry for path, entry in there.items() if path.startswith("[partition]/")]
    assert [sectors(entry) for entry in partitions] == [(row["start"], row["size"]) for row in expected["partitions"]]
    # The one that holds the tree would tell it all again.
    assert there["[partition]/1:Gap0"].data is None


def test_a_partition_table_of_bios_is_told(tmp_path: Path, image: Path) -> None:
    """As isohybrid writes: one partition over the whole image."""
    hybrid = tmp_path / "image"
    hybrid.write_bytes(image.read_bytes())
    run("sfdisk", "--quiet", "--wipe=never", "--no-reread", hybrid,
        stdin=b"label: dos\nlabel-id: 0x12345678\nstart=1, type=17, bootable\n")  # fmt: skip
    found = read(hybrid)
    assert facts(found)["disk_signature"] == "0x12345678"
    entry = entries(found)["[partition]/1"]
    assert entry.data is None
    assert [sectors(entry)] == [(row["start"], row["size"]) for row in table(hybrid)]
    assert "partition table" in {region.name for region in found.regions}
    assert set(entries(found)) == {*entries(read(image)), "[partition]/1"}


def test_a_damaged_catalogue_is_skipped(image: Path) -> None:
    raw = bytearray(image.read_bytes())
    (region,) = [region for region in read(image).regions if region.name == "boot catalogue"]
    raw[spans(region.data)[0][0]] = 7
    found = iso9660.read(loaded(bytes(raw)), budget())
    assert "boot/efi.img" in entries(found)
    ((path, reason),) = found.skipped
    assert path == "[boot]" and "damaged" in reason
