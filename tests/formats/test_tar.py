"""The root file system as an archive, unpacked and listed by tar, against what the file system was made of."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import bootable
import disks
import pytest
from bench import run
from bootable import Converted, to
from specimens import budget, opened
from truths import tree_differences

from ci_toolkit.formats import acl, archive, tar
from ci_toolkit.formats.source import open_disk
from ci_toolkit.formats.tree import root
from ci_toolkit.formats.work import Work
from ci_toolkit.images import directory
from ci_toolkit.images.archives import tar as reader
from ci_toolkit.images.entry import Entry, Kind


@pytest.fixture(scope="module")
def listed(converted: Converted) -> list[str]:
    """What tar lists, with numbers for owners and seconds in UTC."""
    options = ("--zstd", "--list", "--verbose", "--numeric-owner", "--full-time", "--utc", "--quoting-style=escape")
    return run("tar", *options, "--file", converted("tar.zst")).decode().splitlines()


def line(listed: list[str], name: str) -> list[str]:
    (found,) = [row for row in listed if row.split(None, 5)[5].split(" -> ")[0].split(" link to ")[0] == name]
    return found.split(None, 5)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, converted: Converted) -> Path:
    """The archive without its compression."""
    target = tmp_path_factory.mktemp("plain") / "root.tar"
    run("zstd", "--quiet", "--decompress", converted("tar.zst"), "-o", target)
    return target


def test_tar_unpacks_the_files_that_the_file_system_was_made_of(
    tmp_path: Path, disk: Path, converted: Converted
) -> None:
    run("tar", "-x", "--zstd", "--exclude=dev/*", "--no-same-owner", "-f", converted("tar.zst"), "-C", tmp_path)
    assert tree_differences(disk.with_name("tree"), tmp_path) == set()
    for place in ("usr/lib/noise", "etc/secret", "usr/bin"):
        made, source = (top / place for top in (tmp_path, disk.with_name("tree")))
        assert made.stat().st_mtime_ns == source.stat().st_mtime_ns == int(disks.EPOCH) * 10**9
    assert (tmp_path / "usr/lib/again").samefile(tmp_path / "usr/lib/noise")


def test_every_name_that_debugfs_dumps_is_there_once_and_in_order(tmp_path: Path, disk: Path, plain: Path) -> None:
    dumped = disks.dumped(disk.with_name("root"), tmp_path / "dumped")
    wanted = {os.fsencode(path.relative_to(dumped)) for path in dumped.rglob("*")} - {b"lost+found"}
    wanted |= {b"dev/null", b"dev/pipe"}  # which debugfs dumps not
    with tarfile.open(plain, encoding="utf-8", errors="surrogateescape") as tar:
        found = [os.fsencode(name) for name in tar.getnames()]
    assert found[0] == b"."
    assert set(found[1:]) == wanted
    assert found[1:] == sorted(found[1:])


def test_owners_modes_devices_and_times_are_those_that_debugfs_set(listed: list[str]) -> None:
    assert line(listed, "etc/secret")[:2] == ["-rwSr-----", "1000/3000000"]
    assert line(listed, "dev/null")[:3] == ["crw-r--r--", "0/0", "1,3"]
    assert line(listed, "dev/pipe")[0] == "prw-r--r--"
    # 0x1d6f3454 holds the nanoseconds, and two bits of the seconds below them.
    assert line(listed, "etc/empty")[3:5] == ["2023-11-14", f"22:13:20.{0x1D6F3454 >> 2:09}"]
    assert line(listed, "usr/lib/text")[2] == str(len(b"all work and no play\n") * 200_000)


def test_a_file_with_two_names_is_stored_once(listed: list[str], plain: Path) -> None:
    assert any(" usr/lib/noise link to usr/lib/again" in row for row in listed)
    assert plain.stat().st_size < 8 << 20


def test_attributes_arrive_as_setfattr_would_have_set_them(tmp_path: Path, converted: Converted) -> None:
    options = ("--xattrs", "--xattrs-include=user.*", "--no-same-owner", "--exclude=dev")
    run("tar", "-x", "--zstd", *options, "-f", converted("tar.zst"), "-C", tmp_path)
    told = run("getfattr", "--only-values", "--name=user.note", tmp_path / "etc/empty")
    assert told == b"value"


def test_a_capability_arrives(tmp_path: Path, converted: Converted) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may set capabilities")
    options = ("--xattrs", "--xattrs-include=security.*", "--exclude=dev")
    run("tar", "-x", "--zstd", *options, "-f", converted("tar.zst"), "-C", tmp_path, "usr/bin/bash")
    assert b"cap_net_bind_service=p" in run("getcap", tmp_path / "usr/bin/bash")


def test_an_acl_arrives(tmp_path: Path) -> None:
    """ext4 stores ACLs in a form of its own; mke2fs puts them into it, and setfacl is the truth."""
    tree = bootable.tree(tmp_path / "tree")
    run("setfacl", "-m", "u:1234:rw-,g:77:r-x", tree / "etc/secret")
    run("setfacl", "-d", "-m", "g:4000000:r-x", tree / "usr/lib")
    image = disks.ext4(tmp_path / "image", tree, size=16 << 20)
    (made,) = to(image, "tar.zst", tmp_path).results
    options = ("--numeric", "--absolute-names")
    for kind in (("--acls",), ("--xattrs", "--xattrs-include=system.posix_acl*")):
        (tmp_path / kind[0]).mkdir()
        run("tar", "-x", "--zstd", "-p", "--no-same-owner", *kind, "-f", made.path, "-C", tmp_path / kind[0])
        for place in ("etc/secret", "usr/lib"):
            found, wanted = (
                run("getfacl", "--omit-header", *options, top / place) for top in (tmp_path / kind[0], tree)
            )
            assert found == wanted
            assert b"1234" in wanted or b"4000000" in wanted


def test_what_is_no_acl_is_left_alone() -> None:
    for value in (b"", b"\3\0\0\0", b"\1\0\0\0\2\0", b"\1\0\0\0\x99\0\1\0", b"\2\0\0\0"):
        assert acl.entries(value) is None


@pytest.mark.parametrize("size", [8**11 - 1, 8**11, 8**12])
def test_numbers_of_any_size_are_read_by_the_library(size: int) -> None:
    raw = tar.header(Entry(path="a", kind=Kind.FILE, size=size, mode=0o644, uid=8**7, gid=8**7 - 1, mtime_ns=-1))
    with tarfile.open(fileobj=io.BytesIO(raw + tar.END)) as archive:
        found = archive.next()
    assert found is not None
    assert (found.name, found.size, found.uid, found.gid) == ("a", size, 8**7, 8**7 - 1)
    assert found.mtime == -0.000000001


def test_our_reader_and_tar_agree_on_the_whole_tree(tmp_path: Path, plain: Path, disk: Path) -> None:
    entries = {entry.path: entry for entry in reader.read(opened(plain), budget()).entries}
    source = directory.read(disk.with_name("tree"), budget())
    assert [one.path for one in source.entries if one.path and one.path not in entries] == []


def test_how_many_threads_there_are_changes_nothing(tmp_path: Path) -> None:
    """More than one part of libzstd's, each of which a thread gets."""
    tree = bootable.tree(tmp_path / "tree")
    noise = (tree / "usr/lib/noise").read_bytes()
    (tree / "usr/lib/large").write_bytes(b"".join(noise[: 1 << 19] + b"text" * 100_000 for _ in range(60)))
    image = disks.ext4(tmp_path / "image", tree, size=96 << 20)
    found = set()
    with open_disk(image) as disk:
        work = Work(disk=disk, directory=tmp_path, say=print)
        for threads in (1, 2, 5):
            archive.pack(work, tmp_path / "made", threads)
            found.add((tmp_path / "made").read_bytes())
    assert len(found) == 1
    run("zstd", "--quiet", "--test", "-f", tmp_path / "made")


