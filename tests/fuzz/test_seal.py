import json
from pathlib import Path

from bench import run

from fuzz import seal
from fuzz.image import Image


def test_tar_reads_a_header_whose_checksum_was_righted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    (tmp_path / "a").write_bytes(run("tar", "-c", "-C", tmp_path, "file"))
    with Image(str(tmp_path / "a")) as image:
        image.write(0, b"F")
        seal.tar(image)
    assert run("tar", "-t", "-f", tmp_path / "a") == b"File\n"


def test_sfdisk_believes_tables_whose_checksums_were_righted(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(2 << 20)
    run("sfdisk", "--quiet", disk, stdin=b"label: gpt\nsize=100, name=one\n")
    with Image(str(disk)) as image:
        for table in (1024, image.size - 33 * 512):
            image.write(table + 56, "two".encode("utf-16-le"))
        seal.gpt(image)
    told = json.loads(run("sfdisk", "--json", disk))["partitiontable"]
    assert [line["name"] for line in told["partitions"]] == ["two"]
