"""Images made by mkfs.erofs, against what dump.erofs and fsck.erofs and the packed tree say of them."""

import lzma
import os
import struct
from pathlib import Path

import extended
import pytest
import sealed
from specimens import budget, content, cuts, entries, facts, flips, loaded, make_sense, opened, spans, survives
from truths import cmp

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.explain import explain
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import directory
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Kind
from ci_toolkit.images.filesystems import erofs
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits

SHAPES = {
    "plain": (),
    "extended": ("-Eforce-inode-extended",),
    "compact": ("-Eforce-inode-compact", "-T1700000000"),
    "chunks": ("--chunksize=8192",),
    "lz4": ("-zlz4",),
    "lz4 with full indexes": ("-zlz4", "-Elegacy-compress"),
    "big clusters": ("-zlz4hc", "-C65536"),
    "big clusters with full indexes": ("-zlz4hc", "-C65536", "-Elegacy-compress"),
    "ends behind inodes": ("-zlz4hc,9", "-Eztailpacking"),
    "short extents": ("-zlz4hc", "-C16384", "--max-extent-bytes=32768"),
}
# Made by mkfs.erofs 1.9; see make.py there.
FIXTURES = Path(__file__).parents[2] / "fixtures/erofs"
NEWER = (
    "lzma", "deflate", "zstd", "fragments", "all-fragments", "extents", "metadata-box", "long-prefixes",
    "shared-xattrs",
)  # fmt: skip
DENTRY = struct.Struct("<QHBB")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted(tmp_path_factory.mktemp("source") / "tree")


def planted(root: Path) -> Path:
    """A tree of all kinds; mkfs.erofs 1.5 cannot take in a name of the greatest length."""
    extended.tree(root)
    return (root / ("L" * 255)).rename(root / ("L" * 254)).parent


@pytest.fixture(scope="module", params=SHAPES)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    return sealed.make(tmp_path_factory.mktemp("erofs") / "image", source, *SHAPES[request.param])


@pytest.fixture(scope="module")
def found(image: Path) -> Container:
    assert erofs.recognise(opened(image))
    container = erofs.read(opened(image), budget())
    make_sense(container)
    assert container.skipped == ()
    return container


def newer(shape: str) -> bytes:
    return lzma.decompress((FIXTURES / f"{shape}.img.xz").read_bytes())


def newer_data(shape: str) -> Data:
    return loaded(newer(shape))


def test_every_name_of_the_tree_is_there_with_its_content(found: Container, source: Path) -> None:
    there = entries(found)
    expected = entries(directory.read(source, budget()))
    assert set(there) == set(expected)
    for path, entry in expected.items():
        stat = os.lstat(source / path)
        assert there[path].kind is entry.kind
        assert (there[path].uid, there[path].gid) == (stat.st_uid, stat.st_gid)
        assert there[path].mode == stat.st_mode & 0o7777
        assert there[path].target == (str((source / path).readlink()) if entry.kind is Kind.SYMLINK else None)
        if entry.kind is Kind.FILE:
            assert content(there[path]) == (source / path).read_bytes()


def test_inodes_are_what_dump_erofs_says(image: Path, found: Container) -> None:
    there = entries(found)
    for path in ("", "big", "etc/hostname", "sparse", "deep/er/and/er", "etc/empty"):
        entry, stat = there[path], sealed.stat(image, path)
        assert entry.mode is not None
        # The bits above those of access are not printed.
        assert (entry.inode, entry.size, entry.mode & 0o777, entry.uid, entry.gid) == (
            stat.nid, stat.size, stat.mode, stat.uid, stat.gid,
        )  # fmt: skip


