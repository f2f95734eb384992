"""Whole or not at all: checksums, limits of forges, and images that lack what is asked for."""

import errno
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import disks
import pytest
from bench import run
from bootable import Converted, to

from ci_toolkit.cli import main
from ci_toolkit.errors import ExitCode, HostError, UnreadableError, UsageError
from ci_toolkit.formats import fit
from ci_toolkit.formats.parallel import ordered
from ci_toolkit.formats.source import open_disk
from ci_toolkit.formats.table import FORMATS
from ci_toolkit.formats.work import Work


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def test_sha256sum_agrees_with_every_checksum(converted: Converted) -> None:
    place = converted("qcow2").parent
    lists = sorted(place.glob("*.sha256"))
    assert len(lists) == 14
    run("sha256sum", "--check", "--quiet", "--strict", *lists, cwd=place)
    listed = {line.split("  ", 1)[1] for path in lists for line in path.read_text().splitlines()}
    assert listed == {
        str(path.relative_to(place)) for path in place.rglob("*") if path.is_file() and path.suffix != ".sha256"
    }


def test_what_is_there_is_replaced_and_nothing_else_is_left(tmp_path: Path, disk: Path) -> None:
    (tmp_path / "disk.oci").mkdir()
    (tmp_path / "disk.oci/old").touch()
    (tmp_path / "disk.vdi").write_text("old")
    (tmp_path / "mine").touch()
    to(disk, "oci,vdi", tmp_path)
    assert names(tmp_path) == ["disk.oci", "disk.oci.sha256", "disk.vdi", "disk.vdi.sha256", "mine"]
    assert names(tmp_path / "disk.oci") == ["blobs", "index.json", "oci-layout"]
    assert (tmp_path / "disk.vdi").stat().st_size > 1 << 20


def test_what_a_killed_conversion_left_goes_with_the_next(tmp_path: Path, disk: Path) -> None:
    left = tmp_path / ".ci-toolkit-x"
    left.mkdir()
    (left / "disk.vdi").write_text("half")
    os.utime(left, (0, 0))
    to(disk, "vdi", tmp_path)
    assert names(tmp_path) == ["disk.vdi", "disk.vdi.sha256"]


