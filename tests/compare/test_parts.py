"""Where partitions and differing bytes lie, against the word of sfdisk and cmp."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from bench import PATH, run
from disks import MIB, SECTOR, ext4, fat, gpt

from ci_toolkit.compare.comparison import Comparison
from ci_toolkit.compare.explain import explain
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.parts import PARTS_SHOWN, Disk, Part
from ci_toolkit.compare.walk import compare


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two disks whose file systems differ in the content of one file each, and in nothing else."""
    a, b = tmp_path_factory.mktemp("a"), tmp_path_factory.mktemp("b")
    (a / "root/etc").mkdir(parents=True)
    (a / "root/etc/machine-id").write_text("a" * 32)
    root = ext4(a / "root.ext4", a / "root")
    esp = fat(a / "esp.fat", {"loader.conf": b"a" * 9000})
    gpt(a / "disk.raw", {"esp": esp, "root": root})
    # Made anew, they would differ in the times of inodes too, if a second passed.
    for path in (a / "disk.raw", a / "root.ext4", a / "root/etc/machine-id"):
        copy = b / path.relative_to(a)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes().replace(b"a" * 32, b"b" * 32))
    return a / "disk.raw", b / "disk.raw"


def differing(a: Path, b: Path) -> set[int]:
    """The offsets of all bytes that differ, by cmp."""
    program = shutil.which("cmp", path=PATH)
    if program is None:
        pytest.skip("cmp is not installed")
    told = subprocess.run([program, "--verbose", a, b], capture_output=True, check=False)
    return {int(line.split()[0]) - 1 for line in told.stdout.splitlines()}


def places(spans: tuple[tuple[int, int], ...]) -> set[int]:
    return {place for offset, length in spans for place in range(offset, offset + length)}


def disk_of(comparison: Comparison) -> Disk:
    assert comparison.disks is not None
    return comparison.disks[0]


def test_parts_lie_where_sfdisk_says(images: tuple[Path, Path]) -> None:
    disk = disk_of(compare(*images))
    table = json.loads(run("sfdisk", "--json", images[0]))["partitiontable"]["partitions"]
    assert disk.size == images[0].stat().st_size
    assert [(part.offset, part.size) for part in disk.parts] == [
        (one["start"] * SECTOR, one["size"] * SECTOR) for one in table
    ]
    assert [(part.name, part.format) for part in disk.parts] == [("1:esp", "vfat"), ("2:root", "ext4")]


def test_differing_bytes_lie_where_the_findings_say(images: tuple[Path, Path]) -> None:
    comparison = compare(*images)
    findings = explain(comparison.differences, Facts())
    found = differing(*images)
    assert found
    assert found == found & set().union(*(places(one.spans) for one in findings))
    esp, root = disk_of(comparison).parts
    (machine_id,) = [one for one in findings if one.cause == "machine-id"]
    assert all(root.offset <= place < root.offset + root.size for place in places(machine_id.spans))
    assert {place for place in found if place >= root.offset} == found & places(machine_id.spans)
    loader = next(one for one in comparison.differences if one.path == ("1:esp", "loader.conf"))
    assert {place for place in found if place < esp.offset + esp.size} == found & places(loader.spans)


def test_a_file_system_without_a_table_is_one_part(images: tuple[Path, Path]) -> None:
    a, b = (image.with_name("root.ext4") for image in images)
    assert disk_of(compare(a, b)) == Disk(size=4 * MIB, parts=(Part(name="", format="ext4", offset=0, size=4 * MIB),))


def test_what_is_no_disk_has_no_parts(images: tuple[Path, Path]) -> None:
    a, b = (image.with_name("root") / "etc/machine-id" for image in images)
    assert compare(a, b).disks is None
    assert compare(a.parent, b.parent).disks is None


def test_more_partitions_than_a_picture_shows_are_left_out(tmp_path: Path) -> None:
    """A table may have any number of them: 200 of a sector each."""
    lines = ["label: gpt", "table-length: 200", *(f"start={2048 + n}, size=1" for n in range(200))]
    for name in ("a", "b"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(4 * MIB)
        run("sfdisk", "--quiet", tmp_path / name, stdin="\n".join(lines).encode())
    assert len(disk_of(compare(tmp_path / "a", tmp_path / "b")).parts) == PARTS_SHOWN