def test_plain_contents_lie_where_dump_erofs_finds_them(tmp_path: Path, source: Path) -> None:
    for name, options in (("plain", ()), ("chunks", ("--chunksize=8192",))):
        image = sealed.make(tmp_path / name, source, *options)
        there = entries(erofs.read(opened(image), budget()))
        for path in ("big", "etc/hostname", "sparse"):
            data = there[path].data
            assert data is not None
            told = {
                low + step: start + step
                for low, high, start, _ in sealed.stat(image, path).extents
                for step in range(0, high - low, 512)
            }
            ours = {
                run.start + step: run.offset + step
                for run in data.runs
                if run.offset is not None
                for step in range(0, run.length, 512)
            }
            assert ours == {low: start for low, start in told.items() if low in ours}
            assert ours


def test_times_are_those_of_the_tree(tmp_path: Path, source: Path) -> None:
    there = entries(erofs.read(opened(sealed.make(tmp_path / "image", source, "-Eforce-inode-extended")), budget()))
    for path, entry in there.items():
        assert entry.mtime_ns == os.lstat(source / path).st_mtime_ns
    there = entries(erofs.read(opened(sealed.make(tmp_path / "image", source, "-T1700000000")), budget()))
    assert {entry.mtime_ns for entry in there.values()} == {1_700_000_000 * 10**9}


def test_hard_links_share_one_inode(found: Container) -> None:
    there = entries(found)
    assert there["big"].inode == there["same"].inode
    assert there["big"].data is there["same"].data


def test_facts_are_what_dump_erofs_says(image: Path, found: Container) -> None:
    told, there = sealed.superblock(image), facts(found)
    assert there["uuid"] == sealed.UUID == told["Filesystem UUID"]
    assert there["block_count"] == int(told["Filesystem blocks"])
    assert there["block_size"] == 4096
    assert there["inode_count"] == int(told["Filesystem inode count"])
    assert there["superblock_checksum"] == int.from_bytes(image.read_bytes()[1028:1032], "little")


def test_records_hold_the_inodes(image: Path, found: Container) -> None:
    raw = image.read_bytes()
    inodes = {span for region in found.regions if region.name == "inodes" for span in spans(region.data)}
    for entry in found.entries:
        assert entry.record is not None and entry.record in inodes
        start = entry.record[0]
        mode = int.from_bytes(raw[start + 4 : start + 6], "little")
        assert mode & 0o7777 == entry.mode


def test_extended_attributes_are_those_of_the_tree(tmp_path: Path) -> None:
    values = {"user.small": b"1", "user.large": b"v" * 2000, "user.empty": b""}
    (tmp_path / "tree").mkdir()
    for name in ("one", "two", "three", "four"):
        (tmp_path / "tree" / name).write_text(name)
        try:
            for attribute, value in (values | {f"user.{name}": b"own"}).items():
                os.setxattr(tmp_path / "tree" / name, attribute, value)
        except OSError as error:
            pytest.skip(f"no extended attributes in {tmp_path}: {error.strerror}")
    for options in ((), ("-x1",), ("-x0",), ("-x1", "-zlz4")):
        there = entries(erofs.read(opened(sealed.make(tmp_path / "image", tmp_path / "tree", *options)), budget()))
        for name in ("one", "two", "three", "four"):
            assert dict(there[name].xattrs) == values | {f"user.{name}": b"own"}


@pytest.mark.parametrize("shape", NEWER)
def test_images_of_a_later_release_hold_their_tree(shape: str) -> None:
    container = erofs.read(newer_data(shape), budget())
    make_sense(container)
    assert container.skipped == ()
    there = entries(container)
    members = sealed.members()
    for name, expected in members.items():
        assert content(there[name]) == expected
        assert there[name].mode == sealed.MODES.get(name, 0o644)
        assert there[name].xattrs == sealed.ATTRIBUTES.get(name, ())
    for name, target in sealed.LINKS.items():
        assert there[name].target == target
    assert there["deep"].mode == 0o700
    assert there[sealed.SAME[0]].inode == there[sealed.SAME[1]].inode
    assert {(entry.uid, entry.gid) for entry in container.entries} == {(0, 0)}
    assert {entry.mtime_ns for entry in container.entries} == {sealed.MTIME * 10**9}
    directories = {str(parent) for name in members for parent in Path(name).parents} - {"."}
    assert set(there) == {"", "links", sealed.SAME[0], *members, *sealed.LINKS, *directories}
    told = facts(container)
    assert (told["label"], told["uuid"], told["mkfs_time"]) == ("labelled", sealed.UUID, sealed.MTIME)


