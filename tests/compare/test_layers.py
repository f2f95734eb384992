"""What lies in what: nested formats by their own programs, and inputs made to cost more than they may."""

import io
import os
import struct
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from bench import run
from disks import MIB, SECTOR, cpio, ext4, gpt, zstd
from truths import cmp

from ci_toolkit.compare.comparison import Comparison, Verdict
from ci_toolkit.compare.difference import Content, Difference, Field
from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.limits import Limits

DAMAGE = "evil\n\x1b[31m::error::\u202e"


def tree(root: Path, **files: str) -> Path:
    root.mkdir()
    for name, content in files.items():
        (root / name).write_text(content)
    return root


def packed(archive: Path, root: Path, *options: str) -> Path:
    """A tar of ROOT in which nothing depends on when and by whom it was made."""
    fixed = ("--sort=name", "--mtime=@1700000000", "--owner=0", "--group=0", "--numeric-owner", "--mode=a=rX")
    run("tar", "--create", *fixed, *options, "--file", archive, "--directory", root, ".")
    return archive


def compressed(program: str, source: Path, *options: str) -> Path:
    target = source.with_name(f"{source.name}.{program}")
    target.write_bytes(run(program, "--stdout", *options, source))
    return target


def check_bytes(compared: Comparison, a: Path, b: Path) -> None:
    assert (compared.differing_bytes, compared.first_offset) == cmp(a, b)
    assert sum(found.bytes for found in compared.differences) == compared.differing_bytes


def contents(compared: Comparison) -> dict[tuple[str, ...], Difference]:
    return {found.path: found for found in compared.differences if found.field is Field.CONTENT}


def test_a_member_of_a_tar_in_a_tar_is_named_through_both(tmp_path: Path) -> None:
    outer = []
    for name, text in (("a", "one"), ("b", "two")):
        inner = packed(tmp_path / f"{name}.inner", tree(tmp_path / f"{name}1", file=text, same="same"))
        (tmp_path / name).mkdir()
        inner.rename(tmp_path / name / "inner.tar")
        outer.append(packed(tmp_path / f"{name}.tar", tmp_path / name))
    compared = compare(*outer)
    listed = [run("tar", "--list", "--file", outer[0]).decode().split()[1].removeprefix("./")]
    assert list(contents(compared)) == [(), ("./inner.tar",), ("./inner.tar", "./file")]
    assert listed == ["inner.tar"]
    assert [found.opened for found in contents(compared).values()] == [True, True, False]
    check_bytes(compared, *outer)


@pytest.mark.parametrize("program", ["zstd", "xz", "gzip", "bzip2"])
def test_a_compressed_archive_is_opened(tmp_path: Path, program: str) -> None:
    archives = []
    for name, text in (("a", "one"), ("b", "another")):
        archives.append(compressed(program, packed(tmp_path / f"{name}.tar", tree(tmp_path / name, file=text))))
    compared = compare(*archives)
    # The payload has no name of its own.
    assert list(contents(compared)) == [(), ("./file",)]
    found = contents(compared)["./file",]
    assert isinstance(found.before, Content)
    assert found.before.whole == run("tar", "-xOf", tmp_path / "a.tar", "./file")
    check_bytes(compared, *archives)


