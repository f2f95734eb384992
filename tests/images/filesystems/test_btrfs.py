"""File systems made by mkfs.btrfs, against what btrfs inspect-internal, btrfs restore and the copied tree say."""

import os
import random
import re
import struct
import zlib
from itertools import chain
from pathlib import Path

import balanced
import extended
import pytest
import truths
from bench import run
from specimens import budget, content, cuts, entries, facts, flips, loaded, make_sense, spans, survives

from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import directory
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Kind
from ci_toolkit.images.filesystems import btrfs
from ci_toolkit.images.filesystems.btrfs_items import EXTENT_DATA
from ci_toolkit.images.filesystems.btrfs_superblock import read_superblock
from ci_toolkit.images.filesystems.btrfs_trees import Trees
from ci_toolkit.images.limits import MIB, BeyondLimitError, Budget, Limits
from ci_toolkit.images.packed import Packed

SHAPES = {
    "as it comes": (),
    "small nodes": ("--nodesize", "4096", "--metadata", "single"),
    "large nodes": ("--nodesize", "65536", "--checksum", "xxhash"),
    "mixed": ("--mixed", "--checksum", "sha256"),
    "holes": ("-O", "^no-holes", "--checksum", "blake2"),
    "without a free space tree": ("-R", "^free-space-tree"),
    "data twice": ("--data", "dup", "--label", "größe"),
    "zlib": ("--compress", "zlib"),
    "lzo": ("--compress", "lzo", "--nodesize", "4096"),
    "zstd": ("--compress", "zstd:9"),
    "subvolumes": ("--subvol", "rw:etc", "--subvol", "ro:deep", "--compress", "zstd"),
}
SMALL = ("--nodesize", "4096", "--metadata", "single", "--data", "single", "--shrink")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = extended.tree(tmp_path_factory.mktemp("source") / "tree")
    (root / "repeated").write_bytes(b"".join(b"%d lines and more\n" % number for number in range(40_000)))
    (root / "short").unlink()
    (root / "short").symlink_to("etc/hostname")
    return root


@pytest.fixture(scope="module", params=SHAPES)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    shared = source.parent
    return balanced.make(shared / f"{request.param}.image", *SHAPES[request.param], source=source)


@pytest.fixture(scope="module")
def found(image: Path) -> Container:
    assert btrfs.recognise(balanced.stored(image))
    container = btrfs.read(balanced.stored(image), budget())
    make_sense(container)
    assert container.skipped == ()
    return container


def place(data: Data) -> Data:
    """Where the bytes of a content lie in the image, unpacked or not."""
    return data.root.place if isinstance(data.root, Packed) else data


def told_of(image: Path, container: Container) -> dict[str, balanced.Stat]:
    """What dump-tree says of the inode of each path: every subvolume counts its inodes anew."""
    trees = {entry.path: facts(entry).get("subvolume_number", "fs") for entry in container.entries}
    stats = {tree: balanced.stats(image, str(tree)) for tree in set(trees.values())}
    found = {}
    for entry in container.entries:
        above = (entry.path, *map(str, Path(entry.path).parents)) if entry.path else ()
        tree = next((trees[path] for path in above if trees.get(path, "fs") != "fs"), "fs")
        found[entry.path] = stats[tree][entry.inode or 0]
    return found


def test_every_name_of_the_tree_is_there_with_its_content(found: Container, source: Path) -> None:
    there = entries(found)
    expected = entries(directory.read(source, budget()))
    assert set(there) == set(expected)
    for path, entry in expected.items():
        assert there[path].kind is entry.kind
        assert there[path].target == (str((source / path).readlink()) if entry.kind is Kind.SYMLINK else None)
        assert there[path].mode == os.lstat(source / path).st_mode & 0o7777
        if entry.kind is Kind.FILE:
            assert content(there[path]) == (source / path).read_bytes()


def test_inodes_are_what_dump_tree_says(image: Path, found: Container) -> None:
    told = told_of(image, found)
    for entry in found.entries:
        stat = told[entry.path]
        assert (entry.mode, entry.uid, entry.gid, entry.size, entry.mtime_ns) == (
            stat.mode & 0o7777, stat.uid, stat.gid, stat.size, stat.times["mtime"],
        )  # fmt: skip
        times = dict(entry.times)
        assert [times[name] for name in ("created", "changed", "accessed")] == [
            stat.times[name] for name in ("otime", "ctime", "atime")
        ]


def test_extents_lie_where_btrfs_map_logical_says(image: Path, found: Container) -> None:
    told = told_of(image, found)
    there = entries(found)
    for path in ("big", "sparse", "repeated"):
        data = there[path].data
        assert data is not None
        where = spans(place(data))
        extents = [extent for extent in told[path].extents if extent[1] is not None]
        assert extents
        for _, disk, held, offset, length in extents[:8]:
            is_packed = told[path].compressions != {"none"}
            first = balanced.physical(image, (disk or 0) + (0 if is_packed else offset))[0]
            size = held if is_packed else min(length, 1)
            assert any(start <= first and first + size <= start + run for start, run in where)