def test_images_of_a_later_release_say_how_they_are_compressed() -> None:
    found = {shape: facts(erofs.read(newer_data(shape), budget()))["compression"] for shape in NEWER}
    assert found["lzma"] == found["long-prefixes"] == ("lzma",)
    assert found["zstd"] == found["all-fragments"] == ("zstd",)
    assert found["deflate"] == found["metadata-box"] == ("deflate",)
    assert found["shared-xattrs"] == ""


def differences(a: Path, b: Path) -> tuple[Difference, ...]:
    """Compare, and check that every byte that differs belongs to one difference."""
    compared = compare(a, b)
    assert compared.skipped == ()
    assert compared.differing_bytes == cmp(a, b)[0] == sum(found.bytes for found in compared.differences)
    return compared.differences


def test_only_uuid_and_time_of_making_differ(tmp_path: Path, source: Path) -> None:
    a = sealed.make(tmp_path / "a", source, "-T1700000000")
    b = sealed.make(tmp_path / "b", source, "-T1700000000", uuid="99999999-2222-4333-8444-555555555555")
    found = differences(a, b)
    assert {difference.name for difference in found} == {"superblock_checksum", "uuid"}
    assert {finding.cause for finding in explain(found, Facts())} == {"filesystem-uuid", "bookkeeping"}
    found = differences(a, sealed.make(b, source, "-T1700000009"))
    assert {finding.cause for finding in explain(found, Facts())} >= {"filesystem-time"}
    assert ("mkfs_time", 1_700_000_000, 1_700_000_009) in {(one.name, one.before, one.after) for one in found}


@pytest.mark.parametrize("shape", ["plain", "lz4", "big clusters", "ends behind inodes", "chunks"])
def test_every_byte_that_differs_belongs_to_something(tmp_path: Path, shape: str) -> None:
    trees = [planted(tmp_path / name) for name in ("one", "other")]
    (trees[1] / "etc/hostname").write_text("tsoh\n")
    (trees[1] / "etc/inline").chmod(0o600)
    with (trees[1] / "big").open("r+b") as file:
        file.write(b"other")
    (trees[1] / "many/new").write_text("new\n")
    images = [
        sealed.make(tmp_path / f"{tree.name}.img", tree, *SHAPES[shape], "-T1700000000", "-Eforce-inode-compact")
        for tree in trees
    ]
    there = {(found.path, found.field): found for found in differences(*images)}
    assert {path for path, _ in there if path} == {
        ("etc/hostname",), ("etc/inline",), ("big",), ("same",), ("many/new",),
    }  # fmt: skip
    assert there[("etc/inline",), Field.MODE].after == 0o600
    assert there[("etc/hostname",), Field.CONTENT].bytes > 0
    assert there[("big",), Field.CONTENT].bytes > 0
    assert there[("many/new",), Field.PRESENCE].after == "file"


def test_a_cut_image_is_refused_with_the_reason(image: Path) -> None:
    for cut in cuts(image.read_bytes(), 6):
        if erofs.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                erofs.read(loaded(cut), budget())


@pytest.mark.parametrize("shape", NEWER)
def test_damage_is_survived(shape: str) -> None:
    whole = newer(shape)
    tables = tuple(
        span
        for region in erofs.read(loaded(whole), budget()).regions
        if region.name not in ("packed ends of files", "boot sector")
        for span in spans(region.data)
    )
    survived = [survives(erofs.read, erofs.recognise, damaged) for damaged in flips(whole, 20, within=tables)]
    survived += [survives(erofs.read, erofs.recognise, damaged) for damaged in flips(whole, 8)]
    assert any(survived)


