"""The seed as QEMU shows it to a guest, in the words of blkid and mtools."""

from pathlib import Path

import pytest
from bench import run

from ci_toolkit.boot import seed
from ci_toolkit.errors import UsageError

USER_DATA = b"#cloud-config\nruncmd: [touch /run/here]\n"
# Where QEMU begins the partition of a directory that it shows as a disk.
PARTITION = 63 * 512


def shown(directory: Path, target: Path) -> Path:
    options = f"driver=vvfat,dir={directory},label=CIDATA,fat-type=16"
    run("qemu-img", "convert", "-O", "raw", "--image-opts", options, target)
    return target


def test_the_guest_finds_a_disk_with_the_label_and_the_files_of_nocloud(tmp_path: Path) -> None:
    seed.write(tmp_path / "seed", USER_DATA)
    disk = shown(tmp_path / "seed", tmp_path / "disk")
    told = run("blkid", "-p", "-O", str(PARTITION), "-o", "export", disk).decode()
    assert {"LABEL=CIDATA", "TYPE=vfat"} <= set(told.splitlines())
    image = ("-i", f"{disk}@@{PARTITION}")
    assert run("mtype", *image, "::user-data") == USER_DATA
    assert run("mtype", *image, "::meta-data").startswith(b"instance-id: ci-toolkit-")
    assert b"1980-01-01" in run("mdir", *image, "::")


def test_the_same_user_data_is_the_same_instance_and_another_one_another(tmp_path: Path) -> None:
    for name, content in (("a", USER_DATA), ("b", USER_DATA), ("c", b"#cloud-config\n")):
        seed.write(tmp_path / name, content)
    a, b, c = ((tmp_path / name / "meta-data").read_bytes() for name in "abc")
    assert a == b != c
    times = {path.stat().st_mtime_ns for path in tmp_path.glob("*/*")}
    assert len(times) == 1


def test_user_data_that_cannot_be_read_or_is_too_much_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        seed.read(tmp_path / "none")
    with pytest.raises(UsageError, match="more than 1 MiB"):
        seed.read(Path("/dev/zero"))