def test_all_tree_blocks_have_an_owner(image: Path, found: Container) -> None:
    node = int(balanced.superblock(image)["nodesize"])
    named = {region.name: spans(region.data) for region in found.regions}
    checksums = {offset for offset, _ in named["tree checksums"]}
    names = {
        "ROOT_TREE": "root tree", "FS_TREE": "file system tree", "CHUNK_TREE": "chunk tree",
        "CSUM_TREE": "checksum tree", "EXTENT_TREE": "extent tree", "DEV_TREE": "device tree",
    }  # fmt: skip
    for address, owner in balanced.tree_blocks(image).items():
        copies = balanced.physical(image, address)
        for copy in copies if address % (1 << 16) == 0 else copies[:1]:
            assert any(
                start <= copy and copy + node <= start + length
                for name, there in named.items()
                for start, length in there
                if name == names.get(owner, name)
            )
            assert any(start <= copy and copy + 32 <= start + length for start, length in named["tree checksums"])
    assert checksums


def test_facts_are_what_dump_super_says(image: Path, found: Container) -> None:
    told = balanced.superblock(image)
    values = facts(found)
    assert values["uuid"] == told["fsid"]
    assert values["device_uuid"] == told["dev_item.uuid"]
    # It prints no letters beyond ASCII.
    assert re.fullmatch(told["label"].encode(), str(values["label"]).encode())
    assert str(values["checksum_type"]).removesuffix("64").removesuffix("b") in told["csum_type"]
    assert told["csum"].split()[0] == f"0x{values['checksum']}"
    pairs = {
        "generation": "generation", "root_tree": "root", "chunk_tree": "chunk_root", "total_size": "total_bytes",
        "used_size": "bytes_used", "sector_size": "sectorsize", "node_size": "nodesize", "device_count": "num_devices",
        "device_used": "dev_item.bytes_used", "device_size": "dev_item.total_bytes",
    }  # fmt: skip
    for name, other in pairs.items():
        assert values[name] == int(told[other]), name
    for name, other in (("read_only", "compat_ro_flags"), ("incompatible", "incompat_flags")):
        assert values[f"features_{name}"] == int(told[other], 16)
    printed = balanced.dump(image, "-t", "root")
    assert f"chunk uuid {values['chunk_tree_uuid']}" in printed
    assert f"uuid {values['fs_tree_uuid']}" in printed


def test_places_of_uuids_hold_them(image: Path, found: Container) -> None:
    raw = image.read_bytes()
    for fact in found.facts:
        if fact.name in ("uuid", "device_uuid", "chunk_tree_uuid", "fs_tree_uuid") and isinstance(fact.value, str):
            value = bytes.fromhex(fact.value.replace("-", ""))
            whole = [raw[start : start + length] for start, length in fact.places]
            assert {piece for piece in whole if len(piece) == 16} == {value}
            assert {piece for piece in whole if len(piece) == 8} <= {value[:8], value[8:]}
            if fact.name in ("uuid", "chunk_tree_uuid"):
                assert len(whole) >= len(balanced.tree_blocks(image))


def test_hard_links_share_one_inode(found: Container) -> None:
    there = entries(found)
    assert there["big"].inode == there["same"].inode
    assert there["big"].data is there["same"].data


def test_restore_takes_out_the_same(image: Path, found: Container, tmp_path: Path) -> None:
    back = balanced.restored(image, tmp_path / "back")
    there = entries(found)
    for path in ("big", "sparse", "repeated", "etc/sixty", "etc/inline", "deep/er/and/er/file"):
        # Subvolumes are restored on demand only.
        if (back / path).exists():
            assert content(there[path]) == (back / path).read_bytes()
    assert (back / "big").exists()


@pytest.mark.parametrize("method", ["zlib", "lzo", "zstd"])
def test_compressed_contents_are_the_compressed_blocks(source: Path, method: str) -> None:
    image = balanced.make(source.parent / f"packed {method}", "--compress", method, source=source)
    entry = entries(btrfs.read(balanced.stored(image), budget()))["repeated"]
    assert entry.data is not None
    stat = balanced.stats(image, "fs")[entry.inode or 0]
    assert stat.compressions == {method}
    assert place(entry.data).size == sum({disk: held for _, disk, held, _, _ in stat.extents}.values())
    # Any part can be read without the others.
    expected = (source / "repeated").read_bytes()
    for start in (0, 1, 131_071, 131_072, len(expected) - 5):
        assert entry.data.read_at(start, 7) == expected[start : start + 7]


