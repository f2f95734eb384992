"""Disks of hypervisors, converted twice by qemu-img."""

import random
import re
import time
from pathlib import Path

import pytest
from bench import compared, run, shows


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk with something in it."""
    image = tmp_path_factory.mktemp("disk") / "disk.raw"
    image.write_bytes(random.Random(1).randbytes(3 << 20) + bytes(5 << 20))
    return image


def converted(raw: Path, place: Path, kind: str, *options: str, seconds: float = 0) -> tuple[Path, Path]:
    images = (place / f"a/disk.{kind}", place / f"b/disk.{kind}")
    for image in images:
        image.parent.mkdir()
        run("qemu-img", "convert", *options, "-O", kind, raw, image)
        time.sleep(seconds if image is images[0] else 0)
    return images


def causes(first: Path, second: Path) -> set[str]:
    """The causes of which none follows from another."""
    return {name for name, told in compared(first, second).items() if not told.consequence_of}


@shows("vmdk-content-id", by="qemu-img")
def test_a_vmdk_has_a_random_content_id(raw: Path, tmp_path: Path) -> None:
    images = converted(raw, tmp_path, "vmdk")
    assert causes(*images) == {"vmdk-content-id"}
    contents = [image.read_bytes() for image in images]
    fixed = [re.sub(rb"\nCID=[0-9a-f]+\n", b"\n", content).rstrip(b"\0").replace(b"\0", b"") for content in contents]
    assert fixed[0] == fixed[1]


@shows("vmdk-name", by="qemu-img")
def test_a_vmdk_holds_the_name_of_its_file(raw: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run("qemu-img", "convert", "-O", "vmdk", raw, tmp_path / f"{name}.vmdk")
    assert causes(tmp_path / "a.vmdk", tmp_path / "b.vmdk") == {"vmdk-content-id", "vmdk-name"}


@shows("disk-image-uuid", by="qemu-img")
def test_a_vdi_has_random_identifiers(raw: Path, tmp_path: Path) -> None:
    assert causes(*converted(raw, tmp_path, "vdi")) == {"disk-image-uuid"}


@shows("disk-image-time", by="qemu-img")
@shows("disk-image-checksum", by="qemu-img")
def test_a_vhd_has_a_time_as_well_and_checksums_follow(raw: Path, tmp_path: Path) -> None:
    first, second = converted(raw, tmp_path, "vpc", seconds=1.01)
    assert causes(first, second) == {"disk-image-uuid", "disk-image-time"}
    assert compared(first, second)["disk-image-checksum"].consequence_of == ("disk-image-time", "disk-image-uuid")


@shows("qcow2-order", by="qemu-img")
def test_clusters_of_a_qcow2_lie_where_they_were_written_first(raw: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a.qcow2", tmp_path / "b.qcow2"
    run("qemu-img", "convert", "-O", "qcow2", raw, first)
    # The same content, written from its end: as -W writes it where the last thread is the first to be done.
    run("qemu-img", "create", "-q", "-f", "qcow2", second, str(raw.stat().st_size))
    half = 1 << 20
    piece = tmp_path / "piece"
    for start in (2 * half, half, 0):
        piece.write_bytes(raw.read_bytes()[start : start + half])
        run("qemu-io", "-c", f"write -q -s {piece} {start} {half}", "-f", "qcow2", second)
    assert causes(first, second) == {"qcow2-order"}


@shows("disk-format", by="qemu-img")
def test_one_disk_in_two_formats_is_about_the_format(raw: Path, tmp_path: Path) -> None:
    run("qemu-img", "convert", "-O", "qcow2", raw, tmp_path / "a.qcow2")
    run("qemu-img", "convert", "-O", "vmdk", raw, tmp_path / "b.vmdk")
    assert causes(tmp_path / "a.qcow2", tmp_path / "b.vmdk") == {"disk-format"}
