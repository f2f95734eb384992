"""Partition tables, made twice by sfdisk."""

import json
from pathlib import Path
from typing import cast

from bench import cause, changed, compared, differs, finding, run, shows, together

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.explain import explain
from ci_toolkit.compare.facts import Facts


def table(image: Path, label: str) -> tuple[str, str]:
    """Write a table with one partition, and return the identifiers of the disk and of the partition."""
    with image.open("wb") as file:
        file.truncate(4 << 20)
    run("sfdisk", "--quiet", image, stdin=f"label: {label}\nsize=1MiB\n".encode())
    read = cast(dict[str, dict[str, object]], json.loads(run("sfdisk", "--json", image)))["partitiontable"]
    partitions = cast(list[dict[str, str]], read["partitions"])
    return str(read["id"]).lower(), partitions[0].get("uuid", "").lower()


@shows("gpt-guid", by="sfdisk")
def test_identifiers_that_sfdisk_draws_are_named(tmp_path: Path) -> None:
    first, second = (table(tmp_path / name, "gpt") for name in ("a", "b"))
    disk = differs((), Field.HEADER, first[0], second[0], name="disk_guid", container="gpt")
    partition = differs(("1:root",), Field.HEADER, first[1], second[1], name="partition_guid", container="gpt")
    found = together(disk, partition)
    told = found["gpt-guid"]
    assert set(found) == {"gpt-guid"}
    assert told.count == 2
    assert told.fix == f"[Output]\nSeed={first[0]}"


def test_the_signature_of_an_mbr_is_named(tmp_path: Path) -> None:
    first, second = (table(tmp_path / name, "dos")[0] for name in ("a", "b"))
    told = finding(differs((), Field.HEADER, first, second, name="disk_signature", container="mbr"))
    assert told.cause == "gpt-guid"


@shows("partition-table-checksum", by="sfdisk")
def test_the_checksums_follow_from_the_identifiers(tmp_path: Path) -> None:
    first, second = (table(tmp_path / name, "gpt") for name in ("a", "b"))
    headers = [(tmp_path / name).read_bytes()[512:1024] for name in ("a", "b")]
    partition = differs(("1:root",), Field.HEADER, first[1], second[1], name="partition_guid", container="gpt")
    header = changed((), *headers, container="gpt", field=Field.REGION, name="gpt header")
    inside = changed(("1:root", "etc/thing"), b"one", b"two")
    told = together(partition, header, inside)
    assert told["partition-table-checksum"].consequence_of == ("gpt-guid",)


def test_bytes_of_a_table_that_follow_from_nothing_are_unknown() -> None:
    header = changed((), b"one", b"two", container="gpt", field=Field.REGION, name="gpt header")
    inside = changed(("1:root", "var/log/thing"), b"one", b"two")
    assert {found.cause for found in explain((header, inside), Facts())} == {"unknown", "log-file"}


@shows("partition-extent", by="sfdisk")
def test_a_partition_ends_where_what_is_in_it_does(tmp_path: Path) -> None:
    images = []
    for name, size in (("a", 1), ("b", 2)):
        run("mkfs.vfat", "-C", "-i", "12345678", tmp_path / f"{name}.fat", str(size << 10))
        (tmp_path / "file").write_text("x" * size)
        run("mcopy", "-i", tmp_path / f"{name}.fat", tmp_path / "file", "::/FILE")
        image = tmp_path / name
        script = f"label: gpt\nlabel-id: 0E9A6FE0-68F6-408C-BBEB-136054D20445\nstart=1MiB, size={size}MiB, "
        with image.open("wb") as file:
            file.truncate(8 << 20)
        identifier = "uuid=1E9A6FE0-68F6-408C-BBEB-136054D20445\n"
        run("sfdisk", "--quiet", image, stdin=(script + identifier).encode())
        with image.open("r+b") as file:
            file.seek(1 << 20)
            file.write((tmp_path / f"{name}.fat").read_bytes())
        images.append(image)
    found = compared(images[0], images[1])
    assert found["partition-extent"].consequence_of
    assert "partition-extent" not in {name for name, told in found.items() if not told.consequence_of}


def test_a_partition_that_grew_follows_from_what_is_in_it() -> None:
    extent = differs(("1:root",), Field.HEADER, 4095, 8191, name="last_lba", container="gpt")
    inside = changed(("1:root", "var/log/thing"), b"one", b"two")
    told = {found.cause: found for found in explain((extent, inside), Facts())}
    assert told["partition-extent"].consequence_of == ("log-file",)
    assert cause(extent) == "unknown"


def test_another_type_of_partition_is_unknown() -> None:
    types = ("0fc63daf-8483-4772-8e79-3d69d8477de4", "4f68bce3-e8cd-4db1-96e7-fbcaf984b709")
    assert cause(differs(("1:root",), Field.HEADER, *types, name="partition_type", container="gpt")) == "unknown"
