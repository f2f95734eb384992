"""Orders, holes, inodes and links, by the programs that pack."""

import os
from pathlib import Path

from bench import compared, run, shows

from ci_toolkit.compare.finding import Finding

SEED = "0e9a6fe0-68f6-408c-bbeb-136054d20445"


def roots(found: dict[str, Finding]) -> set[str]:
    """The causes of which none follows from another."""
    return {name for name, told in found.items() if not told.consequence_of}


def tree(place: Path, *names: str) -> Path:
    place.mkdir(parents=True)
    for name in names:
        (place / name).write_text(f"{name}\n")
        os.utime(place / name, (1, 1))
    os.utime(place, (1, 1))
    return place


@shows("tar-order", by="tar")
def test_members_of_a_tar_in_another_order_are_only_that(tmp_path: Path) -> None:
    place = tree(tmp_path / "tree", "one", "two")
    for name, order in (("a", ("one", "two")), ("b", ("two", "one"))):
        run("tar", "--create", "--file", tmp_path / f"{name}.tar", "--directory", place, *order)
    found = compared(tmp_path / "a.tar", tmp_path / "b.tar")
    assert roots(found) == {"tar-order"}
    assert "--sort=name" in found["tar-order"].fix


def cpio(place: Path, image: Path, *order: str) -> Path:
    names = "\n".join(order).encode()
    image.write_bytes(run("cpio", "-o", "-H", "newc", "--quiet", stdin=names, cwd=place))
    return image


@shows("cpio-order", by="cpio")
def test_members_of_an_initrd_in_another_order_are_only_that(tmp_path: Path) -> None:
    place = tree(tmp_path / "tree", "one", "two")
    found = compared(cpio(place, tmp_path / "a", "one", "two"), cpio(place, tmp_path / "b", "two", "one"))
    assert roots(found) == {"cpio-order"}
    assert "--reproducible" in found["cpio-order"].fix


@shows("cpio-inodes", by="cpio")
def test_inodes_of_the_host_are_only_that(tmp_path: Path) -> None:
    a, b = (tree(tmp_path / name, "one", "two") for name in ("a", "b"))
    found = compared(cpio(a, tmp_path / "a.cpio", "one", "two"), cpio(b, tmp_path / "b.cpio", "one", "two"))
    assert roots(found) == {"cpio-inodes"}
    assert "--renumber-inodes" in found["cpio-inodes"].fix


@shows("fat-order", by="mcopy")
def test_entries_of_a_fat_in_another_order_are_named(tmp_path: Path) -> None:
    place = tree(tmp_path / "tree", "one", "two")
    for name, order in (("a", ("one", "two")), ("b", ("two", "one"))):
        run("mkfs.vfat", "-C", "-i", "12345678", tmp_path / name, "1440")
        for file in order:
            run("mcopy", "-m", "-i", tmp_path / name, place / file, f"::/{file.upper()}")
    found = compared(tmp_path / "a", tmp_path / "b")
    assert "fat-order" in roots(found)
    assert "unknown" not in found


@shows("tar-sparse", by="tar")
def test_holes_of_the_host_are_only_that(tmp_path: Path) -> None:
    for name, start in (("a", 0), ("b", 256 << 10)):
        (tmp_path / name).mkdir()
        with (tmp_path / name / "file").open("wb") as file:
            file.seek(start)
            file.write(bytes(128 << 10))  # zeros that were written are no hole
            file.seek(1 << 20)
            file.write(b"end")
        os.utime(tmp_path / name / "file", (1, 1))
        how = ("--sparse", "--hole-detection=seek", "--format=posix", "--pax-option=delete=atime,delete=ctime")
        run("tar", *how, "--create", "--file", tmp_path / f"{name}.tar", "file", cwd=tmp_path / name)
    found = compared(tmp_path / "a.tar", tmp_path / "b.tar")
    assert roots(found) == {"tar-sparse"}
    assert "--sparse" in found["tar-sparse"].fix


