"""File systems made by mkfs.f2fs and sload.f2fs, against what dump.f2fs and the copied tree say of them."""

import os
import struct
import time
from itertools import chain
from pathlib import Path

import balanced
import flashed
import pytest
import truths
from specimens import budget, content, cuts, entries, facts, flips, loaded, make_sense, spans, survives

from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import directory
from ci_toolkit.images.entry import Container, Kind
from ci_toolkit.images.filesystems import f2fs
from ci_toolkit.images.filesystems.f2fs_superblock import checksum
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits

pytestmark = pytest.mark.slow

BLOCK = flashed.BLOCK
SHAPES: dict[str, tuple[str, ...]] = {
    "as it comes": (),
    "all features": ("-O", flashed.ALL),
    "large bitmap": ("-i",),
    "extra attributes": ("-O", "extra_attr,inode_checksum"),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flashed.tree(tmp_path_factory.mktemp("source") / "tree")


@pytest.fixture(scope="module", params=SHAPES)
def image(request: pytest.FixtureRequest, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flashed.make(tmp_path_factory.mktemp("f2fs") / "image", *SHAPES[request.param], source=source)


@pytest.fixture(scope="module")
def found(image: Path) -> Container:
    return read(image)


@pytest.fixture(scope="module")
def plain(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flashed.make(tmp_path_factory.mktemp("plain") / "image", *SHAPES["all features"], source=source)


def read(image: Path) -> Container:
    assert f2fs.recognise(balanced.stored(image))
    container = f2fs.read(balanced.stored(image), budget())
    make_sense(container)
    assert container.skipped == ()
    return container


def test_a_tree_is_copied_with_all_its_names(source: Path, found: Container) -> None:
    expected = entries(directory.read(source, budget()))
    # sload.f2fs leaves out what is neither file, directory nor link.
    del expected["pipe"]
    there = entries(found)
    assert set(there) == set(expected)
    for path, entry in expected.items():
        held = os.lstat(source / path)
        assert there[path].kind is entry.kind
        if path:
            assert (there[path].mode, there[path].mtime_ns) == (held.st_mode & 0o7777, held.st_mtime_ns)
            assert (there[path].uid, there[path].gid) == (held.st_uid, held.st_gid)
        assert there[path].target == (str((source / path).readlink()) if entry.kind is Kind.SYMLINK else None)
        if entry.kind is Kind.FILE:
            assert content(there[path]) == (source / path).read_bytes()
    assert there["exact"].inode == there["same"].inode
    assert there["exact"].data is there["same"].data


def test_inodes_are_what_dump_says(image: Path, found: Container) -> None:
    for path in ("", "etc", "etc/hostname", "big", "huge", "exact", "near", "inline", "many"):
        entry = entries(found)[path]
        told = flashed.inode(image, entry.inode or 0)
        times = dict(entry.times)
        assert (entry.mode, entry.uid, entry.gid, entry.size) == (
            told["i_mode"] & 0o7777, told["i_uid"], told["i_gid"], told["i_size"],
        )  # fmt: skip
        assert (entry.mtime_ns, times["changed"], times["accessed"]) == tuple(
            told[f"i_{name}"] * 10**9 + told[f"i_{name}_nsec"] for name in ("mtime", "ctime", "atime")
        )
        assert ("created" in times) == ("i_crtime" in told)
        if "created" in times:
            assert times["created"] == told["i_crtime"] * 10**9 + told["i_crtime_nsec"]


def test_contents_are_what_dump_takes_out(image: Path, found: Container, tmp_path: Path) -> None:
    # Of contents in inodes, dump.f2fs 1.15 begins too early where there are extra attributes.
    for path in ("big", "huge"):
        entry = entries(found)[path]
        assert flashed.dumped(image, entry.inode or 0, tmp_path / path) == content(entry)


def test_facts_are_what_dump_says(image: Path, found: Container) -> None:
    told = flashed.checkpoint(image)
    values = facts(found)
    assert values["uuid"] == flashed.UUID
    pairs = {
        "block_count": "block_count", "segment_count": "segment_count", "main_block": "main_blkaddr",
        "main_segments": "segment_count_main", "node_table_segments": "segment_count_nat",
        "segment_table_segments": "segment_count_sit", "root_inode": "root_ino", "features": "feature",
        "segments_per_section": "segs_per_sec", "checkpoint_version": "checkpoint_ver",
        "checkpoint_flags": "ckpt_flags", "valid_block_count": "valid_block_count",
        "valid_node_count": "valid_node_count", "valid_inode_count": "valid_inode_count",
        "free_segments": "free_segment_count", "next_free_node": "next_free_nid",
        "user_block_count": "user_block_count", "checkpoint_blocks": "cp_pack_total_block_count",
    }  # fmt: skip
    for name, other in pairs.items():
        assert values[name] == told[other], name
    assert values["made_by_kernel"] == Path("/proc/version").read_text().strip()


def test_places_of_facts_hold_their_values(image: Path, found: Container) -> None:
    raw = image.read_bytes()
    for fact in found.facts:
        if isinstance(fact.value, int):
            assert {int.from_bytes(raw[start : start + length], "little") for start, length in fact.places} == {
                fact.value
            }
    assert "[Fail]" not in flashed.checked(image)
    (version,) = [fact for fact in found.facts if fact.name == "checkpoint_version"]
    # Every node that sload.f2fs wrote, and both ends of the packs.
    assert len(version.places) > len(found.entries)


def test_blocks_with_a_name_are_those_that_the_checkpoint_counts(found: Container) -> None:
    values = facts(found)
    owned: dict[str, set[int]] = {"": set()}
    for entry in found.entries:
        owned[""] |= blocks(spans(entry.data)) if entry.data is not None else set()
    for region in found.regions:
        owned[region.name] = blocks(spans(region.data))
    main = {block for block in owned["blocks without a name"] if block >= int(str(values["main_block"]))}
    assert len(main) == values["valid_block_count"]
    named = set().union(*(owned[name] for name in owned if name not in ("blocks without a name", "old nodes")))
    assert main - named == set()
    assert len(owned["inodes"]) == values["valid_inode_count"]


def blocks(places: list[tuple[int, int]]) -> set[int]:
    return {block for start, length in places for block in range(start // BLOCK, -(-(start + length) // BLOCK))}


def test_an_empty_file_system_has_its_node_in_a_journal_of_compact_summaries(tmp_path: Path) -> None:
    image = flashed.make(tmp_path / "image")
    assert flashed.checkpoint(image)["ckpt_flags"] & 4
    (root,) = read(image).entries
    assert (root.path, root.kind) == ("", Kind.DIRECTORY)
    assert root.mtime_ns == flashed.inode(image, root.inode or 0)["i_mtime"] * 10**9 == flashed.EPOCH * 10**9


def pack_places(raw: bytes | bytearray) -> tuple[int, int]:
    first = int(struct.unpack_from("<I", raw, 1024 + 76)[0]) * BLOCK
    return first, first + 512 * BLOCK


def test_the_newer_checkpoint_counts(plain: Path) -> None:
    patch = flashed.Patch(plain)
    versions = [patch.get(place, "<Q") for place in pack_places(patch.raw)]
    newest = versions.index(max(versions))
    whole = {entry.path for entry in patch.container.entries}
    for pack, expected in ((1 - newest, whole), (newest, None)):
        damaged = bytearray(patch.raw)
        damaged[pack_places(damaged)[pack] + 4092] ^= 1
        container = f2fs.read(loaded(bytes(damaged)), budget())
        if expected is not None:
            assert {entry.path for entry in container.entries} == expected
        else:
            # They are mirrors of each other once sload.f2fs is done.
            assert facts(container)["checkpoint_version"] == versions[1 - newest]
    for place in pack_places(patch.raw):
        patch.raw[place + 4092] ^= 1
    with pytest.raises(UnreadableError, match="neither checkpoint"):
        f2fs.read(loaded(bytes(patch.raw)), budget())


def test_the_second_superblock_is_read_where_the_first_is_damaged(plain: Path) -> None:
    raw = bytearray(plain.read_bytes())
    raw[1024 + 92 : 1024 + 96] = b"\xff" * 4
    assert facts(f2fs.read(loaded(bytes(raw)), budget()))["uuid"] == flashed.UUID
    raw[BLOCK + 1024 + 200] ^= 1
    with pytest.raises(UnreadableError, match="damaged"):
        f2fs.read(loaded(bytes(raw)), budget())


@pytest.mark.parametrize(
    ("offset", "value", "reason"), [(16, b"\x0e", "blocks of 16384 bytes"), (2201, b"/dev/sda", "several devices")]
)
def test_what_is_not_read_is_refused_with_the_reason(plain: Path, offset: int, value: bytes, reason: str) -> None:
    raw = bytearray(plain.read_bytes())
    for start in (1024, BLOCK + 1024):
        raw[start + offset : start + offset + len(value)] = value
        struct.pack_into("<I", raw, start + 3068, checksum(bytes(raw[start : start + 3068])))
    with pytest.raises(UnreadableError, match=reason):
        f2fs.read(loaded(bytes(raw)), budget())


def test_hostile_names_and_directories_are_skipped(plain: Path) -> None:
    patch = flashed.Patch(plain)
    block = patch.only_block("etc")
    number = entries(patch.container)["etc"].inode or 0
    start = patch.raw.index(b"hostname", block)
    patch.raw[start : start + 8] = b"host/ame"
    deep = entries(patch.container)["etc/deep"].inode or 0
    patch.put(patch.raw.index(deep.to_bytes(4, "little") + b"\4\0\2", block), "<I", number)
    skipped = dict(f2fs.read(loaded(bytes(patch.raw)), budget()).skipped)
    assert skipped["etc/host/ame"] == "no file can have such a name"
    assert skipped["etc/deep"] == f"inode {number} is a directory in two places"


def test_a_node_of_two_files_is_skipped(plain: Path) -> None:
    patch = flashed.Patch(plain)
    patch.put(patch.place("huge") + 4052, "<I", patch.get(patch.place("big") + 4052))
    ((path, reason),) = f2fs.read(loaded(bytes(patch.raw)), budget()).skipped
    assert path in ("big", "huge")
    assert "belongs to two files" in reason


def test_names_are_counted(image: Path) -> None:
    with pytest.raises(BeyondLimitError, match="more than 8 entries"):
        f2fs.read(balanced.stored(image), Budget(Limits(members=8)))


def test_a_cut_image_is_refused_with_the_reason(plain: Path) -> None:
    whole = plain.read_bytes()
    for cut in cuts(whole, 3):
        if f2fs.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                f2fs.read(loaded(cut), budget())


def test_damage_is_read_or_refused(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_bytes(b"x" * 9000)
    image = flashed.make(tmp_path / "image", source=tmp_path / "tree", size=64 << 20)
    whole = image.read_bytes()
    container = f2fs.read(loaded(whole), budget())
    records = tuple((entry.record[0], BLOCK) for entry in container.entries if entry.record)
    starts = tuple((start, min(length, 300)) for one in container.regions for start, length in spans(one.data))
    damaged = chain(
        flips(whole, 15, within=((1024, 3072),)),
        flips(whole, 40, within=records),
        flips(whole, 40, within=starts),
    )
    assert 0 < sum(survives(f2fs.read, f2fs.recognise, image) for image in damaged) < 95


def test_two_builds_differ_in_what_mkfs_draws_and_all_bytes_have_an_owner(source: Path) -> None:
    images = [source.parent / f"build {number}" for number in (1, 2)]
    for number, image in enumerate(images, 1):
        flashed.make(image, "-T", str(number), *SHAPES["all features"], source=source, fixed=False)
        # The version of the checkpoint comes from the second.
        time.sleep(1.1)
    found = compare(*images)
    assert found.differing_bytes == truths.cmp(*images)[0] > 0
    assert sum(difference.bytes for difference in found.differences) == found.differing_bytes
    names = {difference.name for difference in found.differences}
    assert {"uuid", "checkpoint_version", "checksums"} <= names
    assert names.isdisjoint(("free space", "blocks without a name"))


def test_two_builds_with_all_fixed_are_equal(source: Path) -> None:
    images = [flashed.make(source.parent / f"fixed {number}", source=source) for number in (1, 2)]
    assert truths.cmp(*images)[0] == compare(*images).differing_bytes == 0


def test_a_changed_file_is_the_one_that_differs(plain: Path, tmp_path: Path) -> None:
    patch = flashed.Patch(plain)
    data = entries(patch.container)["exact"].data
    assert data is not None
    patch.raw[spans(data)[0][0] + 5] ^= 0xFF
    (tmp_path / "changed").write_bytes(patch.raw)
    result = compare(plain, tmp_path / "changed")
    assert {(difference.path, difference.bytes) for difference in result.differences} <= {
        (("exact",), 1), (("same",), 0),
    }  # fmt: skip
    assert result.differing_bytes == 1