def test_decompression_is_charged(source: Path) -> None:
    image = balanced.make(source.parent / "charged", "--compress", "zstd", source=source)
    there = entries(btrfs.read(balanced.stored(image), Budget(Limits(decompressed=200_000))))
    with pytest.raises(BeyondLimitError, match="compressed"):
        content(there["repeated"])


def test_subvolumes_are_directories_with_facts(source: Path) -> None:
    options = ("--subvol", "rw:etc", "--subvol", "default-ro:deep/er")
    image = balanced.make(source.parent / "volumes", *options, source=source)
    container = btrfs.read(balanced.stored(image), budget())
    there = entries(container)
    assert content(there["etc/hostname"]) == (source / "etc/hostname").read_bytes()
    printed = balanced.dump(image, "-t", "root")
    for path in ("etc", "deep/er"):
        assert there[path].kind is Kind.DIRECTORY
        values = facts(there[path])
        item = re.search(rf"item \d+ key \({values['subvolume_number']} ROOT_ITEM .*?(?=\titem )", printed, re.DOTALL)
        part = item[0] if item else ""
        assert f"\tuuid {values['subvolume_uuid']}\n" in part
        assert values["subvolume_flags"] == int(path == "deep/er") == int("(RDONLY)" in part)
        assert f"otime {values['subvolume_creation_time'] // 10**9}." in part  # type: ignore[operator]
    assert facts(container)["default_subvolume"] == facts(there["deep/er"])["subvolume_number"]
    assert not [name for name in facts(there["deep"]) if name.startswith("subvolume")]


def test_extended_attributes_are_there(tmp_path: Path) -> None:
    tree = extended.tree(tmp_path / "tree")
    wanted = balanced.with_attributes(tree)
    image = balanced.make(tmp_path / "image", source=tree)
    for path, entry in entries(btrfs.read(balanced.stored(image), budget())).items():
        assert {name: value for name, value in entry.xattrs if name.startswith("user.")} == wanted.get(path, {})


def small(tmp_path: Path, files: dict[str, bytes]) -> bytes:
    (tmp_path / "tree").mkdir()
    for name, data in files.items():
        (tmp_path / "tree" / name).write_bytes(data)
    return balanced.make(tmp_path / "image", *SMALL, source=tmp_path / "tree").read_bytes()


def extent_at(raw: bytes, entry: Entry) -> int:
    """Where the item of a file's first extent is."""
    data = loaded(raw)
    superblock = read_superblock(data)
    trees = Trees(data, superblock)
    root = next(item for item in trees.walk(superblock.root) if item.key[:2] == (5, 132))
    item = trees.one(int.from_bytes(root.raw[176:184], "little"), entry.inode or 0, EXTENT_DATA)
    assert item is not None
    return trees.chunks.copies(item.address, len(item.raw))[0]


def patched(raw: bytes, name: str, offset: int, form: str, *values: int) -> Entry:
    """The entry of a file with other values in the item of its first extent."""
    changed = bytearray(raw)
    struct.pack_into(form, changed, extent_at(raw, entries(btrfs.read(loaded(raw), budget()))[name]) + offset, *values)
    return entries(btrfs.read(loaded(bytes(changed)), budget()))[name]


def test_an_extent_that_was_only_reserved_reads_as_zeros(tmp_path: Path) -> None:
    raw = small(tmp_path, {"file": b"x" * 10_000})
    entry = patched(raw, "file", 20, "<B", 2)
    assert content(entry) == bytes(10_000)