def test_one_payload_compressed_in_two_ways_differs_in_its_stream_alone(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.tar", tree(tmp_path / "a", file="text " * 5000))
    pair = [compressed("zstd", archive, level).rename(tmp_path / f"x{level}") for level in ("-1", "-19")]
    compared = compare(*pair)
    assert compared.verdict is Verdict.DIFFERENT
    assert {(found.field, found.name) for found in compared.differences} == {
        (Field.CONTENT, None),
        (Field.REGION, "stream"),
    }
    check_bytes(compared, *pair)


def test_another_compression_of_a_member_is_named_and_looked_through(tmp_path: Path) -> None:
    pair = []
    for name, program in (("a", "gzip"), ("b", "xz")):
        archive = packed(tmp_path / f"{name}.tar", tree(tmp_path / f"{name}1", file=name))
        (tmp_path / name).mkdir()
        compressed(program, archive).rename(tmp_path / name / "inner")
        pair.append(packed(tmp_path / f"{name}.outer", tmp_path / name))
    compared = compare(*pair)
    header = next(found for found in compared.differences if found.name == "compression")
    assert (header.path, header.before, header.after) == (("./inner",), "gzip", "xz")
    assert ("./inner", "./file") in contents(compared)
    check_bytes(compared, *pair)


def test_members_in_another_order_are_told_as_order(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", a="1", b="2", c="3")
    pair = [cpio(tmp_path / "one", root, "a", "b", "c"), cpio(tmp_path / "two", root, "a", "c", "b")]
    listed = [tuple(run("cpio", "-t", "--quiet", stdin=path.read_bytes()).decode().split()) for path in pair]
    found = next(found for found in compare(*pair).differences if found.field is Field.ORDER)
    assert (found.before, found.after) == (listed[0][1:], listed[1][1:])


def test_names_come_out_as_they_are_however_they_would_act(tmp_path: Path) -> None:
    trees = [tree(tmp_path / name, **{DAMAGE: name}) for name in "ab"]
    for root in trees:
        (root / "\udcff").write_text(root.name)
    pair = [cpio(root.with_suffix(".cpio"), root, DAMAGE) for root in trees]
    assert list(contents(compare(*pair))) == [(), (DAMAGE,)]
    pair = [ext4(root.with_suffix(".ext4"), root) for root in trees]
    assert list(contents(compare(*pair))) == [(DAMAGE,), ("\udcff",)]


def test_bytes_inside_an_inode_are_not_taken_for_those_at_the_images_start(tmp_path: Path) -> None:
    pair = [
        ext4(tmp_path / f"{name}.ext4", tree(tmp_path / name, file=name), "-O", "inline_data", "-I", "256")
        for name in "ab"
    ]
    with pair[1].open("r+b") as image:
        image.write(b"boot")
    compared = compare(*pair)
    assert list(contents(compared)) == [("file",)]
    boot = next(found for found in compared.differences if found.name == "boot sector")
    assert boot.bytes == 4
    check_bytes(compared, *pair)


def test_a_byte_beside_a_partition_that_begins_amid_a_block_is_not_the_partitions(tmp_path: Path) -> None:
    start = 2049 * SECTOR
    root = ext4(tmp_path / "root", tree(tmp_path / "tree", file="sought"))
    image = gpt(tmp_path / "a", {"root": root}, start=2049)
    data = bytearray(image.read_bytes())
    data[start - 1] ^= 1
    data[data.index(b"sought", start)] ^= 1
    other = tmp_path / "b"
    other.write_bytes(data)
    compared = compare(image, other)
    assert [(found.path, found.name, found.bytes) for found in compared.differences] == [
        (("1:root", "file"), None, 1),
        ((), "gap", 1),
    ]
    check_bytes(compared, image, other)


def newc(name: str, *, mode: int = 0o100644, inode: int = 1, links: int = 1, content: bytes = b"") -> bytes:
    """One member of a cpio archive."""
    raw = name.encode() + b"\0"
    numbers = (inode, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(raw), 0)
    head = b"070701" + b"".join(b"%08x" % number for number in numbers) + raw
    head += bytes(-len(head) % 4) + content
    return head + bytes(-len(head) % 4)


TRAILER = newc("TRAILER!!!")


def many_members(byte: bytes) -> bytes:
    return b"".join(newc(f"f{number}", inode=number, content=byte) for number in range(3000)) + TRAILER


def many_archives(byte: bytes) -> bytes:
    return newc("f", content=byte) + TRAILER * 3000


def many_long_targets(byte: bytes) -> bytes:
    target = b"x" * 59_999 + byte
    return b"".join(newc(f"l{number}", mode=0o120777, content=target) for number in range(100)) + TRAILER


def disks_in_disks(byte: bytes) -> bytes:
    """A disk whose eight partitions are all the rest of it, which is such a disk again."""
    size = MIB
    data = bytearray(size)
    data[-600:-599] = byte
    for level in range(14):
        base = level * 40 * SECTOR
        last = (size - base) // SECTOR - 1
        entries = b"".join(
            b"T" * 16 + bytes([number]) * 16 + struct.pack("<QQQ", 40, last, 0) + bytes(72) for number in range(1, 9)
        )
        fields = (b"EFI PART", 0x10000, 92), (0, 1, 1, 34, last, b"G" * 16, 2, 8, 128, zlib.crc32(entries))
        unsealed = struct.pack("<8sIIIIQQQQ16sQIII", *fields[0], 0, *fields[1])
        header = struct.pack("<8sIIIIQQQQ16sQIII", *fields[0], zlib.crc32(unsealed), *fields[1])
        data[base + SECTOR : base + SECTOR + len(header)] = header
        data[base + 2 * SECTOR : base + 2 * SECTOR + len(entries)] = entries
    return bytes(data)


def many_empty_frames(byte: bytes) -> bytes:
    empty = b"\x50\x2a\x4d\x18" + bytes(4)
    return empty * 3000 + run("zstd", "--stdout", "--quiet", stdin=byte)


def many_empty_streams(program: str) -> Callable[[bytes], bytes]:
    def made(byte: bytes) -> bytes:
        empty = run(program, "--stdout", stdin=b"")
        return empty * 3000 + run(program, "--stdout", stdin=byte)

    return made


SMALL = Limits(members=1000, metadata=4 * MIB, streams=1000, decompressed=4 * MIB)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (many_members, "more than 1000 entries"),
        (many_archives, "more than 1000 entries"),
        (many_long_targets, "names and attributes of more than"),
        (disks_in_disks, "another partition of the same place"),
        (many_empty_frames, "more than 1000 parts"),
        (many_empty_streams("gzip"), "more than 1000 parts"),
        (many_empty_streams("xz"), "more than 1000 parts"),
    ],
)
def test_what_asks_for_too_much_is_compared_by_its_bytes(
    tmp_path: Path, made: Callable[[bytes], bytes], reason: str
) -> None:
    pair = [tmp_path / "a", tmp_path / "b"]
    for path, byte in zip(pair, (b"1", b"2"), strict=True):
        path.write_bytes(made(byte))
    compared = compare(*pair, limits=SMALL)
    assert compared.verdict is Verdict.DIFFERENT
    assert any(reason in skipped.reason for skipped in compared.skipped)
    check_bytes(compared, *pair)


