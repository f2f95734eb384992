"""File systems made by mkfs.xfs, against what xfs_db and the copied tree say of them."""

import os
import struct
from itertools import chain
from pathlib import Path

import balanced
import grouped
import pytest
import truths
from bench import run
from specimens import budget, content, cuts, entries, facts, flips, loaded, make_sense, spans, survives

from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import directory
from ci_toolkit.images.entry import Container, Entry, Kind
from ci_toolkit.images.filesystems import xfs
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits

# Options, how many names the large directory has, and how long a link's target is.
SHAPES: dict[str, tuple[tuple[str, ...], int, int]] = {
    "as it comes": ((), 90, 300),
    "blocks of 1 KiB": (("-b", "size=1024"), 3000, 300),
    "large directory blocks": (("-n", "size=16384", "-d", "agcount=2"), 1500, 300),
    "large inodes": (("-i", "size=2048,nrext64=1,sparse=0", "-m", "rmapbt=1,bigtime=1"), 20, 1000),
    "old inodes": (("-i", "nrext64=0,sparse=0", "-m", "reflink=0,bigtime=0,inobtcount=0,finobt=0"), 300, 300),
    "version 4": (("-m", "crc=0"), 400, 900),
    "version 4 of 512 bytes": (("-m", "crc=0", "-b", "size=512", "-i", "size=256"), 3000, 900),
    "version 4 without types": (("-m", "crc=0,finobt=0", "-n", "ftype=0,size=4096"), 6, 900),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return grouped.tree(tmp_path_factory.mktemp("source") / "tree")


@pytest.fixture(scope="module", params=SHAPES)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("xfs")
    options, count, link = SHAPES[request.param]
    proto, _ = grouped.proto(work, count, link)
    # Version 4 has no UUID of its own in -m.
    return grouped.make(work / "image", *options, "-p", str(proto))


@pytest.fixture(scope="module")
def found(image: Path) -> Container:
    return read(image)


def read(image: Path) -> Container:
    assert xfs.recognise(balanced.stored(image))
    container = xfs.read(balanced.stored(image), budget())
    make_sense(container)
    assert container.skipped == ()
    return container


def check(image: Path, container: Container) -> None:
    """Compare all inodes and extents with what xfs_db prints."""
    told = grouped.stats(image, [entry.inode for entry in container.entries if entry.inode])
    size = int(grouped.superblock(image)["blocksize"])
    for entry in container.entries:
        stat = told[entry.inode or 0]
        assert (entry.mode, entry.uid, entry.gid, entry.size, entry.mtime_ns) == (
            int(stat.values["core.mode"], 8) & 0o7777, stat.number("core.uid"), stat.number("core.gid"),
            stat.number("core.size"), stat.time("mtime"),
        )  # fmt: skip
        times = dict(entry.times)
        assert (times["changed"], times["accessed"]) == (stat.time("ctime"), stat.time("atime"))
        if entry.data is None:
            continue
        there = {
            (run.start + step) // size: run.offset + step
            for run in entry.data.runs
            if run.offset is not None
            for step in range(0, run.length, size)
        }
        expected = {
            start + step: (start, block, step) for start, block, count, _ in stat.blocks for step in range(count)
        }
        assert set(there) == {number for number in expected if number * size < entry.size}
        for start, block, count, _ in stat.blocks[:3]:
            first = grouped.offset(image, block)
            assert [there[start + step] for step in range(count)] == [first + step * size for step in range(count)]


def test_every_name_of_the_prototype_is_there(request: pytest.FixtureRequest, found: Container) -> None:
    _, count, link = SHAPES[request.node.callspec.params["image"]]
    there = entries(found)
    many = {f"many/{number:05}{'n' * (number % 90)}" for number in range(count)}
    named = {
        "",
        "big",
        "small",
        "empty",
        "exact",
        "tty",
        "disk",
        "pipe",
        "near",
        "far",
        "below",
        "below/deeper",
        "many",
    }
    assert set(there) == many | named
    assert there["near"].target == "small"
    assert there["far"].target == "f" * link
    assert (there["tty"].kind, there["tty"].device, there["tty"].mode) == (Kind.CHARACTER, (4, 64), 0o620)
    assert (there["disk"].kind, there["disk"].device) == (Kind.BLOCK, (250, 255))
    assert there["pipe"].kind is Kind.FIFO
    assert (there["small"].mode, there["small"].uid, there["small"].gid) == (0o4711, 1000, 70000)


def test_contents_are_those_that_were_put_in(image: Path, found: Container) -> None:
    for name in ("big", "small", "empty", "exact"):
        assert content(entries(found)[name]) == (image.parent / "parts" / name).read_bytes()


def test_inodes_and_extents_are_what_xfs_db_says(image: Path, found: Container) -> None:
    few = [entry for entry in found.entries if not entry.path.startswith("many/") or entry.path.endswith("nnn")]
    check(image, Container(format="xfs", entries=tuple(few[:120])))


def test_facts_are_what_xfs_db_says(image: Path, found: Container) -> None:
    told = grouped.superblock(image)
    values = facts(found)
    assert values["uuid"] == told["uuid"]
    pairs = {
        "block_size": "blocksize", "block_count": "dblocks", "root_inode": "rootino", "group_count": "agcount",
        "group_blocks": "agblocks", "log_start": "logstart", "log_blocks": "logblocks", "inode_count": "icount",
        "free_inodes": "ifree", "free_blocks": "fdblocks", "inode_size": "inodesize", "sector_size": "sectsize",
        "version": "versionnum", "features": "features2", "inode_alignment": "inoalignmt",
    }  # fmt: skip
    if int(told["versionnum"], 0) & 0xF == 5:
        pairs |= {"features_incompatible": "features_incompat", "features_read_only": "features_ro_compat"}
    for name, other in pairs.items():
        assert values[name] == int(told[other], 0), name


def test_places_of_the_uuid_are_all_there_are(image: Path, found: Container) -> None:
    raw = image.read_bytes()
    (fact,) = [fact for fact in found.facts if fact.name == "uuid"]
    value = bytes.fromhex(str(fact.value).replace("-", ""))
    holding = {raw[start : start + length] for start, length in fact.places}
    assert holding == {value}
    journal = next(region for region in found.regions if region.name == "journal")
    ((start, length),) = spans(journal.data)
    outside = raw.count(value) - raw[start : start + length].count(value)
    assert len([place for place, _ in fact.places if not start <= place < start + length]) == outside


def test_free_space_is_what_has_no_name(image: Path, found: Container) -> None:
    """All blocks that no entry and no region has are free, and all that are free have no name."""
    size = int(grouped.superblock(image)["blocksize"])
    owned: set[int] = set()
    for data in (*(entry.data for entry in found.entries), *(region.data for region in found.regions)):
        for offset, length in spans(data) if data is not None else ():
            owned |= set(range(offset // size, -(-(offset + length) // size)))
    printed = run("xfs_db", "-r", "-c", "freesp -d", image).decode()
    group_blocks = int(grouped.superblock(image)["agblocks"])
    rows = [line.split() for line in printed.splitlines() if line[:1] == " " and len(line.split()) == 3]
    free = {
        int(group) * group_blocks + int(first) + step
        for group, first, count in rows
        if group.isdigit()
        for step in range(int(count))
    }
    all_blocks = set(range(image.stat().st_size // size))
    # Those set aside for trees are not quite free.
    wrong = (free & owned - free_list(found, size)) | (all_blocks - free - owned)
    assert free
    assert sorted(wrong) == []


def free_list(container: Container, size: int) -> set[int]:
    """The blocks that are set aside for trees."""
    named = [region for region in container.regions if region.name == "blocks for trees"]
    places = (span for region in named for span in spans(region.data))
    return {(offset + step) // size for offset, length in places for step in range(0, length, size)}


def test_a_tree_is_copied_with_all_its_names(source: Path) -> None:
    image = grouped.make(source.parent / "copied", source=source)
    container = read(image)
    there = entries(container)
    expected = entries(directory.read(source, budget()))
    assert set(there) == set(expected)
    for path, entry in expected.items():
        assert there[path].kind is entry.kind
        assert there[path].target == (str((source / path).readlink()) if entry.kind is Kind.SYMLINK else None)
        assert there[path].mode == os.lstat(source / path).st_mode & 0o7777
        if entry.kind is Kind.FILE:
            assert content(there[path]) == (source / path).read_bytes()
    assert there["big"].data is there["same"].data
    # So many extents have a tree of their own.
    data = there["holes"].data
    assert data is not None and len(spans(data)) == 300
    assert "map blocks" in {region.name for region in container.regions}
    check(image, container)


def test_a_uuid_given_later_leaves_the_old_one_in_the_blocks(tmp_path: Path) -> None:
    image = grouped.make(tmp_path / "image")
    grouped.change(image, "uuid 99999999-2222-4333-8444-555555555555", "label after")
    values = facts(read(image))
    assert values["uuid"] == "99999999-2222-4333-8444-555555555555"
    assert values["meta_uuid"] == grouped.UUID
    assert values["label"] == "after"


@pytest.mark.parametrize("when", ["-2000000000", "0", "4000000000", "16000000000"])
def test_times_beyond_32_bits_and_before_1970(tmp_path: Path, when: str) -> None:
    proto, _ = grouped.proto(tmp_path, 1)
    image = grouped.make(tmp_path / "image", "-m", "bigtime=1", "-p", str(proto))
    inode = entries(read(image))["small"].inode
    stamp = int(when) * 10**9 + 123
    raw = bytearray(image.read_bytes())
    record = entries(read(image))["small"].record
    assert record is not None
    # Nanoseconds since the earliest second that 32 bits can say.
    struct.pack_into(">Q", raw, record[0] + 40, stamp + (1 << 31) * 10**9)
    image.write_bytes(raw)
    entry = entries(xfs.read(balanced.stored(image), budget()))["small"]
    assert entry.mtime_ns == stamp == grouped.stats(image, [inode or 0])[inode or 0].time("mtime")


def patched(tmp_path: Path, name: str, offset: int, form: str, *values: int) -> tuple[Container, Entry | None]:
    """A file system with other values in the inode called NAME."""
    proto, _ = grouped.proto(tmp_path, 5)
    raw = bytearray(grouped.make(tmp_path / "image", "-p", str(proto)).read_bytes())
    record = entries(xfs.read(loaded(bytes(raw)), budget()))[name].record
    assert record is not None
    struct.pack_into(form, raw, record[0] + offset, *values)
    container = xfs.read(loaded(bytes(raw)), budget())
    return container, entries(container).get(name)


def test_extents_that_were_only_reserved_read_as_zeros(tmp_path: Path) -> None:
    container, entry = patched(tmp_path, "exact", 176, ">B", 0x80)
    assert entry is not None
    assert content(entry) == bytes(8192)
    (region,) = [region for region in container.regions if region.name == "reserved extents"]
    assert region.data.read_at(0, 8192) == b"e" * 8192


def test_a_file_on_a_realtime_device_is_skipped(tmp_path: Path) -> None:
    container, entry = patched(tmp_path, "exact", 90, ">H", 1)
    assert entry is None
    assert container.skipped == (("exact", "its content lies on the realtime device, which is not here"),)


def test_a_directory_in_two_places_is_skipped(tmp_path: Path) -> None:
    proto, _ = grouped.proto(tmp_path, 5)
    image = grouped.make(tmp_path / "image", "-p", str(proto))
    there = entries(read(image))
    raw = image.read_bytes()
    names = b"\x06\x00\x60deeper\x02"
    place = raw.index(b"deeper")
    assert names[3:9] == raw[place : place + 6]
    changed = bytearray(raw)
    changed[place + 7 : place + 11] = (there["below"].inode or 0).to_bytes(4, "big")
    container = xfs.read(loaded(bytes(changed)), budget())
    assert container.skipped == (("below/deeper", f"inode {there['below'].inode} is a directory in two places"),)


def test_a_name_that_no_file_can_have_is_skipped(tmp_path: Path) -> None:
    proto, _ = grouped.proto(tmp_path, 5)
    raw = grouped.make(tmp_path / "image", "-p", str(proto)).read_bytes().replace(b"deeper", b"dee/er")
    assert xfs.read(loaded(raw), budget()).skipped == (("below/dee/er", "no file can have such a name"),)


def test_names_are_counted(image: Path) -> None:
    with pytest.raises(BeyondLimitError, match="more than 8 entries"):
        xfs.read(balanced.stored(image), Budget(Limits(members=8)))


def test_a_cut_image_is_refused_with_the_reason(image: Path) -> None:
    whole = image.read_bytes()
    for cut in cuts(whole, 3):
        if xfs.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                xfs.read(loaded(cut), budget())


@pytest.mark.parametrize("options", [("-b", "size=1024"), ("-m", "crc=0")])
def test_damage_is_read_or_refused(tmp_path: Path, options: tuple[str, ...]) -> None:
    proto, _ = grouped.proto(tmp_path, 90)
    image = grouped.make(tmp_path / "image", *options, "-p", str(proto), size=17 << 20)
    if "crc=0" not in options:
        small = entries(read(image))["small"].inode
        grouped.change(image, f"inode {small}", "attr_set -u -v 3000 large", "attr_set -u -v 300 other")
    whole = image.read_bytes()
    container = xfs.read(loaded(whole), budget())
    records = tuple(entry.record for entry in container.entries if entry.record)
    unwanted = ("journal", "ends of files", "inode table", "blocks for trees", "checksums")
    tables = tuple(span for one in container.regions if one.name not in unwanted for span in spans(one.data))
    damaged = chain(
        flips(whole, 20, within=((0, 128), (0, 256))),
        flips(whole, 20, within=records[:14]),
        flips(whole, 20, within=tables),
        flips(whole, 20, within=tuple((start, min(length, 80)) for start, length in tables)),
    )
    read_in_all = sum(survives(xfs.read, xfs.recognise, image) for image in damaged)
    assert 0 < read_in_all < 80


def test_two_builds_differ_in_what_mkfs_draws_and_all_bytes_have_an_owner(source: Path) -> None:
    images = [grouped.make(source.parent / f"build {number}", source=source, fixed=False) for number in (1, 2)]
    found = compare(*images)
    assert found.differing_bytes == truths.cmp(*images)[0] > 0
    assert sum(difference.bytes for difference in found.differences) == found.differing_bytes
    names = {difference.name for difference in found.differences}
    assert {"uuid", "checksums", "inode generations"} <= names
    assert "free space" not in names


def test_two_builds_with_all_fixed_are_equal(source: Path) -> None:
    images = [grouped.make(source.parent / f"fixed {number}", source=source) for number in (1, 2)]
    assert truths.cmp(*images)[0] == compare(*images).differing_bytes == 0


def test_a_changed_file_is_the_one_that_differs(image: Path, found: Container, tmp_path: Path) -> None:
    changed = bytearray(image.read_bytes())
    data = entries(found)["exact"].data
    assert data is not None
    changed[spans(data)[0][0] + 5] ^= 0xFF
    (tmp_path / "changed").write_bytes(changed)
    result = compare(image, tmp_path / "changed")
    assert [(difference.path, difference.bytes) for difference in result.differences] == [(("exact",), 1)]
    assert result.differing_bytes == 1