def test_a_directory_inside_itself_is_followed_once(tmp_path: Path) -> None:
    (tmp_path / "tree/loop").mkdir(parents=True)
    whole = bytearray(sealed.make(tmp_path / "image", tmp_path / "tree").read_bytes())
    # Three records, of ".", ".." and "loop", stand in front of their names.
    record = whole.index(b"...loop") - DENTRY.size
    whole[record : record + 8] = whole[1024 + 14 : 1024 + 16] + bytes(6)
    found = erofs.read(loaded(bytes(whole)), budget())
    assert [entry.path for entry in found.entries] == ["", "loop"]
    ((path, reason),) = found.skipped
    assert path == "loop" and "two places" in reason


def test_names_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "tree/loop").mkdir(parents=True)
    whole = sealed.make(tmp_path / "image", tmp_path / "tree").read_bytes()
    assert whole.count(b"loop") == 1
    found = erofs.read(loaded(whole.replace(b"loop", b"l/op")), budget())
    assert [entry.path for entry in found.entries] == [""]
    assert found.skipped == (("", "a name in a directory is none"),)


def test_no_more_is_unpacked_than_the_limits_allow(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/bomb").write_bytes(b"x" * (8 << 20))
    image = sealed.make(tmp_path / "image", tmp_path / "tree", "-zlz4", "-C65536")
    assert image.stat().st_size < 1 << 20
    there = entries(erofs.read(opened(image), Budget(Limits(decompressed=1 << 20))))
    with pytest.raises(BeyondLimitError, match="compressed streams hold more"):
        content(there["bomb"])
    with pytest.raises(BeyondLimitError, match="more than 1 entries"):
        erofs.read(opened(image), Budget(Limits(members=1)))


def test_empty_attributes_are_charged_too(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").touch()
    for number in range(60):
        try:
            os.setxattr(tmp_path / "tree/file", f"user.{number}", b"")
        except OSError as error:
            pytest.skip(f"no extended attributes in {tmp_path}: {error.strerror}")
    image = sealed.make(tmp_path / "image", tmp_path / "tree")
    assert len(entries(erofs.read(opened(image), Budget(Limits(metadata=20_000))))["file"].xattrs) == 60
    with pytest.raises(BeyondLimitError, match="names and attributes"):
        erofs.read(opened(image), Budget(Limits(metadata=4000)))


def test_unknown_features_are_left_to_a_comparison_of_the_bytes() -> None:
    whole = bytearray(newer("shared-xattrs"))
    whole[1024 + 83] = 0x40
    with pytest.raises(BeyondLimitError, match="features 0x4"):
        erofs.read(loaded(bytes(whole)), budget())


def test_a_file_on_another_device_is_skipped(tmp_path: Path, source: Path) -> None:
    image = sealed.make(
        tmp_path / "image", source, "--chunksize=8192", f"--blobdev={tmp_path / 'blob'}"
    )  # fmt: skip
    found = erofs.read(opened(image), budget())
    skipped = dict(found.skipped)
    assert "another device" in skipped["big"]
    assert entries(found)["short"].target == "etc/hostname"
    assert "device table" in {region.name for region in found.regions}
    assert facts(found)["device_count"] == 1


def test_fsck_extracts_the_same(tmp_path: Path, source: Path) -> None:
    image = sealed.make(tmp_path / "image", source, "-zlz4hc", "-C16384")
    out = sealed.unpacked(image, tmp_path / "out")
    there = entries(erofs.read(opened(image), budget()))
    extracted = entries(directory.read(out, budget()))
    assert set(there) == set(extracted)
    for path, entry in extracted.items():
        if entry.kind is Kind.FILE:
            assert content(there[path]) == content(entry)
