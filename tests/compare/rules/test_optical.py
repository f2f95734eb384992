"""ISO images, written twice by xorriso."""

import os
from pathlib import Path

from bench import cause, compared, differs, run, shows

from ci_toolkit.compare.difference import Field


def iso(image: Path, tree: Path, day: str, *options: str) -> Path:
    fixed = ("-volume_date", "all_file_dates", "set_to_mtime", "-volume_date", "uuid", f"{day}00000000")
    run("xorriso", "-outdev", image, "-map", tree, "/", *fixed, *options, "-volume_date", "c", f"{day}00000000")
    return image


@shows("iso-time", by="xorriso")
def test_the_descriptors_have_the_time_of_writing(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_text("x")
    for path in (tree / "file", tree):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    images = [iso(tmp_path / f"{day}.iso", tree, day) for day in ("20260701", "20260702")]
    found = compared(images[0], images[1])
    assert "SOURCE_DATE_EPOCH" in found["iso-time"].fix
    assert all(told.consequence_of == ("iso-time",) for name, told in found.items() if name != "iso-time")


@shows("iso-disk-id", by="sfdisk")
def test_the_identifiers_of_its_partition_table_are_named(tmp_path: Path) -> None:
    signatures = []
    for name in ("a", "b"):
        image = iso(
            tmp_path / f"{name}.iso",
            Path("/usr/share/doc/xorriso"),
            "20260701",
            "-boot_image",
            "any",
            "gpt_disk_guid=random",
        )
        run("sfdisk", "--quiet", "--no-tell-kernel", image, stdin=b"label: dos\nstart=64, size=64\n")
        signatures.append(run("sfdisk", "--disk-id", image).decode().strip())
    found = differs((), Field.HEADER, *signatures, name="disk_signature", container="iso9660")
    assert cause(found) == "iso-disk-id"
