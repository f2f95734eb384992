"""File systems made by mke2fs, e2fsck and debugfs, against what debugfs and the copied tree say of them."""

import os
import random
import struct
import tracemalloc
from itertools import chain
from pathlib import Path

import extended
import pytest
from bench import run
from specimens import budget, content, cuts, entries, flips, loaded, make_sense, opened, spans, survives

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import directory
from ci_toolkit.images.entry import Container, Entry, Kind
from ci_toolkit.images.filesystems import ext4
from ci_toolkit.images.limits import MIB, BeyondLimitError, Budget, Limits

SHAPES = {
    "ext2": ("-t", "ext2", "-b", "1024", "-I", "128"),
    "ext2 with every superblock": ("-t", "ext2", "-b", "1024", "-g", "1024", "-O", "^sparse_super,^resize_inode"),
    "ext3": ("-t", "ext3", "-b", "1024", "-I", "128"),
    "ext3 of 4 KiB": ("-t", "ext3", "-b", "4096", "-I", "256"),
    "ext4": ("-t", "ext4", "-b", "4096"),
    "ext4 of 1 KiB": ("-t", "ext4", "-b", "1024", "-O", "64bit,metadata_csum"),
    "ext4 of 32 bits": ("-t", "ext4", "-b", "1024", "-O", "^64bit,^metadata_csum,uninit_bg", "-I", "128"),
    "ext4 without checksums": ("-t", "ext4", "-b", "2048", "-O", "^metadata_csum,64bit", "-I", "512"),
    "inline data": ("-t", "ext4", "-b", "1024", "-O", "inline_data"),
    "inline data of 4 KiB": ("-t", "ext4", "-b", "4096", "-I", "1024", "-O", "inline_data"),
    "meta block groups": ("-t", "ext4", "-b", "1024", "-g", "1024", "-O", "meta_bg,^resize_inode"),
    "two superblocks": ("-t", "ext4", "-b", "1024", "-g", "1024", "-O", "sparse_super2,^resize_inode,^flex_bg"),
    "clusters": ("-t", "ext4", "-b", "1024", "-O", "bigalloc", "-C", "16384"),
    "no types in names": ("-t", "ext2", "-b", "1024", "-O", "^filetype"),
    "no journal": ("-t", "ext4", "-b", "1024", "-O", "^has_journal"),
    "large values": ("-t", "ext4", "-b", "1024", "-O", "ea_inode"),
    "case folding": ("-t", "ext4", "-b", "4096", "-O", "casefold,quota"),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return extended.tree(tmp_path_factory.mktemp("source") / "tree")


@pytest.fixture(scope="module", params=SHAPES)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    path = tmp_path_factory.mktemp("ext4") / "image"
    return extended.make(path, *SHAPES[request.param], source=source, size=6 << 20)


@pytest.fixture(scope="module")
def found(image: Path) -> Container:
    assert ext4.recognise(opened(image))
    container = ext4.read(opened(image), budget())
    make_sense(container)
    assert container.skipped == ()
    return container


def test_every_name_of_the_tree_is_there_with_its_content(found: Container, source: Path) -> None:
    there = entries(found)
    expected = entries(directory.read(source, budget()))
    assert set(there) - {"lost+found"} == set(expected)
    for path, entry in expected.items():
        assert there[path].kind is entry.kind
        assert there[path].target == (str((source / path).readlink()) if entry.kind is Kind.SYMLINK else None)
        assert there[path].mode == os.lstat(source / path).st_mode & 0o7777
        if entry.kind is Kind.FILE:
            assert content(there[path]) == (source / path).read_bytes()


def test_inodes_are_what_debugfs_says(image: Path, found: Container) -> None:
    told = extended.stats(image, [entry.inode for entry in found.entries if entry.inode])
    for entry in found.entries:
        assert entry.inode is not None
        stat = told[entry.inode]
        assert (entry.kind, entry.mode, entry.uid, entry.gid, entry.size, entry.mtime_ns) == (
            stat.kind, stat.mode, stat.uid, stat.gid, stat.size, stat.mtime_ns,
        )  # fmt: skip
        assert dict(entry.times) == stat.times
        if stat.target is not None:
            assert entry.target == stat.target


def test_blocks_are_what_debugfs_says(image: Path, found: Container) -> None:
    block = int(extended.ask(image, "show_super_stats -h").partition("Block size:")[2].split()[0])
    told = extended.stats(image, [entry.inode for entry in found.entries if entry.inode])
    for entry in found.entries:
        stat = told[entry.inode or 0]
        if entry.data is None or entry.data.root is not found.regions[0].data.root:
            # A link, or inline data.
            continue
        there = {
            (run.start + step) // block: (run.offset + step) // block
            for run in entry.data.runs
            if run.offset is not None
            for step in range(0, run.length, block)
        }
        assert there == {logical: at for logical, at in stat.blocks.items() if logical * block < entry.size}
    maps = {number for stat in told.values() for number in stat.maps}
    (region,) = [region for region in found.regions if region.name == "map blocks"] if maps else [None]
    assert not maps or (region is not None and maps <= blocks_in(spans(region.data), block))


def blocks_in(there: list[tuple[int, int]], block: int) -> set[int]:
    return {number for offset, length in there for number in range(offset // block, -(-(offset + length) // block))}


def test_hard_links_share_one_inode(found: Container) -> None:
    there = entries(found)
    assert there["big"].inode == there["same"].inode
    assert there["big"].data is there["same"].data


def test_records_lie_where_debugfs_finds_the_inodes(image: Path, found: Container) -> None:
    for path in ("", "etc/hostname", "many"):
        entry = entries(found)[path]
        printed = extended.ask(image, f"imap <{entry.inode}>")
        # "Inode 12 is part of block group 0 / located at block 66, offset 0x0b00".
        block = int(printed.partition("located at block ")[2].partition(",")[0])
        offset = int(printed.partition("offset 0x")[2].split()[0], 16)
        size = int(extended.ask(image, "show_super_stats -h").partition("Block size:")[2].split()[0])
        assert entry.record is not None
        assert entry.record[0] == block * size + offset


def test_a_cut_image_is_refused_with_the_reason(image: Path) -> None:
    whole = image.read_bytes()
    for cut in cuts(whole, 3):
        if ext4.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                ext4.read(loaded(cut), budget())


def hashed(tmp_path: Path, *options: str) -> Path:
    (tmp_path / "tree/many").mkdir(parents=True)
    for number in range(700):
        (tmp_path / f"tree/many/{number:04}-{'n' * (number % 80)}").touch()
    image = extended.make(tmp_path / "image", *options, source=tmp_path / "tree")
    # Newer releases of mke2fs make the index themselves; this one optimises all directories.
    run("e2fsck", "-p", "-f", "-D", image)
    return image


@pytest.mark.parametrize("options", [("-t", "ext4", "-b", "1024"), ("-t", "ext3", "-b", "1024", "-I", "128")])
def test_hashed_directories_are_read_in_full(tmp_path: Path, options: tuple[str, ...]) -> None:
    image = hashed(tmp_path, *options)
    assert "Number of entries" in extended.ask(image, "htree_dump /many")
    found = ext4.read(opened(image), budget())
    names = {entry.path for entry in found.entries if entry.path.startswith("many/")}
    assert names == {f"many/{path.name}" for path in (tmp_path / "tree/many").iterdir()}
    assert found.skipped == ()


@pytest.mark.parametrize("options", [("-t", "ext4", "-b", "1024"), ("-t", "ext2", "-b", "1024")])
def test_fragments_are_put_together(tmp_path: Path, options: tuple[str, ...]) -> None:
    image = extended.make(tmp_path / "image", *options, size=2 << 20)
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"s" * 1024)
    large.write_bytes(random.Random(1).randbytes(300 * 1024))
    extended.change(
        image,
        *(f"write {small} s{number}" for number in range(600)),
        *(f"rm s{number}" for number in range(0, 600, 2)),
    )
    # What is left beside the gaps is filled, so that the large file must go into them.
    free = int(extended.ask(image, "show_super_stats -h").partition("Free blocks:")[2].split()[0])
    filler = tmp_path / "filler"
    filler.write_bytes(b"f" * 1024 * (free - 310))
    extended.change(image, f"write {filler} filler", f"write {large} large")
    there = entries(ext4.read(opened(image), budget()))
    assert content(there["filler"]) == filler.read_bytes()
    assert there["large"].data is not None and there["filler"].data is not None
    assert len(spans(there["large"].data)) + len(spans(there["filler"].data)) > 100
    stat = extended.stats(image, [there["large"].inode or 0, there["filler"].inode or 0])
    assert any(one.maps for one in stat.values())
    back = tmp_path / "back"
    extended.ask(image, f"dump /large {back}")
    assert content(there["large"]) == back.read_bytes()
    assert len(back.read_bytes()) == 300 * 1024


def one(tmp_path: Path, *commands: str, options: tuple[str, ...] = ("-t", "ext4", "-b", "1024")) -> dict[str, Entry]:
    """Let debugfs make a file called "file" and whatever COMMANDS say, and read the result."""
    (tmp_path / "content").write_text("content\n")
    image = extended.make(tmp_path / "image", *options, size=2 << 20)
    extended.change(image, f"write {tmp_path / 'content'} file", *commands)
    return entries(ext4.read(opened(image), budget()))


def test_device_nodes_have_their_numbers(tmp_path: Path) -> None:
    there = one(tmp_path, "mknod tty c 4 64", "mknod disk b 8 1", "mknod large c 250 255", "mknod pipe p")
    told = extended.stats(tmp_path / "image", [entry.inode for entry in there.values() if entry.inode])
    for name in ("tty", "disk", "large", "pipe"):
        stat = told[there[name].inode or 0]
        assert (there[name].kind, there[name].device) == (stat.kind, stat.device)
    assert there["tty"].device == (4, 64)
    assert there["large"].device == (250, 255)
    assert there["pipe"].device is None


@pytest.mark.parametrize("options", [("-t", "ext4"), ("-t", "ext4", "-I", "128"), ("-t", "ext2", "-I", "256")])
@pytest.mark.parametrize(
    "when", ["19011214000000", "19691231235959", "20380119031400", "20380119031500", "21060207062815"]
)
def test_times_beyond_32_bits_and_before_1970(tmp_path: Path, options: tuple[str, ...], when: str) -> None:
    there = one(tmp_path, f"set_inode_field file mtime {when}", options=options)
    inode = there["file"].inode or 0
    assert there["file"].mtime_ns == extended.stats(tmp_path / "image", [inode])[inode].mtime_ns


def test_nanoseconds_are_kept(tmp_path: Path) -> None:
    there = one(tmp_path, "set_inode_field file mtime @1700000000", "set_inode_field file mtime_extra 493827156")
    inode = there["file"].inode or 0
    assert there["file"].mtime_ns == 1_700_000_000_123_456_789
    assert extended.stats(tmp_path / "image", [inode])[inode].mtime_ns == 1_700_000_000_123_456_789


def test_owners_beyond_16_bits(tmp_path: Path) -> None:
    there = one(tmp_path, "set_inode_field file uid 100000", "set_inode_field file gid 4294967294")
    inode = there["file"].inode or 0
    stat = extended.stats(tmp_path / "image", [inode])[inode]
    assert (there["file"].uid, there["file"].gid) == (stat.uid, stat.gid) == (100000, 4294967294)


def test_reserved_blocks_read_as_zeros(tmp_path: Path) -> None:
    there = one(tmp_path, "fallocate file 4 9", "set_inode_field file size 10240")
    assert "[u]" in extended.ask(tmp_path / "image", "stat file")
    assert content(there["file"]) == b"content\n" + bytes(10240 - 8)


def test_a_damaged_directory_is_skipped_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "tree/inside").mkdir(parents=True)
    (tmp_path / "tree/inside/lost").touch()
    (tmp_path / "tree/kept").touch()
    image = extended.make(tmp_path / "image", "-t", "ext4", "-b", "1024", source=tmp_path / "tree")
    raw = bytearray(image.read_bytes())
    inside = entries(ext4.read(loaded(bytes(raw)), budget()))["inside"]
    assert inside.data is not None
    raw[spans(inside.data)[0][0] + 4 : spans(inside.data)[0][0] + 6] = b"\x03\0"
    found = ext4.read(loaded(bytes(raw)), budget())
    assert "kept" in entries(found)
    assert found.skipped == (("inside", "a directory block is damaged"),)


def test_many_empty_files_in_a_small_file_system_are_no_bomb(tmp_path: Path) -> None:
    """There may be more inodes than blocks, and those of empty files need none."""
    (tmp_path / "tree").mkdir()
    paths = {f"{parent}/{number}" for parent in range(20) for number in range(98)}
    for parent in range(20):
        (tmp_path / f"tree/{parent}").mkdir()
    for path in paths:
        (tmp_path / "tree" / path).touch()
    image = extended.make(
        tmp_path / "image", "-t", "ext4", "-b", "1024", "-I", "128", "-N", "2048", "-O", "^has_journal,^resize_inode",
        source=tmp_path / "tree", size=400 << 10,
    )  # fmt: skip
    found = ext4.read(opened(image), budget())
    assert found.skipped == ()
    assert {entry.path for entry in found.entries} >= paths


def test_what_precedes_the_damage_in_a_directory_is_kept(tmp_path: Path) -> None:
    image = hashed(tmp_path, "-t", "ext2", "-b", "1024", "-O", "^dir_index")
    raw = bytearray(image.read_bytes())
    many = entries(ext4.read(loaded(bytes(raw)), budget()))["many"]
    assert many.data is not None
    last = many.data.located(many.data.size - 1024, 1)[0].offset
    assert last is not None
    raw[last + 4 : last + 6] = b"\x03\0"
    found = ext4.read(loaded(bytes(raw)), budget())
    assert found.skipped == (("many", "a directory block is damaged"),)
    assert len([entry for entry in found.entries if entry.path.startswith("many/")]) > 600


def deep(tmp_path: Path) -> bytes:
    """A directory of 60 KiB whose 5,000 names each lie below a path of 3,900 bytes."""
    (tmp_path / "tree").mkdir()
    image = extended.make(
        tmp_path / "image", "-t", "ext4", "-b", "1024", "-N", "128", source=tmp_path / "tree", size=4 << 20
    )
    names = [f"{level}{'d' * 240}" for level in range(16)]
    extended.change(image, *(command for name in names for command in (f"mkdir {name}", f"cd {name}")), "mkdir last")
    last = next(entry for entry in ext4.read(opened(image), budget()).entries if entry.path.endswith("last"))
    record = last.record
    assert record is not None
    blocks = 60
    slots = b"".join(
        b"".join(struct.pack("<IHBB4s", 11, 12, 4, 1, f"{block * 85 + slot:04}".encode()) for slot in range(84))
        + struct.pack("<IHBB8s", 11, 1024 - 84 * 12, 3, 1, b"end")
        for block in range(blocks)
    )
    raw = bytearray(image.read_bytes())
    # Free space at the end takes the names, and one extent leads there.
    free = (4 << 10) - blocks - 8
    raw[free * 1024 : (free + blocks) * 1024] = slots
    struct.pack_into("<I", raw, record[0] + 4, blocks * 1024)
    struct.pack_into("<HHHHI IHHI", raw, record[0] + 40, 0xF30A, 1, 4, 0, 0, 0, blocks, 0, free)
    return bytes(raw)


def test_names_are_counted_before_they_are_gathered(tmp_path: Path) -> None:
    raw = deep(tmp_path)
    limits = Limits(metadata=MIB)
    tracemalloc.start()
    try:
        with pytest.raises(BeyondLimitError, match=f"names and attributes of more than {MIB} bytes in all"):
            ext4.read(loaded(raw), Budget(limits))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * MIB


def test_what_has_too_long_a_name_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for name in ("short", "x" * 20, "z"):
        (tmp_path / "tree" / name).touch()
    image = extended.make(tmp_path / "image", "-t", "ext4", source=tmp_path / "tree", size=4 << 20)
    found = ext4.read(opened(image), Budget(Limits(path=15)))
    assert set(entries(found)) == {"", "lost+found", "short", "z"}
    assert found.skipped == (("x" * 15, "a name of 20 characters"),)


def test_directories_that_share_their_blocks_are_given_up(tmp_path: Path) -> None:
    """Else each of them would have to be searched, however large."""
    (tmp_path / "tree").mkdir()
    for number in range(60):
        (tmp_path / f"tree/{number}").mkdir()
    image = extended.make(
        tmp_path / "image", "-t", "ext4", "-b", "1024", "-N", "128", source=tmp_path / "tree", size=4 << 20
    )
    raw = bytearray(image.read_bytes())
    for entry in ext4.read(loaded(bytes(raw)), budget()).entries:
        if entry.path.isdigit() and entry.record is not None:
            struct.pack_into("<I", raw, entry.record[0] + 4, 3000 << 10)
            struct.pack_into("<HHHHI IHHI", raw, entry.record[0] + 40, 0xF30A, 1, 4, 0, 0, 0, 3000, 0, 1000)
    reasons = [reason for _, reason in ext4.read(loaded(bytes(raw)), budget()).skipped]
    assert reasons.count("the block maps name more blocks than the file system has") > 50


@pytest.mark.parametrize("shape", ["ext2", "ext4 of 1 KiB", "inline data", "meta block groups"])
def test_damage_is_read_or_refused(tmp_path: Path, shape: str) -> None:
    (tmp_path / "tree").mkdir()
    for number in range(30):
        (tmp_path / f"tree/{number}{'n' * number}").write_bytes(b"x" * number * 100)
    (tmp_path / "tree/link").symlink_to("l" * 100)
    (tmp_path / "tree/below").mkdir()
    (tmp_path / "tree/below/big").write_bytes(random.Random(1).randbytes(300_000))
    image = extended.make(tmp_path / "image", *SHAPES[shape], source=tmp_path / "tree", size=2 << 20)
    extended.change(image, "ea_set link user.name value", f"ea_set below user.large {'v' * 500}")
    whole = image.read_bytes()
    container = ext4.read(loaded(whole), budget())
    names = ("group descriptors", "directory blocks", "map blocks")
    regions = [region for region in container.regions if region.name in names]
    records = tuple(entry.record for entry in container.entries if entry.record)
    tables = tuple(span for region in regions for span in spans(region.data))
    damaged = chain(
        flips(whole, 60, within=((1024, 128), (1024, 1024))),
        flips(whole, 120, within=records),
        flips(whole, 80, within=tables),
    )
    read = sum(survives(ext4.read, ext4.recognise, image) for image in damaged)
    assert 0 < read < 260
