"""Times of files."""

import os
import struct
import time
from pathlib import Path

from bench import cause, compared, differs, finding, run, shows

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.walk import compare

SECOND = 1_000_000_000


@shows("mtime", by="touch")
def test_files_written_at_other_times_differ_in_mtime(tmp_path: Path) -> None:
    stamps = []
    for name in ("a", "b"):
        run("touch", tmp_path / name)
        stamps.append((tmp_path / name).stat().st_mtime_ns)
        time.sleep(0.02)
    told = finding(differs("etc/thing", Field.MTIME, *stamps))
    assert told.cause == "mtime"
    assert "[Content]\nSourceDateEpoch=" in told.fix


@shows("late-mtime", by="touch")
def test_times_above_an_epoch_were_written_after_the_clamping(tmp_path: Path) -> None:
    run("touch", tmp_path / "a")
    written = (tmp_path / "a").stat().st_mtime_ns
    told = finding(differs("etc/thing", Field.MTIME, 1000 * SECOND, written), Facts(epoch=1000))
    assert told.cause == "late-mtime"
    assert "after mkosi clamped" in told.explanation
    assert "SourceDateEpoch=" not in told.fix


@shows("old-mtime", by="git")
def test_times_below_an_epoch_are_the_checkouts(tmp_path: Path) -> None:
    stamps = []
    for name in ("a", "b"):
        run("git", "init", "--quiet", tmp_path / name)
        run("touch", "--date=@500" if name == "a" else "--date=@501", tmp_path / name / ".git/description")
        stamps.append((tmp_path / name / ".git/description").stat().st_mtime_ns)
    told = finding(differs("etc/thing", Field.MTIME, *stamps), Facts(epoch=1000))
    assert told.cause == "old-mtime"
    assert "checkout" in told.explanation


def fat_time(image: Path, zone: str) -> int:
    """The time of the only file that mcopy wrote into a fresh FAT, as the directory has it, in nanoseconds."""
    run("mkfs.vfat", "-C", "-F", "12", image, "1440")
    source = image.with_suffix(".txt")
    source.write_text("x")
    run("touch", "--date=2026-01-02 03:04:06Z", source)
    run("mcopy", "-m", "-i", image, source, "::/FILE.TXT", environment={"TZ": zone})
    data = image.read_bytes()
    entry = data.index(b"FILE    TXT")
    clock, day = struct.unpack_from("<HH", data, entry + 22)
    moment = (1980 + (day >> 9), day >> 5 & 15, day & 31, clock >> 11, clock >> 5 & 63, (clock & 31) * 2, 0, 0, 0)
    return int(run("date", "--utc", "+%s", "--date={}-{}-{} {}:{}:{}".format(*moment))) * SECOND


@shows("time-zone", by="mcopy")
def test_fat_times_of_two_zones_are_whole_quarters_of_an_hour_apart(tmp_path: Path) -> None:
    times = [fat_time(tmp_path / f"{name}.img", zone) for name, zone in (("a", "UTC"), ("b", "Pacific/Chatham"))]
    told = finding(differs("EFI/BOOT", Field.MTIME, *times, container="vfat"))
    assert told.cause == "time-zone"
    assert told.fix == "[Build]\nEnvironment=TZ=UTC"


@shows("fat-time", by="mmd")
def test_directories_made_on_fat_have_the_present_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run("mkfs.vfat", "-C", "-i", "12345678", tmp_path / name, "1440")
        run("mmd", "-i", tmp_path / name, "::/EFI")
        time.sleep(2.01 if name == "a" else 0)  # FAT keeps every other second
    found = compared(tmp_path / "a", tmp_path / "b")
    assert "[Content]\nSourceDateEpoch=" in found["fat-time"].fix
    assert all(told.consequence_of == ("fat-time",) for name, told in found.items() if name != "fat-time")


def test_fat_times_that_are_no_zones_apart_are_the_builds() -> None:
    assert cause(differs("EFI", Field.MTIME, 2 * SECOND, 4 * SECOND, container="vfat")) == "fat-time"
    assert cause(differs("EFI", Field.MTIME, 0, 27 * 3600 * SECOND, container="vfat")) == "fat-time"


def test_ext4_keeps_no_local_time() -> None:
    assert cause(differs("etc", Field.MTIME, 0, 3600 * SECOND)) == "mtime"