@shows("tar-process-id", by="tar")
def test_one_sparse_file_packed_twice_has_another_process_id(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(1 << 20)
        file.seek(0, os.SEEK_END)
        file.write(b"end")
    os.utime(tmp_path / "file", (1, 1))
    for name in ("a", "b"):
        how = ("--sparse", "--format=posix", "--pax-option=delete=atime,delete=ctime")
        run("tar", *how, "--create", "--file", f"{name}.tar", "file", cwd=tmp_path)
    assert roots(compared(tmp_path / "a.tar", tmp_path / "b.tar")) == {"tar-process-id"}


def linked(place: Path) -> Path:
    tree(place, "one")
    run("ln", place / "one", place / "two")
    os.utime(place, (1, 1))
    return place


def copied(place: Path) -> Path:
    tree(place, "one")
    run("cp", "--preserve=timestamps", place / "one", place / "two")
    os.utime(place, (1, 1))
    return place


@shows("hard-links", by="tar")
def test_links_on_one_side_and_copies_on_the_other_are_only_that(tmp_path: Path) -> None:
    for name, place in (("a", linked(tmp_path / "x")), ("b", copied(tmp_path / "y"))):
        run("tar", "--create", "--file", tmp_path / f"{name}.tar", "--directory", place, "one", "two")
    assert roots(compared(tmp_path / "a.tar", tmp_path / "b.tar")) == {"hard-links"}


@shows("hard-links", by="cpio")
def test_links_in_an_initrd_change_its_inodes_as_well(tmp_path: Path) -> None:
    a = cpio(linked(tmp_path / "x"), tmp_path / "a", "one", "two")
    b = cpio(copied(tmp_path / "y"), tmp_path / "b", "one", "two")
    assert roots(compared(a, b)) == {"hard-links"}


@shows("hard-links", by="mksquashfs")
def test_a_squashfs_of_links_has_fewer_inodes(tmp_path: Path) -> None:
    for name, place in (("a", linked(tmp_path / "x")), ("b", copied(tmp_path / "y"))):
        run("mksquashfs", place, tmp_path / name, "-quiet", "-no-progress", "-mkfs-time", "1", "-all-time", "1")
    found = compared(tmp_path / "a", tmp_path / "b")
    assert roots(found) == {"hard-links"}
    assert found["layout"].consequence_of == ("hard-links",)


def ext4(image: Path, *options: str | Path) -> None:
    with image.open("wb") as file:
        file.truncate(4 << 20)
    clock = {"E2FSPROGS_FAKE_TIME": "1700000000", "SOURCE_DATE_EPOCH": "1700000000"}
    fixed = ("-U", SEED, "-E", f"hash_seed={SEED},root_owner=0:0")
    run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", *fixed, *options, image, environment=clock)


@shows("layout", by="debugfs")
def test_files_that_were_written_in_another_order_lie_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x" * 4096)
    for name, first in (("a", ""), ("b", "zero")):
        ext4(tmp_path / name)
        # What was there for a while took the first inode and the first block.
        written = [f"write {tmp_path}/file {file}" for file in (first, "one", "two") if file]
        times = ("mtime", "atime", "ctime", "crtime")
        stamps = [f"set_inode_field {file} {field} 0" for file in ("one", "two") for field in times]
        commands = "\n".join([*written, *([f"rm {first}"] if first else []), *stamps, ""])
        run("debugfs", "-w", "-f", "-", tmp_path / name, stdin=commands.encode())
    assert "layout" in roots(compared(tmp_path / "a", tmp_path / "b"))


@shows("bookkeeping", by="mke2fs")
def test_what_a_file_system_records_follows_from_what_is_in_it(tmp_path: Path) -> None:
    for name, size in (("a", 1), ("b", 9000)):
        place = tmp_path / f"{name}-tree/var/log"
        place.mkdir(parents=True)
        (place / "thing").write_text("x" * size)
        run("find", tmp_path / f"{name}-tree", "-exec", "touch", "--date=@1", "{}", "+")
        ext4(tmp_path / name, "-d", tmp_path / f"{name}-tree")
    found = compared(tmp_path / "a", tmp_path / "b")
    assert "log-file" in found["bookkeeping"].consequence_of
