"""Images made by mksquashfs, against what unsquashfs and the packed tree say of them."""

import os
import re
import struct
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import extended
import pytest
import squashed
from bench import run
from specimens import budget, content, cuts, entries, facts, flips, loaded, make_sense, opened, spans, survives
from truths import cmp

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.explain import explain
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import directory
from ci_toolkit.images.entry import Container, Kind
from ci_toolkit.images.filesystems import squashfs
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits

SHAPES = {
    "gzip": ("-comp", "gzip"),
    "gzip of 4 KiB, with all ends shared": ("-comp", "gzip", "-b", "4096", "-always-use-fragments"),
    "lzma": ("-comp", "lzma"),
    "lzo": ("-comp", "lzo", "-b", "16384"),
    "xz": ("-comp", "xz", "-b", "1M", "-Xbcj", "x86"),
    "lz4": ("-comp", "lz4", "-Xhc"),
    "zstd": ("-comp", "zstd", "-b", "4096"),
    "stored": ("-noI", "-noD", "-noF", "-noX", "-noId"),
    "no shared ends": ("-no-fragments", "-no-duplicates", "-no-exports", "-no-xattrs"),
    "stored data": ("-noD", "-noF", "-no-hardlinks"),
}
PLAIN = ("-noI", "-noD", "-noF", "-noX", "-noId", "-all-root")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return extended.tree(tmp_path_factory.mktemp("source") / "tree")


@pytest.fixture(scope="module", params=SHAPES)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    return squashed.make(tmp_path_factory.mktemp("squashfs") / "image", source, *SHAPES[request.param])


@pytest.fixture(scope="module")
def found(image: Path) -> Container:
    assert squashfs.recognise(opened(image))
    container = squashfs.read(opened(image), budget())
    make_sense(container)
    assert container.skipped == ()
    return container


def test_every_name_of_the_tree_is_there_with_its_content(found: Container, source: Path) -> None:
    there = entries(found)
    expected = entries(directory.read(source, budget()))
    assert set(there) == set(expected)
    for path, entry in expected.items():
        assert there[path].kind is entry.kind
        if entry.kind is Kind.FILE:
            assert content(there[path]) == (source / path).read_bytes()


