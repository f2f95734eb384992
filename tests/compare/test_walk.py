"""Two images of known differences, made by sfdisk, mke2fs, mtools, cpio, zstd and binutils, compared as a whole."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from bench import run
from disks import MIB, SEED, cpio, dumped, ext4, fat, gpt, put, uki, zstd
from truths import cmp, sparse, tree_differences

from ci_toolkit.compare.comparison import Comparison, Verdict
from ci_toolkit.compare.difference import Content, Difference, Field
from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError

UKI = ("1:esp", "EFI/Linux/linux.efi")
OTHER = "99999999-2222-4333-8444-555555555555"
# What is told of a container as a whole, not of one of its entries.
OF_CONTAINERS = (Field.REGION, Field.LAYOUT, Field.ORDER, Field.HEADER)


@dataclass(frozen=True)
class Disk:
    """A disk and what was put into it."""

    image: Path
    root: Path
    initrd: Path


def initrd(directory: Path, hostname: str) -> Path:
    """An initrd in which only the host name is not always the same."""
    (directory / "etc").mkdir(parents=True)
    (directory / "etc/hostname").write_text(hostname)
    (directory / "init").write_text("#!/bin/sh\n" * 500)
    for path in ("etc/hostname", "init", "etc", "."):
        os.utime(directory / path, (0, 0))
    return cpio(directory.with_suffix(".cpio"), directory, ".", "etc", "etc/hostname", "init")


def tree(root: Path, *, second: bool) -> Path:
    """A root file system; the SECOND differs from the first in a known way."""
    for directory in ("etc", "usr/bin", "usr/lib"):
        (root / directory).mkdir(parents=True)
    (root / "etc/machine-id").write_text(("b" if second else "a") * 32)
    (root / "etc/longer").write_text("line\n" * (2000 if second else 1000))
    (root / "etc/same").write_text("same\n" * 100)
    (root / "etc/link").symlink_to("second" if second else "first!")
    (root / "usr/bin/tool").write_text("tool\n")
    (root / "usr/bin/tool").chmod(0o700 if second else 0o755)
    (root / ("usr/lib/only-second" if second else "usr/lib/only-first")).write_text("here\n")
    for path in (*root.rglob("*"), root):
        os.utime(path, (1_700_000_000, 1_700_000_000), follow_symlinks=False)
    return root


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Disk, Disk]:
    work = tmp_path_factory.mktemp("disks")
    initrds = [initrd(work / name, f"{name}\n") for name in ("one", "two")]
    programs = [uki(work / f"{number}.efi", zstd(packed)) for number, packed in enumerate(initrds)]
    one = fat(work / "1.fat", {"EFI/Linux/linux.efi": programs[0].read_bytes(), "loader/loader.conf": b"timeout 3\n"})
    two = Path(shutil.copy(one, work / "2.fat"))
    put(two, "EFI/Linux/linux.efi", programs[1].read_bytes())
    roots = [ext4(work / f"{n}.ext4", tree(work / f"root{n}", second=n == 2), uuid=SEED) for n in (1, 2)]
    return (
        Disk(gpt(work / "a.raw", {"esp": one, "root": roots[0]}), roots[0], initrds[0]),
        Disk(gpt(work / "b.raw", {"esp": two, "root": roots[1]}, guid=OTHER), roots[1], initrds[1]),
    )


def places(compared: Comparison) -> set[tuple[tuple[str, ...], Field]]:
    """What differs in entries, but for times that no program sets: both trees are made in the same second or not."""
    return {
        (found.path, found.field)
        for found in compared.differences
        if found.field not in OF_CONTAINERS and not (found.field is Field.MTIME and found.name)
    }


def check_bytes(compared: Comparison, a: Path, b: Path) -> None:
    """Every differing byte is counted once and lies in one difference."""
    assert (compared.differing_bytes, compared.first_offset) == cmp(a, b)
    assert sum(found.bytes for found in compared.differences) == compared.differing_bytes


def test_every_path_that_differs_is_named_and_no_other(disks: tuple[Disk, Disk]) -> None:
    one, two = disks
    compared = compare(one.image, two.image)
    assert compared.verdict is Verdict.DIFFERENT
    assert (compared.a.format, compared.b.format) == ("gpt", "gpt")
    assert compared.skipped == ()
    assert places(compared) == {
        (UKI, Field.CONTENT),
        ((*UKI, ".initrd"), Field.CONTENT),
        ((*UKI, ".initrd", "etc/hostname"), Field.CONTENT),
        (("2:root", "etc/machine-id"), Field.CONTENT),
        (("2:root", "etc/longer"), Field.CONTENT),
        (("2:root", "etc/link"), Field.TARGET),
        (("2:root", "usr/bin/tool"), Field.MODE),
        (("2:root", "usr/lib/only-first"), Field.PRESENCE),
        (("2:root", "usr/lib/only-second"), Field.PRESENCE),
    }


def test_contents_and_names_are_those_that_diff_finds_in_what_debugfs_takes_out(
    tmp_path: Path, disks: tuple[Disk, Disk]
) -> None:
    one, two = disks
    expected = tree_differences(dumped(one.root, tmp_path / "a"), dumped(two.root, tmp_path / "b"))
    compared = compare(one.root, two.root)
    wanted = (Field.CONTENT, Field.PRESENCE, Field.TARGET)
    assert {path[0] for path, field in places(compared) if field in wanted} == expected
    check_bytes(compared, one.root, two.root)


def test_modes_are_those_that_debugfs_lists(disks: tuple[Disk, Disk]) -> None:
    modes = []
    for disk in disks:
        lines = run("debugfs", "-R", "ls -p /usr/bin", disk.root).decode().split()
        modes.append(next(int(line.split("/")[2], 8) & 0o7777 for line in lines if "/tool/" in line))
    found = next(d for d in compare(disks[0].image, disks[1].image).differences if d.field is Field.MODE)
    assert (found.before, found.after) == tuple(modes)


def test_the_content_in_the_initrd_is_what_cpio_takes_out(disks: tuple[Disk, Disk]) -> None:
    options = ("--extract", "--to-stdout", "--quiet", "etc/hostname")
    contents = [run("cpio", *options, stdin=disk.initrd.read_bytes()) for disk in disks]
    compared = compare(disks[0].image, disks[1].image)
    found = next(d for d in compared.differences if d.path[-1:] == ("etc/hostname",))
    assert isinstance(found.before, Content) and isinstance(found.after, Content)
    assert [found.before.whole, found.after.whole] == contents
    assert found.container == "cpio"
    assert found.bytes == 0, "counted where the file of the outermost file system differs"


def test_all_bytes_of_a_disk_are_accounted_for(disks: tuple[Disk, Disk]) -> None:
    one, two = disks
    check_bytes(compare(one.image, two.image), one.image, two.image)


def test_the_header_of_the_table_is_what_sfdisk_reads(disks: tuple[Disk, Disk]) -> None:
    found = next(d for d in compare(disks[0].image, disks[1].image).differences if d.name == "disk_guid")
    told = [run("sfdisk", "--disk-id", disk.image).decode().strip().lower() for disk in disks]
    assert [found.before, found.after] == told


def test_digests_are_those_of_sha256sum_where_they_are_asked_for(disks: tuple[Disk, Disk]) -> None:
    assert compare(disks[0].image, disks[1].image).a.sha256 is None
    compared = compare(disks[0].image, disks[1].image, digests=True)
    told = [run("sha256sum", disk.image).decode().split()[0] for disk in disks]
    assert [compared.a.sha256, compared.b.sha256] == told
    assert [compared.a.size, compared.b.size] == [disk.image.stat().st_size for disk in disks]


def swap(found: Difference) -> tuple[object, ...]:
    return found.path, found.field, found.name, found.after, found.before


def same(found: Difference) -> tuple[object, ...]:
    return found.path, found.field, found.name, found.before, found.after


def test_swapped_inputs_swap_before_and_after_and_nothing_else(disks: tuple[Disk, Disk]) -> None:
    there, back = (compare(a.image, b.image, digests=True) for a, b in (disks, disks[::-1]))
    # A layout counts what moved; it has no sides.
    assert {swap(d) for d in there.differences if d.field is not Field.LAYOUT} == {
        same(d) for d in back.differences if d.field is not Field.LAYOUT
    }
    assert len(there.differences) == len(back.differences)
    assert (there.differing_bytes, there.first_offset) == (back.differing_bytes, back.first_offset)
    assert (there.a.sha256, there.b.sha256) == (back.b.sha256, back.a.sha256)


def test_a_file_is_identical_with_itself_and_with_its_copy(tmp_path: Path, disks: tuple[Disk, Disk]) -> None:
    image = disks[0].image
    copy = Path(shutil.copy(image, tmp_path / "copy"))
    link = tmp_path / "link"
    link.symlink_to(image)
    for other in (image, copy, link):
        compared = compare(image, other, digests=True)
        assert compared.verdict is Verdict.IDENTICAL
        assert (compared.differing_bytes, compared.first_offset) == cmp(image, other) == (0, None)
        assert compared.differences == ()
        assert compared.a.sha256 == compared.b.sha256 is not None


def test_one_flipped_byte_anywhere_is_found_at_its_place(tmp_path: Path, disks: tuple[Disk, Disk]) -> None:
    image = disks[0].image
    data = image.read_bytes()
    # Boot code, primary header, a gap, the ESP's free space, the superblock's padding, free blocks, the last sector.
    for place in (100, 600, 500_000, 2 * MIB + 900_000, 3 * MIB + 2000, 6 * MIB + 77, len(data) - 513, len(data) - 20):
        other = tmp_path / "flipped"
        other.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        compared = compare(image, other)
        assert (compared.differing_bytes, compared.first_offset) == (1, place)
        assert [found.bytes for found in compared.differences] == [1], place


def test_a_cut_image_is_refused_with_one_clear_line(tmp_path: Path, disks: tuple[Disk, Disk]) -> None:
    image = disks[0].image
    cut = Path(shutil.copy(image, tmp_path / "cut"))
    for size in (600, 2 * MIB, 4 * MIB, image.stat().st_size - 512):
        os.truncate(cut, size)
        for pair in ((image, cut), (cut, image)):
            with pytest.raises(UnreadableError, match=r"/cut: .*cut") as raised:
                compare(*pair)
            assert "\n" not in raised.value.message
            assert raised.value.hint
        shutil.copy(image, cut)


def test_a_text_against_a_disk_is_told_as_two_kinds(tmp_path: Path, disks: tuple[Disk, Disk]) -> None:
    text = tmp_path / "text"
    text.write_text("nothing but text\n" * 10)
    compared = compare(text, disks[0].image)
    (found,) = compared.differences
    assert (found.field, found.before, found.after) == (Field.KIND, "text", "gpt")
    check_bytes(compared, text, disks[0].image)


def test_an_empty_file_is_an_input_like_any_other(tmp_path: Path, disks: tuple[Disk, Disk]) -> None:
    empty, another, text = tmp_path / "empty", tmp_path / "another", tmp_path / "text"
    empty.touch()
    another.touch()
    text.write_text("x")
    assert compare(empty, another).verdict is Verdict.IDENTICAL
    for other in (text, disks[0].image):
        for pair in ((empty, other), (other, empty)):
            compared = compare(*pair)
            assert compared.verdict is Verdict.DIFFERENT
            check_bytes(compared, *pair)
    assert compare(empty, text).a.format == "empty"


def test_files_of_no_known_format_are_compared_by_their_bytes(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"\0one" * 5000)
    b.write_bytes(b"\0two" * 4000)
    compared = compare(a, b)
    (found,) = compared.differences
    assert (found.path, found.field, found.first_offset) == ((), Field.CONTENT, 1)
    check_bytes(compared, a, b)


def test_a_longer_image_that_ends_in_a_hole_is_another_image(tmp_path: Path) -> None:
    head = b"x" * (256 << 10)
    a, b = sparse(tmp_path / "a", len(head), (0, head)), sparse(tmp_path / "b", 2 * MIB, (0, head))
    compared = compare(a, b)
    assert compared.verdict is Verdict.DIFFERENT
    check_bytes(compared, a, b)


def test_images_whose_every_byte_differs_are_accounted_for(tmp_path: Path, disks: tuple[Disk, Disk]) -> None:
    data = disks[0].root.read_bytes()[: MIB // 2]
    image, other = tmp_path / "image", tmp_path / "inverted"
    image.write_bytes(data)
    other.write_bytes(bytes(byte ^ 0xFF for byte in data))
    compared = compare(image, other)
    assert compared.differing_bytes == len(data)
    check_bytes(compared, image, other)


def test_a_fifo_a_device_and_nothing_are_refused(tmp_path: Path) -> None:
    fifo, file = tmp_path / "fifo", tmp_path / "file"
    os.mkfifo(fifo)
    file.touch()
    for bad in (fifo, Path("/dev/null"), tmp_path / "missing"):
        for pair in ((bad, file), (file, bad), (bad, tmp_path)):
            with pytest.raises(UnreadableError, match=bad.name) as raised:
                compare(*pair)
            assert "\n" not in raised.value.message
            assert raised.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch(mode=0)
    with pytest.raises(UnreadableError, match="Permission denied"):
        compare(secret, secret)


def test_directories_differ_where_diff_says_so(tmp_path: Path) -> None:
    a, b = tree(tmp_path / "a", second=False), tree(tmp_path / "b", second=True)
    os.mkfifo(a / "etc/pipe")
    os.mkfifo(b / "etc/pipe")
    for root in (a, b):
        for path in ("etc/pipe", "etc"):
            os.utime(root / path, (0, 0))
    compared = compare(a, b)
    wanted = (Field.CONTENT, Field.PRESENCE, Field.TARGET)
    assert {path[0] for path, field in places(compared) if field in wanted} == tree_differences(a, b)
    assert {path for path, field in places(compared) if field is Field.MODE} == {("usr/bin/tool",)}
    assert (compared.differing_bytes, compared.first_offset, compared.a.sha256) == (None, None, None)
    assert compare(a, a).verdict is Verdict.IDENTICAL


def test_links_to_directories_stand_for_what_they_lead_to(tmp_path: Path) -> None:
    links = []
    for name, second in (("a", False), ("b", True)):
        tree(tmp_path / name / "image_1.0", second=second)
        (tmp_path / name / "image").symlink_to("image_1.0")
        links.append(tmp_path / name / "image")
    compared = compare(*links)
    direct = compare(*(link.resolve() for link in links))
    assert compared.verdict is Verdict.DIFFERENT
    assert compared.differences == direct.differences


def test_a_directory_against_a_file_is_told_as_two_kinds(tmp_path: Path, disks: tuple[Disk, Disk]) -> None:
    compared = compare(tmp_path, disks[0].image, digests=True)
    (found,) = compared.differences
    assert (found.field, found.before, found.after) == (Field.KIND, "directory", "gpt")
    assert compared.verdict is Verdict.DIFFERENT
    assert compared.b.sha256 == run("sha256sum", disks[0].image).decode().split()[0]


def test_a_large_disk_that_is_mostly_a_hole_is_looked_into(tmp_path: Path) -> None:
    """What a comparison may cost goes by what the images hold, not by how large they are."""
    identity = "11111111-2222-4333-8444-555555555555"
    images = []
    for name in ("a", "b"):
        tree = tmp_path / f"tree-{name}"
        tree.mkdir()
        (tree / "file").write_text(name)
        os.utime(tree / "file", (0, 0))
        os.utime(tree, (0, 0))
        image = tmp_path / f"{name}.raw"
        with image.open("wb") as file:
            file.truncate(8 << 30)
        script = f"label: gpt\nlabel-id: {identity}\nsize=8380000KiB, uuid={identity}\n"
        run("sfdisk", "--quiet", image, stdin=script.encode())
        options = ("-q", "-t", "ext4", "-E", f"offset=1048576,hash_seed={identity}", "-U", identity, "-d", tree)
        run("mke2fs", *options, image, "8380000k", environment={"SOURCE_DATE_EPOCH": "1", "E2FSPROGS_FAKE_TIME": "1"})
        images.append(image)
    compared = compare(*images)
    assert compared.skipped == ()
    assert ("1", "file") in {one.path for one in compared.differences}


def test_what_is_done_meanwhile_is_done_once_two_files_differ(tmp_path: Path) -> None:
    for name, content in {"a": b"one", "same": b"one", "b": b"two"}.items():
        (tmp_path / name).write_bytes(content)
    calls: list[str] = []
    compare(tmp_path / "a", tmp_path / "same", meanwhile=lambda: calls.append("same"))
    compare(tmp_path / "a", tmp_path / "b", meanwhile=lambda: calls.append("other"))
    assert calls == ["other"]
