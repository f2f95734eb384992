"""Two file systems read at once, against each of them read alone: after debugfs changed one, and after damage."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import extended
import pytest
from specimens import loaded

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Kind
from ci_toolkit.images.filesystems import ext4, ext4_pair
from ci_toolkit.images.limits import MIB, BeyondLimitError, Budget, Limits

pytestmark = pytest.mark.slow

SHAPES = {
    "ext2": ("-t", "ext2", "-b", "1024", "-I", "128"),
    "ext4": ("-t", "ext4", "-b", "4096"),
    "ext4 of 1 KiB": ("-t", "ext4", "-b", "1024", "-O", "64bit,metadata_csum"),
    "inline data": ("-t", "ext4", "-b", "1024", "-O", "inline_data"),
    "large values": ("-t", "ext4", "-b", "1024", "-O", "ea_inode"),
}
CHANGES = {
    "nothing": (),
    "a time": ("set_inode_field deep/er mtime 20200202020202",),
    "an owner and a mode": ("set_inode_field etc/hostname uid 7", "set_inode_field etc mode 040700"),
    "an attribute": ("ea_set etc/hostname user.one 1", "ea_set etc user.two 2"),
    "an attribute in a block": (f"ea_set etc/hostname user.one {'x' * 600}",),
    "a file that is gone": ("rm etc/hostname",),
    "a directory that is gone": ("rm deep/er/and/er/file", "rmdir deep/er/and/er"),
    "another file": ("cd deep", "write {new} new"),
    "a file that lies elsewhere": ("rm etc/hostname", "rm deep/er/and/er/file", "cd etc", "write {new} hostname"),
    "a hard link": ("link etc/hostname etc/again", "set_inode_field etc/hostname links_count 2"),
    "a name that leads to another inode": ("unlink etc/hostname", "link etc/inline etc/hostname"),
    "two names that changed their inodes": (
        "link etc/inline etc/third", "unlink etc/inline", "link etc/sixty etc/inline", "unlink etc/sixty",
        "link etc/third etc/sixty", "unlink etc/third",
    ),
    "a directory elsewhere": ("link deep/er etc/er", "unlink deep/er"),
    "a directory in two places": ("link deep/er etc/er",),
    "a file that became a directory": ("rm deep/er/and/er/file", "cd deep/er/and/er", "mkdir file"),
    "an inode without a type": ("set_inode_field deep/er mode 0",),
    "a content that lies beyond the end": ("set_inode_field deep/er/and/er/file block[5] 999999999",),
    "a size": ("set_inode_field etc/hostname size 3", "set_inode_field big size 300000"),
}  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return extended.tree(tmp_path_factory.mktemp("source") / "tree")


@pytest.fixture(scope="module", params=SHAPES)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    path = tmp_path_factory.mktemp("ext4") / "image"
    return extended.make(path, *SHAPES[request.param], source=source, size=6 * MIB)


def same_in(a: Data, b: Data, block: int = 4096) -> Callable[[int, int], bool]:
    """Tell it block by block, as who compared two images does."""
    one, other = a.read_at(0, a.size), b.read_at(0, b.size)
    starts = range(0, max(len(one), len(other)), block)
    unequal = [start for start in starts if one[start : start + block] != other[start : start + block]]
    return lambda offset, length: not any(offset < start + block and start < offset + length for start in unequal)


def placed(data: Data | None) -> object:
    return None if data is None else (data.runs, data.size)


def told(entry: Entry) -> object:
    return entry._replace(data=None), placed(entry.data)


def shown(entry: Entry) -> object:
    return entry.kind, entry.size, entry.inode, entry.target


def read(entry: Entry) -> bytes | None:
    return None if entry.data is None else entry.data.read_at(0, entry.size)


def outer(container: Container) -> object:
    regions = [(region.name, placed(region.data)) for region in container.regions]
    return container.format, container.facts, regions, container.remainder, container.skipped


def outcome(read: Callable[[Budget], tuple[Container, Container]], limits: Limits) -> tuple[Container, Container] | str:
    try:
        return read(Budget(limits))
    except UnreadableError as error:
        return error.message


def check(a: bytes, b: bytes, limits: Limits | None = None) -> int:
    """Read both ways, compare what comes out, and return how many entries are shared."""
    one, other = loaded(a), loaded(b)
    same = same_in(one, other)
    limits = limits or Limits()
    alone = outcome(lambda budget: (ext4.read(one, budget), ext4.read(other, budget)), limits)
    both = outcome(lambda budget: ext4_pair.read(one, other, same, budget), limits)
    if isinstance(alone, str) or isinstance(both, str):
        assert both == alone
        return 0
    for known, found in zip(alone, both, strict=True):
        assert outer(found) == outer(known)
        assert [entry.path for entry in found.entries] == [entry.path for entry in known.entries]
    by_path = [{entry.path: entry for entry in found.entries} for found in both]
    shared = {path for path, entry in by_path[0].items() if by_path[1].get(path) is entry}
    for known, found in zip(alone, both, strict=True):
        for before, after in zip(known.entries, found.entries, strict=True):
            if after.path in shared:
                assert shown(after) == shown(before)
            else:
                assert told(after) == told(before)
    equal = [{entry.path: entry for entry in found.entries} for found in alone]
    for path in shared:
        x, y = equal[0][path], equal[1][path]
        assert told(x) == told(y)
        assert read(x) == read(y)
    return len(shared)


def changed(image: Path, tmp_path: Path, *commands: str) -> bytes:
    copy = Path(shutil.copy(image, tmp_path / "copy"))
    (tmp_path / "new").write_bytes(b"new\n" * 5000)
    extended.change(copy, *(command.format(new=tmp_path / "new") for command in commands))
    return copy.read_bytes()


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_found_from_either_side(image: Path, tmp_path: Path, change: str) -> None:
    before, after = image.read_bytes(), changed(image, tmp_path, *CHANGES[change])
    assert (before == after) == (change == "nothing")
    check(before, after)
    check(after, before)
    check(after, after)


def test_what_lies_in_one_piece_is_shared_but_next_to_what_changed(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for number in range(400):
        (tree / f"{number // 20}").mkdir(parents=True, exist_ok=True)
        (tree / f"{number // 20}/{number}").write_text(f"{number}\n")
    image = extended.make(tmp_path / "image", *SHAPES["ext4"], source=tree, size=6 * MIB)
    before, after = image.read_bytes(), changed(image, tmp_path, "set_inode_field 7/150 uid 7")
    names = 1 + len(list(tree.rglob("*"))) + len(["lost+found"])
    assert check(before, before) == names
    beside = 4096 // int(extended.ask(image, "show_super_stats -h").partition("Inode size:")[2].split()[0])
    assert check(before, after) == names - beside


def test_whatever_bit_differs_both_are_what_they_are_alone(image: Path) -> None:
    before = image.read_bytes()
    chance = random.Random(7)
    block = int(extended.ask(image, "show_super_stats -h").partition("Block size:")[2].split()[0])
    # Superblock, descriptors, bitmaps, inode tables and directories are all there.
    places = [chance.randrange(1024, 80 * block) for _ in range(40)]
    for place in places:
        after = bytearray(before)
        after[place] ^= 1 << chance.randrange(8)
        check(before, bytes(after))
        check(bytes(after), before)


def test_damaged_tables_are_what_they_are_alone(image: Path) -> None:
    before = image.read_bytes()
    chance = random.Random(8)
    for _ in range(8):
        after = bytearray(before)
        for _ in range(30):
            place = chance.randrange(1024, len(after) // 4) // 64 * 64
            after[place : place + 64] = chance.randbytes(64)
        check(before, bytes(after))
        check(bytes(after), before)
        check(bytes(after), bytes(after))


@pytest.mark.parametrize("options", [("-N", "2048"), ("-b", "2048"), ("-I", "512"), ("-g", "2048"), ("-O", "^flex_bg")])
def test_another_shape_shares_nothing_that_it_reads_otherwise(
    source: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    shape = ("-t", "ext4", "-b", "1024")
    one = extended.make(tmp_path / "one", *shape, source=source, size=6 * MIB)
    other = extended.make(tmp_path / "other", *shape, *options, source=source, size=6 * MIB)
    check(one.read_bytes(), other.read_bytes())


def test_entries_of_one_name_are_not_shared(source: Path, tmp_path: Path) -> None:
    image = extended.make(tmp_path / "image", *SHAPES["ext4"], source=source, size=6 * MIB)
    before = image.read_bytes()
    doubled = before.replace(b"\x06\x01inline", b"\x05\x01sixty\0")
    assert doubled != before
    assert check(doubled, doubled) == 0
    gone = bytearray(doubled)
    for entry in ext4.read(loaded(doubled), Budget(Limits())).entries:
        if entry.path == "etc/sixty" and entry.record is not None:
            gone[entry.record[0] : entry.record[0] + 2] = b"\0\0"
            break
    assert check(doubled, bytes(gone)) == 0


def test_limits_hold_for_both_as_for_each(image: Path) -> None:
    content = image.read_bytes()
    count = len(ext4.read(loaded(content), Budget(Limits())).entries)
    for members in (count - 1, count, 2 * count - 1, 2 * count):
        check(content, content, Limits(members=members))
    with pytest.raises(BeyondLimitError):
        ext4_pair.read(loaded(content), loaded(content), lambda *_: True, Budget(Limits(members=2 * count - 1)))
    for metadata in range(0, 150_000, 15_000):
        check(content, content, Limits(metadata=metadata))
    check(content, content, Limits(path=30))


def test_a_map_that_names_too_many_blocks_is_skipped_wherever_it_is(source: Path, tmp_path: Path) -> None:
    image = extended.make(tmp_path / "image", *SHAPES["ext4 of 1 KiB"], source=source, size=6 * MIB)
    before = image.read_bytes()
    entries = ext4.read(loaded(before), Budget(Limits())).entries
    files = [entry.inode for entry in entries if entry.size and entry.kind is Kind.FILE]
    assert len(files) > 5
    for inode in files:
        # The length of the first extent; the file system has far fewer blocks.
        after = changed(image, tmp_path, f"set_inode_field <{inode}> block[4] 32768")
        check(before, after)
        check(after, before)
        check(after, after)