@pytest.mark.parametrize("form", ["btrfs", "xfs", "f2fs", "erofs", "squashfs"])
def test_a_root_of_each_file_system_is_found(tmp_path: Path, form: str) -> None:
    tree = bootable.tree(tmp_path / "tree")
    image = tmp_path / "image"
    if form in ("btrfs", "xfs", "f2fs"):
        with image.open("wb") as file:
            file.truncate((300 if form == "xfs" else 128) << 20)
    match form:
        case "btrfs":
            run("mkfs.btrfs", "-q", "--rootdir", tree, image)
        case "erofs":
            run("mkfs.erofs", "--quiet", image, tree)
        case "squashfs":
            run("mksquashfs", tree, image, "-quiet", "-no-progress")
        case "f2fs":
            run("mkfs.f2fs", "-q", image)
            run("sload.f2fs", "-f", tree, image)
        case _:
            if b"rootdir" not in subprocess.run(["mkfs.xfs"], capture_output=True, check=False).stderr:
                pytest.skip("this mkfs.xfs fills no file system from a directory")
    (made,) = to(image, "tar.zst", tmp_path).results
    (tmp_path / "out").mkdir()
    run("tar", "-x", "--zstd", "--no-same-owner", "-f", made.path, "-C", tmp_path / "out")
    assert tree_differences(tree, tmp_path / "out") - {"lost+found"} == set()
    assert (tmp_path / "out/usr/lib/again").samefile(tmp_path / "out/usr/lib/noise")


def test_a_usr_of_its_own_is_joined_to_the_root(tmp_path: Path, disk: Path) -> None:
    tree = bootable.tree(tmp_path / "tree")
    usr = disks.ext4(tmp_path / "usr", tree / "usr", size=16 << 20)
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("etc", "dev", "var", "bin"):
        (tree / name).rename(bare / name)
    (bare / "usr").mkdir()
    image = disks.gpt(tmp_path / "disk.raw", {"usr": usr, "root": disks.ext4(tmp_path / "root", bare)})
    with open_disk(image) as found:
        paths = [entry.path for entry in root(found).entries]
    assert "usr/bin/bash" in paths and "etc/secret" in paths
    assert len(paths) == len(set(paths))