def test_a_part_of_a_compressed_extent_is_read(tmp_path: Path) -> None:
    """As it is after the rest of it was overwritten."""
    payload = b"".join(b"%d," % number for number in range(30_000))[:131_072]
    packed = zlib.compress(payload)
    held = -(-len(packed) // 4096) * 4096
    raw = small(tmp_path, {"file": packed.ljust(held, b"\0")})
    entry = patched(raw, "file", 8, "<QB", len(payload), 1)
    assert content(entry) == payload[:held]
    changed = bytearray(raw)
    at = extent_at(raw, entries(btrfs.read(loaded(raw), budget()))["file"])
    struct.pack_into("<QB", changed, at + 8, len(payload), 1)
    struct.pack_into("<QQ", changed, at + 37, 4096, 8192)
    entry = entries(btrfs.read(loaded(bytes(changed)), budget()))["file"]
    assert content(entry) == payload[4096 : 4096 + 8192].ljust(held, b"\0")


@pytest.mark.parametrize("method", [1, 2, 3])
def test_damaged_streams_are_refused_when_read(tmp_path: Path, method: int) -> None:
    entry = patched(small(tmp_path, {"file": b"\x7f" * 8192}), "file", 8, "<QB", 131_072, method)
    with pytest.raises(UnreadableError, match=r"damaged|LZO"):
        content(entry)


def test_devices_are_as_the_kernel_keeps_them(tmp_path: Path) -> None:
    raw = bytearray(small(tmp_path, {"file": b""}))
    entry = entries(btrfs.read(loaded(bytes(raw)), budget()))["file"]
    assert entry.record is not None
    struct.pack_into("<I", raw, entry.record[0] + 52, 0o020644)
    struct.pack_into("<Q", raw, entry.record[0] + 56, 5 << 20 | 300)
    entry = entries(btrfs.read(loaded(bytes(raw)), budget()))["file"]
    assert (entry.kind, entry.device) == (Kind.CHARACTER, (5, 300))


def test_a_name_that_no_file_can_have_is_skipped(tmp_path: Path) -> None:
    raw = small(tmp_path, {"bad_name": b"", "good": b""}).replace(b"bad_name", b"bad/name")
    found = btrfs.read(loaded(raw), budget())
    assert [entry.path for entry in found.entries] == ["", "good"]
    assert found.skipped == (("bad/name", "no file can have such a name"),)


def test_several_devices_are_beyond_the_limit(tmp_path: Path) -> None:
    images = [tmp_path / "one", tmp_path / "two"]
    for path in images:
        with path.open("wb") as file:
            file.truncate(128 * MIB)
    run("mkfs.btrfs", "-q", "-d", "raid0", *images)
    with pytest.raises(BeyondLimitError, match="2 devices"):
        btrfs.read(balanced.stored(images[0]), budget())


def test_a_cut_image_is_refused_with_the_reason(tmp_path: Path) -> None:
    whole = small(tmp_path, {"file": b"x" * 10_000})
    for cut in cuts(whole, 3):
        if btrfs.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                btrfs.read(loaded(cut), budget())


def test_blocks_that_lead_to_themselves_are_given_up(tmp_path: Path) -> None:
    raw = bytearray(small(tmp_path, {f"{number:03}{'n' * 200}": b"" for number in range(100)}))
    data = loaded(bytes(raw))
    superblock = read_superblock(data)
    trees = Trees(data, superblock)
    root = next(item for item in trees.walk(superblock.root) if item.key[:2] == (5, 132))
    node = trees.node(int.from_bytes(root.raw[176:184], "little"))
    assert node.level == 1
    start = trees.chunks.copies(node.address, superblock.node_size)[0]
    for index in range(len(node.keys)):
        struct.pack_into("<Q", raw, start + 101 + index * 33 + 17, node.address)
    found = btrfs.read(loaded(bytes(raw)), budget())
    assert "level" in found.skipped[-1][1]


@pytest.mark.slow
def test_damage_is_read_or_refused(tmp_path: Path) -> None:
    chance = random.Random(1)
    files = {f"{number}{'n' * number}": chance.randbytes(number * 200) for number in range(40)}
    whole = small(tmp_path, files)
    container = btrfs.read(loaded(whole), budget())
    records = tuple(entry.record for entry in container.entries if entry.record)
    trees = tuple(span for region in container.regions if "tree" in region.name for span in spans(region.data))
    damaged = chain(
        flips(whole, 40, within=((65536, 0x32B), (65536, 4096))),
        flips(whole, 20, within=records),
        flips(whole, 40, within=trees),
        flips(whole, 40, within=tuple((start, 400) for start, length in trees if length > 400)),
    )
    read = sum(survives(btrfs.read, btrfs.recognise, image) for image in damaged)
    assert 0 < read < 140


def test_two_builds_differ_in_what_mkfs_draws_and_all_bytes_have_an_owner(source: Path, tmp_path: Path) -> None:
    fixed = ("-U", balanced.UUID, "--device-uuid", balanced.DEVICE, "--compress", "zstd")
    images = [balanced.make(source.parent / f"build {number}", *fixed, source=source) for number in (1, 2)]
    found = compare(*images)
    assert found.differing_bytes == truths.cmp(*images)[0] > 0
    assert sum(difference.bytes for difference in found.differences) == found.differing_bytes
    names = {difference.name for difference in found.differences}
    assert {"chunk_tree_uuid", "fs_tree_uuid", "tree checksums"} <= names
    assert not names & {"uuid", "device_uuid", "free space"}


def test_a_changed_file_is_the_one_that_differs(tmp_path: Path) -> None:
    whole = small(tmp_path, {"same": b"s" * 9000, "other": b"o" * 9000, "short": b"inline"})
    there = entries(btrfs.read(loaded(whole), budget()))
    changed = bytearray(whole)
    for name in ("other", "short"):
        data = there[name].data
        assert data is not None
        changed[spans(data)[0][0]] ^= 0xFF
    (tmp_path / "changed").write_bytes(changed)
    found = compare(tmp_path / "image", tmp_path / "changed")
    assert {difference.path: difference.bytes for difference in found.differences} == {("other",): 1, ("short",): 1}
    assert found.differing_bytes == 2