def test_metadata_are_what_unsquashfs_lists(image: Path, found: Container) -> None:
    listed = squashed.listed(image)
    named = [entry for entry in found.entries if "\n" not in entry.path]
    assert len(listed) == len(found.entries)
    for entry in named:
        line = listed[os.fsencode(entry.path)]
        assert (entry.kind, entry.mode, entry.uid, entry.gid) == (line.kind, line.mode, line.uid, line.gid)
        assert entry.device == line.device
        assert entry.target == (None if line.target is None else os.fsdecode(line.target))
        assert entry.mtime_ns is not None
        assert datetime.fromtimestamp(entry.mtime_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M") == line.minute
        if entry.kind is Kind.FILE:
            assert entry.size == line.size


def test_facts_are_what_unsquashfs_says(image: Path, found: Container) -> None:
    printed = run("unsquashfs", "-stat", image, environment={"TZ": "UTC"}).decode()

    def told(pattern: str) -> str:
        match = re.search(pattern, printed)
        assert match is not None, printed
        return match[1]

    there = facts(found)
    when = datetime.strptime(told(r"Creation or last append time (.+)") + " +0000", "%a %b %d %H:%M:%S %Y %z")
    assert there["mkfs_time"] == int(when.timestamp()) == int(squashed.EPOCH)
    assert there["compression"] == told(r"Compression (\w+)")
    assert there["block_size"] == int(told(r"Block size (\d+)"))
    assert there["inode_count"] == int(told(r"Number of inodes (\d+)"))
    assert there["fragment_count"] == int(told(r"Number of fragments (\d+)"))
    assert there["id_count"] == int(told(r"Number of ids (\d+)"))
    assert there["bytes_used"] == int(told(r"Filesystem size (\d+) bytes"))


def test_regions_do_not_overlap_and_leave_only_contents(image: Path, found: Container) -> None:
    taken = sorted(span for region in found.regions for span in spans(region.data))
    for (start, length), (following, _) in pairwise(taken):
        assert start + length <= following
    assert sum(taken[-1]) == image.stat().st_size
    inodes = next(region for region in found.regions if region.name == "inode table")
    ((start, length),) = spans(inodes.data)
    assert all(
        entry.record and start <= entry.record[0] <= sum(entry.record) <= start + length for entry in found.entries
    )


def test_stored_contents_lie_in_the_image(tmp_path: Path, source: Path) -> None:
    image = squashed.make(tmp_path / "image", source, *PLAIN)
    found = squashfs.read(opened(image), budget())
    raw = image.read_bytes()
    root = found.regions[0].data.root
    for entry in found.entries:
        if entry.kind is Kind.FILE:
            assert entry.data is not None and (entry.data.root is root or not entry.size)
            pieces = [raw[run.offset : run.offset + run.length] if run.offset is not None else bytes(run.length)
                      for run in entry.data.runs]  # fmt: skip
            assert b"".join(pieces) == (source / entry.path).read_bytes()


def test_hard_links_share_one_inode(tmp_path: Path, source: Path) -> None:
    there = entries(squashfs.read(opened(squashed.make(tmp_path / "a", source)), budget()))
    assert there["big"].inode == there["same"].inode
    assert there["big"].data is there["same"].data
    apart = squashed.make(tmp_path / "b", source, "-no-hardlinks")
    there = entries(squashfs.read(opened(apart), budget()))
    assert there["big"].inode != there["same"].inode


def test_device_nodes_have_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    nodes = {"tty": ("c", 4, 64), "disk": ("b", 8, 1), "large": ("c", 250, 255), "wide": ("b", 259, 300_000)}
    options = [f"{name} {kind} 640 3 7 {major} {minor}" for name, (kind, major, minor) in nodes.items()]
    image = squashed.make(tmp_path / "image", tmp_path / "tree", *(word for line in options for word in ("-p", line)))
    there = entries(squashfs.read(opened(image), budget()))
    listed = squashed.listed(image)
    for name, (_, major, minor) in nodes.items():
        entry, line = there[name], listed[name.encode()]
        assert entry.device == (major, minor)
        # The listing takes the high bits of a minor number for a part of the major one.
        assert line.device == (major, minor) or minor > 255
        assert (entry.kind, entry.mode, entry.uid, entry.gid) == (line.kind, 0o640, 3, 7)


def test_extended_attributes_are_those_of_the_tree(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    names = ("one", "two", "three", "")
    values = {"user.small": b"1", "user.large": b"v" * 2000, "user.empty": b""}
    for name in names:
        if name:
            (tmp_path / "tree" / name).write_text(name)
        try:
            for attribute, value in values.items():
                os.setxattr(tmp_path / "tree" / name, attribute, value)
        except OSError as error:
            pytest.skip(f"no extended attributes in {tmp_path}: {error.strerror}")
    image = squashed.make(tmp_path / "image", tmp_path / "tree")
    there = entries(squashfs.read(opened(image), budget()))
    for name in names:
        assert dict(there[name].xattrs) == values
    out = tmp_path / "out"
    run("unsquashfs", "-quiet", "-no-progress", "-user-xattrs", "-dest", out, image)
    assert {name: os.getxattr(out / "one", name) for name in os.listxattr(out / "one")} == values


def differences(a: Path, b: Path) -> tuple[Difference, ...]:
    """Compare, and check that every byte that differs belongs to one difference."""
    compared = compare(a, b)
    assert compared.skipped == ()
    assert compared.differing_bytes == cmp(a, b)[0] == sum(found.bytes for found in compared.differences)
    assert not [found for found in compared.differences if found.name == "unused space"]
    return compared.differences


def test_only_the_time_of_making_differs(tmp_path: Path) -> None:
    old = tmp_path / "tree"
    old.mkdir()
    (old / "file").write_text("content\n")
    for path in (old / "file", old):
        os.utime(path, (1, 1))
    a = squashed.make(tmp_path / "a", old)
    # Later than all files, so that their times are not cut down to it.
    (found,) = differences(a, squashed.make(tmp_path / "b", old, epoch="1700000009"))
    assert (found.field, found.name, found.before, found.after) == (
        Field.HEADER, "mkfs_time", 1_700_000_000, 1_700_000_009,
    )  # fmt: skip
    assert [finding.cause for finding in explain((found,), Facts())] == ["filesystem-time"]
    assert found.bytes == 1


@pytest.mark.parametrize("options", [(), ("-comp", "zstd", "-b", "4096"), ("-noI", "-noD", "-noF"), ("-comp", "lz4")])
def test_every_byte_that_differs_belongs_to_something(tmp_path: Path, options: tuple[str, ...]) -> None:
    trees = [extended.tree(tmp_path / name) for name in ("one", "other")]
    (trees[1] / "etc/hostname").write_text("tsoh\n")
    (trees[1] / "etc/inline").chmod(0o600)
    with (trees[1] / "big").open("r+b") as file:
        file.write(b"other")
    (trees[1] / "many/new").write_text("new\n")
    images = [squashed.make(tmp_path / f"{tree.name}.img", tree, *options) for tree in trees]
    there = {(found.path, found.field): found for found in differences(images[0], images[1])}
    assert there[("etc/hostname",), Field.CONTENT].bytes >= 0
    assert there[("etc/inline",), Field.MODE].after == 0o600
    assert there[("big",), Field.CONTENT].bytes > 0
    assert there[("same",), Field.CONTENT].before == there[("big",), Field.CONTENT].before
    assert there[("many/new",), Field.PRESENCE].after == "file"
    assert {path for path, field in there if path and field is not Field.MTIME} == {
        ("etc/hostname",), ("etc/inline",), ("big",), ("same",), ("many/new",),
    }  # fmt: skip


def test_links_that_became_copies_change_the_count_of_inodes(tmp_path: Path, source: Path) -> None:
    a, b = squashed.make(tmp_path / "a", source), squashed.make(tmp_path / "b", source, "-no-hardlinks")
    found = {difference.name for difference in differences(a, b) if difference.field is Field.HEADER}
    assert "inode_count" in found


def test_a_cut_image_is_refused_with_the_reason(image: Path) -> None:
    used = int(facts(squashfs.read(opened(image), budget()))["bytes_used"])  # type: ignore[call-overload]
    for cut in cuts(image.read_bytes()[:used], 6):
        if squashfs.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                squashfs.read(loaded(cut), budget())


@pytest.mark.parametrize("shape", ["gzip", "lzo", "zstd", "stored"])
def test_damage_is_survived(tmp_path: Path, shape: str) -> None:
    (tmp_path / "tree/deep/er").mkdir(parents=True)
    for number in range(40):
        (tmp_path / f"tree/deep/{number}").write_bytes(b"small %d\n" % number * number)
    (tmp_path / "tree/large").write_bytes(b"large\n" * 9000)
    (tmp_path / "tree/deep/link").symlink_to("../large")
    image = squashed.make(tmp_path / "image", tmp_path / "tree", *SHAPES[shape], "-b", "8192", "-nopad")
    whole = image.read_bytes()
    tables = tuple(
        span
        for region in squashfs.read(loaded(whole), budget()).regions
        if region.data.size
        for span in spans(region.data)
    )
    survived = [survives(squashfs.read, squashfs.recognise, damaged) for damaged in flips(whole, 150, within=tables)]
    survived += [survives(squashfs.read, squashfs.recognise, damaged) for damaged in flips(whole, 50)]
    assert not all(survived)


def test_a_directory_inside_itself_is_followed_once(tmp_path: Path) -> None:
    (tmp_path / "tree/loop").mkdir(parents=True)
    image = squashed.make(tmp_path / "image", tmp_path / "tree", *PLAIN)
    whole = image.read_bytes()
    place = whole.index(struct.pack("<HH", 1, 3) + b"loop")
    root = int.from_bytes(whole[32:40], "little") & 0xFFFF
    damaged = whole[: place - 4] + struct.pack("<H", root) + whole[place - 2 :]
    found = squashfs.read(loaded(damaged), budget())
    assert [entry.path for entry in found.entries] == ["", "loop"]
    ((path, reason),) = found.skipped
    assert path == "loop" and "two places" in reason


@pytest.mark.parametrize("name", [b"a/b!", b"a\0b!", b".\0\0\0"])
def test_names_that_are_none_are_refused(tmp_path: Path, name: bytes) -> None:
    (tmp_path / "tree/name").mkdir(parents=True)
    whole = squashed.make(tmp_path / "image", tmp_path / "tree", *PLAIN).read_bytes()
    found = squashfs.read(loaded(whole.replace(b"name", name)), budget())
    assert [entry.path for entry in found.entries] == [""]
    assert found.skipped == (("", "a name in a directory is none"),)


def test_no_more_is_unpacked_than_the_limits_allow(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/bomb").write_bytes(b"x" * (8 << 20))
    image = squashed.make(tmp_path / "image", tmp_path / "tree")
    there = entries(squashfs.read(opened(image), Budget(Limits(decompressed=1 << 20))))
    with pytest.raises(BeyondLimitError, match="compressed streams hold more"):
        content(there["bomb"])
    with pytest.raises(BeyondLimitError, match="more than 1 entries"):
        squashfs.read(opened(image), Budget(Limits(members=1)))


def test_an_unknown_compressor_is_left_to_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    whole = bytearray(squashed.make(tmp_path / "image", tmp_path / "tree").read_bytes())
    whole[20] = 9
    with pytest.raises(BeyondLimitError, match="number 9"):
        squashfs.read(loaded(bytes(whole)), budget())