@pytest.mark.parametrize(
    ("failure", "seen"),
    [(OSError(errno.ENOSPC, "No space left on device"), HostError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_a_failure_leaves_what_was_there(
    tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, seen: type[BaseException]
) -> None:
    """A full disk, or Ctrl-C, in the second of two formats."""
    (tmp_path / "disk.vdi").write_text("old")

    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr("ci_toolkit.formats.vhdx.write", fail)
    with pytest.raises(seen):
        to(disk, "vdi,vhdx", tmp_path)
    assert names(tmp_path) == ["disk.vdi"]
    assert (tmp_path / "disk.vdi").read_text() == "old"


def test_a_disk_that_is_really_full(tmp_path: Path, disk: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("nothing may be mounted here")
    try:
        with pytest.raises(HostError, match="the disk is full"):
            to(disk, "vdi", place)
        assert names(place) == []
    finally:
        run("umount", place)


@pytest.mark.parametrize("name", ["a\nb", "c\\d", "größe", os.fsdecode(b"\xff\xfe")])
def test_any_name_of_an_image_will_do(tmp_path: Path, disk: Path, name: str) -> None:
    (tmp_path / f"{name}.raw").write_bytes(disk.read_bytes())
    to(tmp_path / f"{name}.raw", "vhd,oci,docker-archive,vagrant-virtualbox", tmp_path)
    lists = sorted(tmp_path.glob("*.sha256"))
    assert len(lists) == 4
    run("sha256sum", "--check", "--quiet", "--strict", *lists, cwd=tmp_path)


def test_a_file_that_claims_to_be_huge_is_refused(tmp_path: Path, disk: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(disk.with_name("root").read_bytes())
    disks.debugfs(image, f"set_inode_field /etc/empty size {1 << 42}")
    with pytest.raises(UnreadableError, match="come to"):
        to(image, "tar.zst", tmp_path)


def test_a_file_system_alone_boots_nowhere(tmp_path: Path, disk: Path) -> None:
    with pytest.raises(UnreadableError, match="root has no partition table") as caught:
        to(disk.with_name("root"), "qcow2", tmp_path)
    assert "tar.zst" in str(caught.value.hint)
    assert names(tmp_path) == []


def test_a_file_system_alone_has_files(tmp_path: Path, disk: Path, converted: Converted) -> None:
    (made,) = to(disk.with_name("root"), "tar.zst", tmp_path).results
    assert made.path.read_bytes() == converted("tar.zst").read_bytes()


def test_a_disk_without_a_root_is_told_with_what_it_has(tmp_path: Path) -> None:
    image = disks.gpt(tmp_path / "disk.raw", {"esp": disks.fat(tmp_path / "esp", {"a": b"b"})})
    with pytest.raises(UnreadableError, match=r"no root file system .* 1:esp \(vfat\)"):
        to(image, "qcow2,tar.zst", tmp_path / "out")
    assert names(tmp_path / "out") == []


@pytest.mark.parametrize("content", [b"", b"a text\n" * 1000, b"\x28\xb5\x2f\xfd" + bytes(99)])
def test_what_is_no_disk_is_refused(tmp_path: Path, content: bytes) -> None:
    image = tmp_path / "image.raw"
    image.write_bytes(content)
    with pytest.raises(UnreadableError, match="no partition table and no file system"):
        to(image, "qcow2", tmp_path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=r"none\.raw: No such file"):
        to(tmp_path / "none.raw", "qcow2", tmp_path)
    with pytest.raises(UnreadableError, match="is not a file"):
        to(tmp_path, "qcow2", tmp_path)


def test_a_qcow2_that_builds_on_another_file_reads_no_other_file(tmp_path: Path, disk: Path) -> None:
    image = tmp_path / "over.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", disk, "-F", "raw", image)
    with pytest.raises(UnreadableError, match="only what differs from another one"):
        to(image, "vdi", tmp_path)


def test_a_disk_that_is_too_large_is_refused_at_once(tmp_path: Path, disk: Path) -> None:
    image = tmp_path / "large.raw"
    image.write_bytes(disk.read_bytes())
    with image.open("r+b") as file:
        file.truncate(3 << 40)
    with pytest.raises(UsageError, match="none of more than"):
        to(image, "qcow2", tmp_path)


def test_what_cannot_fit_is_refused_before_the_work(tmp_path: Path, disk: Path) -> None:
    image = tmp_path / "large.raw"
    image.write_bytes(disk.read_bytes())
    with image.open("r+b") as file:
        file.truncate(3 << 30)
    with pytest.raises(UsageError, match=r"azure would be 3\.22 GB, and github takes 2\.15 GB") as caught:
        to(image, "qcow2,azure", tmp_path / "out", "github")
    assert "qcow2 (about 3 MB)" in str(caught.value.hint)
    assert "split --bytes=2100MB" in str(caught.value.hint)
    assert names(tmp_path / "out") == []
    assert to(image, "qcow2", tmp_path / "out", "github").beyond == ()


def test_the_split_that_is_advised_is_one_that_fits() -> None:
    assert all(limit // 10**6 // 100 * 100 * 10**6 <= limit for limit in fit.LIMITS.values())


def test_what_came_out_too_large_is_told_with_what_fits(
    tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    forecasts = to(disk, "vmdk", tmp_path / "before").results[0].size
    monkeypatch.setattr(fit, "LIMITS", {"github": int(forecasts * 0.97), "gitlab": 1 << 40})
    code = main.run(["convert", str(disk), "--to", "vmdk", "--output", str(tmp_path / "out"), "--fit", "github"])
    assert code == ExitCode.POLICY
    assert "disk.vmdk is larger than github takes" in capfd.readouterr().err
    assert (tmp_path / "out/disk.vmdk").exists()


def test_forecasts_come_close(disk: Path, converted: Converted) -> None:
    """The size of a block format is known; that of a compressed one within a half."""
    with open_disk(disk) as source:
        work = Work(disk=source, directory=disk.parent, say=print)
        share = fit.ratio(source)
        for one in FORMATS:
            path = converted(one.name)
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) or path.stat().st_size
            told = fit.forecast(work, one, share)
            assert abs(told.size - size) < (4.2 * (1 << 20) if told.sure else size / 2 + 700_000), one.name


def test_json_tells_what_was_written(tmp_path: Path, disk: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = main.run(["convert", str(disk), "--to", "vdi,netboot", "--output", str(tmp_path), "--json"])
    assert code == ExitCode.FINE
    told: dict[str, Any] = json.loads(capfd.readouterr().out)
    assert (told["schema"], told["image"], told["size"]) == (1, str(disk), disk.stat().st_size)
    vdi, netboot = told["results"]
    digest, name = (tmp_path / "disk.vdi.sha256").read_text().split()
    assert vdi["files"] == [{"path": name, "size": (tmp_path / name).stat().st_size, "sha256": digest}]
    assert vdi["fits"] is True
    assert {file["path"] for file in netboot["files"]} == {
        f"disk.netboot/{name}" for name in ("boot.ipxe", "initrd", "root.tar.gz", "vmlinuz")
    }


def test_by_default_results_lie_beside_the_image(tmp_path: Path, disk: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.raw").write_bytes(disk.read_bytes())
    assert main.run(["convert", str(tmp_path / "a.raw"), "--to", "vhd"]) == ExitCode.FINE
    assert names(tmp_path) == ["a.raw", "a.vhd", "a.vhd.sha256"]
    assert "a.vhd" in capfd.readouterr().out


def test_results_keep_their_order_whoever_is_first() -> None:
    def slow(number: int) -> int:
        time.sleep(0.02 if number % 5 == 0 else 0)
        return number

    assert list(ordered(slow, range(40), 4)) == list(range(40))


def test_items_are_asked_for_only_as_they_are_needed() -> None:
    asked = []

    def items() -> Any:
        for number in range(1000):
            asked.append(number)
            yield number

    found = ordered(lambda number: number, items(), 2)
    assert next(found) == 0
    assert len(asked) <= 9
    found.close()  # type: ignore[attr-defined]
