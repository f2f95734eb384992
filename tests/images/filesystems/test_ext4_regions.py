"""Where the bookkeeping of a file system lies, against dumpe2fs and debugfs."""

from pathlib import Path

import extended
import pytest
from specimens import budget, loaded, opened, spans

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import Container
from ci_toolkit.images.filesystems import ext4

BLOCK = 1024
SHAPES = {
    "ext2": ("-t", "ext2"),
    "ext2 with every superblock": ("-t", "ext2", "-g", "1024", "-O", "^sparse_super,^resize_inode"),
    "ext3": ("-t", "ext3"),
    "ext4": ("-t", "ext4", "-g", "2048"),
    "ext4 without flexible groups": ("-t", "ext4", "-g", "1024", "-O", "^flex_bg"),
    "meta block groups": ("-t", "ext4", "-g", "1024", "-O", "meta_bg,^resize_inode"),
    "meta block groups of 32 bits": ("-t", "ext4", "-g", "256", "-O", "meta_bg,^resize_inode,^64bit,^metadata_csum"),
    "two superblocks": ("-t", "ext4", "-g", "1024", "-O", "sparse_super2,^resize_inode"),
    "clusters": ("-t", "ext4", "-O", "bigalloc", "-C", "4096"),
}


@pytest.fixture(scope="module", params=SHAPES)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("ext4")
    source = extended.tree(directory / "tree")
    return extended.make(directory / "image", "-b", str(BLOCK), *SHAPES[request.param], source=source, size=16 << 20)


@pytest.fixture(scope="module")
def found(image: Path) -> Container:
    return ext4.read(opened(image), budget())


def blocks(found: Container, *names: str) -> set[int]:
    return {
        block
        for region in found.regions
        if region.name in names
        for offset, length in spans(region.data)
        for block in range(offset // BLOCK, -(-(offset + length) // BLOCK))
    }


def test_regions_lie_where_dumpe2fs_says(image: Path, found: Container) -> None:
    told = extended.groups(image)
    for name in ("superblock", "block bitmap", "inode bitmap", "inode table"):
        assert told[name]
        assert blocks(found, name) == told[name]
    assert blocks(found, "group descriptors") == told["group descriptors"] | told["reserved"]


def test_the_journal_lies_where_debugfs_says(image: Path, found: Container) -> None:
    (stat,) = extended.stats(image, [8]).values() if "has_journal" in extended.ask(image, "features") else [None]
    assert blocks(found, "journal") == (set(stat.blocks.values()) if stat else set())


def test_directories_lie_where_debugfs_says(image: Path, found: Container) -> None:
    told = extended.stats(image, [entry.inode for entry in found.entries if entry.inode])
    expected = {block for stat in told.values() if stat.kind == "directory" for block in stat.blocks.values()}
    assert blocks(found, "directory blocks") == expected


def test_every_block_in_use_has_a_name(image: Path, found: Container) -> None:
    """What dumpe2fs lists as free is all that neither a file nor a region holds."""
    used = blocks(found, *(region.name for region in found.regions))
    for entry in found.entries:
        for offset, length in spans(entry.data) if entry.data else ():
            used |= set(range(offset // BLOCK, -(-(offset + length) // BLOCK)))
    # The rest of the last cluster of a file is neither free nor anybody's.
    cluster = 4 if "bigalloc" in extended.ask(image, "features") else 1
    used, free = (
        {start + step for block in blocks for start in (block // cluster * cluster,) for step in range(cluster)}
        for blocks in (used, extended.groups(image)["free"])
    )
    assert not used & free
    assert used | free >= set(range(16 << 10))


def test_descriptors_that_lead_beyond_the_end_leave_the_rest_readable(image: Path) -> None:
    raw = bytearray(image.read_bytes())
    second = 2 * BLOCK
    before = ext4.read(loaded(bytes(raw)), budget())
    # The block bitmap of the first group.
    raw[second : second + 4] = b"\xff\xff\xff\x7f"
    after = ext4.read(loaded(bytes(raw)), budget())
    assert [entry.path for entry in after.entries] == [entry.path for entry in before.entries]
    assert blocks(after, "block bitmap") < blocks(before, "block bitmap") or "block bitmap" not in {
        region.name for region in after.regions
    }


def test_an_inode_table_beyond_the_end_leaves_nothing_but_the_reason(image: Path) -> None:
    raw = bytearray(image.read_bytes())
    raw[2 * BLOCK + 8 : 2 * BLOCK + 12] = b"\xff\xff\xff\x7f"
    found = ext4.read(loaded(bytes(raw)), budget())
    assert found.entries == ()
    assert found.skipped == (("", "inode 2 lies beyond the end of the file system"),)


def test_descriptors_beyond_the_end_are_refused(tmp_path: Path) -> None:
    image = extended.make(tmp_path / "image", "-t", "ext4", "-b", "1024", "-O", "64bit", size=2 << 20)
    raw = bytearray(image.read_bytes())
    # So small a group makes thousands of them.
    raw[1024 + 0x20 : 1024 + 0x24] = b"\1\0\0\0"
    raw[1024 + 0xFE : 1024 + 0x100] = b"\0\4"
    with pytest.raises(UnreadableError, match="cut"):
        ext4.read(loaded(bytes(raw)), budget())