def test_a_time_on_fat_although_an_epoch_is_set_asks_for_newer_tools() -> None:
    told = finding(differs("EFI", Field.MTIME, 2 * SECOND, 4 * SECOND, container="vfat"), Facts(epoch=1))
    assert "systemd-repart" in told.fix


def test_times_in_zip_archives_of_two_zones_are_whole_quarters_of_an_hour_apart(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    os.utime(tmp_path / "file", (1_700_000_000, 1_700_000_000))
    for name, zone in (("a", "UTC"), ("b", "Pacific/Chatham")):
        run("zip", "-q", "-X", f"{name}.zip", "file", cwd=tmp_path, environment={"TZ": zone})
    (difference,) = [d for d in compare(tmp_path / "a.zip", tmp_path / "b.zip").differences if d.field is Field.MTIME]
    assert cause(difference) == "time-zone"


@shows("clock-epoch", by="touch")
def test_the_clock_that_systemd_falls_back_to_is_named(tmp_path: Path) -> None:
    stamps = []
    for name in ("a", "b"):
        run("touch", tmp_path / name)
        stamps.append((tmp_path / name).stat().st_mtime_ns)
        time.sleep(0.02)
    told = finding(differs("usr/lib/clock-epoch", Field.MTIME, *stamps))
    assert told.cause == "clock-epoch"
    assert told.fix.startswith("[Content]\nSourceDateEpoch=")
    assert cause(differs("usr/lib/clock", Field.MTIME, *stamps)) == "mtime"


def cpio(directory: Path, *names: str, stamp: int = 1, options: tuple[str, ...] = ("--reproducible",)) -> Path:
    """Pack NAMES, which cpio reads from its input, as they lie in DIRECTORY, all of one time."""
    run("touch", f"--date=@{stamp}", *names, cwd=directory)
    packed = run("cpio", "-o", "-H", "newc", "--quiet", *options, stdin="\n".join(names).encode(), cwd=directory)
    image = directory.with_suffix(".cpio")
    image.write_bytes(packed)
    return image


@shows("microcode-time", by="cpio")
def test_times_of_the_microcode_are_named(tmp_path: Path) -> None:
    images = []
    for name, stamp in (("a", 1_700_000_000), ("b", 1_700_000_005)):
        blob = tmp_path / name / "kernel/x86/microcode/GenuineIntel.bin"
        blob.parent.mkdir(parents=True)
        blob.write_bytes(bytes(64))
        names = ("kernel", "kernel/x86", "kernel/x86/microcode", "kernel/x86/microcode/GenuineIntel.bin")
        images.append(cpio(tmp_path / name, *names, stamp=stamp, options=("--renumber-inodes",)))
    found = compared(images[0], images[1])
    assert found["microcode-time"].count == 4
    assert "mkosi 27" in found["microcode-time"].fix


@shows("tar-access-time", by="tar")
def test_times_of_access_in_an_archive_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, stamp in (("a", 1), ("b", 2)):
        os.utime(tmp_path / "file", (stamp, 5))
        run("tar", "--format=posix", "--create", "--file", f"{name}.tar", "file", cwd=tmp_path)
    found = compared(tmp_path / "a.tar", tmp_path / "b.tar")
    assert "delete=atime" in found["tar-access-time"].fix
    run("tar", "--format=posix", "--pax-option=delete=atime,delete=ctime", "-cf", "c.tar", "file", cwd=tmp_path)
    os.utime(tmp_path / "file", (9, 5))
    run("tar", "--format=posix", "--pax-option=delete=atime,delete=ctime", "-cf", "d.tar", "file", cwd=tmp_path)
    assert (tmp_path / "c.tar").read_bytes() == (tmp_path / "d.tar").read_bytes()


@shows("inode-time", by="mkfs.btrfs")
def test_times_that_only_the_file_system_sets_are_named(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").touch()
    for name in ("a", "b"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(120 << 20)
        fixed = ("-U", "0e9a6fe0-68f6-408c-bbeb-136054d20445", "--rootdir", tmp_path / "tree")
        run("mkfs.btrfs", "--quiet", *fixed, tmp_path / name)
        time.sleep(1.01 if name == "a" else 0)  # its own directory has whole seconds
    assert "SourceDateEpoch=" in compared(tmp_path / "a", tmp_path / "b")["inode-time"].fix