def test_a_stream_that_swells_is_not_followed_to_its_end(tmp_path: Path) -> None:
    pair = []
    for name in "ab":
        source = tmp_path / name
        with source.open("wb") as file:
            file.truncate(64 * MIB)
            file.seek(0, 2)
            file.write(name.encode())
        pair.append(zstd(source))
    compared = compare(*pair, limits=SMALL)
    assert any("compressed streams hold more than" in skipped.reason for skipped in compared.skipped)
    check_bytes(compared, *pair)


def test_archives_deeper_than_anybody_packs_are_not_opened(tmp_path: Path) -> None:
    pair = []
    for name in "ab":
        content = name.encode()
        for _ in range(6):
            archive = io.BytesIO()
            with tarfile.open(fileobj=archive, mode="w") as tar:
                member = tarfile.TarInfo("inner")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            content = archive.getvalue()
        (tmp_path / name).write_bytes(content)
        pair.append(tmp_path / name)
    compared = compare(*pair, limits=Limits(depth=3))
    assert [(skipped.path, skipped.reason) for skipped in compared.skipped] == [
        (("inner",) * 4, "containers lie more than 3 deep in each other")
    ]
    assert list(contents(compare(*pair))) == [("inner",) * depth for depth in range(7)]


def test_more_differences_than_are_listed_are_counted_all_the_same(tmp_path: Path) -> None:
    pair = [tmp_path / "a", tmp_path / "b"]
    for path, byte in zip(pair, (b"1", b"2"), strict=True):
        path.write_bytes(many_members(byte))
    compared = compare(*pair, limits=Limits(differences=10))
    assert compared.truncated
    assert len(compared.differences) == 10
    assert compared.differing_bytes == cmp(*pair)[0] == 3000
    assert sum(found.bytes for found in compared.differences) <= 3000


def test_a_file_system_of_too_many_files_is_not_compared_in_part(tmp_path: Path) -> None:
    """What was not read of the one image is not missing in it."""
    pair = [
        ext4(tmp_path / name, tree(tmp_path / f"{name}.tree", **{f"f{number}": name for number in range(40)}))
        for name in "ab"
    ]
    # The first is read whole, the second in part.
    compared = compare(*pair, limits=Limits(members=60))
    assert [found.field for found in compared.differences] == [Field.CONTENT]
    assert [(skipped.path, skipped.reason) for skipped in compared.skipped] == [((), "more than 60 entries in all")]
    check_bytes(compared, *pair)


def test_more_times_than_are_listed_hide_no_content(tmp_path: Path) -> None:
    pair = []
    for name in "ab":
        files = {f"f{number:02}": "same" for number in range(40)} | {"z": name}
        source = tree(tmp_path / f"{name}.tree", **files)
        for path in source.iterdir():
            os.utime(path, (1_700_000_000 + ord(name), 1_700_000_000 + ord(name)))
        pair.append(ext4(tmp_path / name, source))
    compared = compare(*pair, limits=Limits(differences=30, times=10))
    assert [found.field for found in compared.differences].count(Field.MTIME) == 10
    assert ("z",) in contents(compared)
    assert compared.truncated
    # What the other times differ in is told of the table that they are in.
    check_bytes(compared, *pair)


def test_trees_of_too_many_files_are_refused(tmp_path: Path) -> None:
    trees = [tree(tmp_path / name, one="x", two="y") for name in "ab"]
    with pytest.raises(UnreadableError, match="b: more than 5 entries"):
        compare(*trees, limits=Limits(members=5))


def deep(root: Path) -> Path:
    """A tree so deep that no system call takes the whole path of what is at its end, whoever asks."""
    root.mkdir()
    directory = os.open(root, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=directory)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=directory)
        os.utime(directory, (0, 0))
        os.close(directory)
        directory = below
    os.close(directory)
    return root


def test_trees_that_cannot_be_listed_whole_are_not_called_identical(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="File name too long") as raised:
        compare(deep(tmp_path / "a"), deep(tmp_path / "b"))
    assert "\n" not in raised.value.message
    assert raised.value.hint
