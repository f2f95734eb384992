"""Extended attributes that debugfs set and lists."""

import re
import struct
from pathlib import Path

import extended
import pytest
from specimens import budget, entries, loaded, opened

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.filesystems import ext4, ext4_xattrs

VALUES = {
    "user.short": b"value",
    "user.empty": b"",
    "security.selinux": b"system_u:object_r:etc_t:s0\0",
    "trusted.bytes": bytes(range(1, 60)),
    "user.long": b"0123456789" * 30,
}


def attributed(image: Path, values: dict[str, bytes], *options: str) -> Path:
    """A file system with one file that carries VALUES."""
    extended.make(image, *options, size=2 << 20)
    file = image.with_suffix(".file")
    file.write_bytes(b"content")
    commands = [f"write {file} file"]
    for number, (name, value) in enumerate(values.items()):
        (place := image.with_suffix(f".{number}")).write_bytes(value)
        commands.append(f"ea_set -f {place} file {name}")
    extended.change(image, *commands)
    assert "Inode: " in extended.ask(image, "stat file")
    return image


def listed(image: Path) -> dict[str, int]:
    """The names and sizes that debugfs lists."""
    return {
        name: int(size)
        for name, size in re.findall(r"^  (\S+) \((\d+)\)", extended.ask(image, "ea_list file"), re.MULTILINE)
    }


def value(image: Path, name: str) -> bytes:
    out = image.with_suffix(".out")
    extended.ask(image, f"ea_get -f {out} file {name}")
    return out.read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        ("-t", "ext4", "-b", "1024"),
        ("-t", "ext4", "-b", "4096", "-I", "1024"),
        ("-t", "ext4", "-b", "1024", "-I", "128"),
        ("-t", "ext2", "-b", "1024", "-I", "128"),
        ("-t", "ext4", "-b", "1024", "-O", "inline_data"),
    ],
)
def test_attributes_inside_the_inode_and_in_a_block(tmp_path: Path, options: tuple[str, ...]) -> None:
    image = attributed(tmp_path / "image", VALUES, *options)
    found = dict(entries(ext4.read(opened(image), budget()))["file"].xattrs)
    assert {name: len(there) for name, there in found.items()} == {
        name: size for name, size in listed(image).items() if name != ext4_xattrs.INLINE_DATA
    }
    assert set(found) == set(VALUES)
    assert all(there == value(image, name) == VALUES[name] for name, there in found.items() if there)


def test_values_too_large_for_a_block_have_an_inode_of_their_own(tmp_path: Path) -> None:
    image = attributed(tmp_path / "image", {"user.huge": b"h" * 4096}, "-t", "ext4", "-b", "4096", "-O", "ea_inode")
    assert listed(image) == {"user.huge": 4096}
    found = dict(entries(ext4.read(opened(image), budget()))["file"].xattrs)
    assert found == {"user.huge": value(image, "user.huge")} == {"user.huge": b"h" * 4096}


def test_the_block_of_the_attributes_is_named_as_one_of_the_maps(tmp_path: Path) -> None:
    image = attributed(tmp_path / "image", VALUES, "-t", "ext2", "-b", "1024", "-I", "128")
    (block,) = re.findall(r"File ACL: (\d+)", extended.ask(image, "stat file"))
    (region,) = [region for region in ext4.read(opened(image), budget()).regions if region.name == "map blocks"]
    assert any(
        run.offset is not None and run.offset <= int(block) * 1024 < run.offset + run.length for run in region.data.runs
    )


def test_an_inode_of_another_value_is_refused(tmp_path: Path) -> None:
    image = attributed(tmp_path / "image", VALUES, "-t", "ext2", "-b", "1024", "-I", "128")
    (block,) = re.findall(r"File ACL: (\d+)", extended.ask(image, "stat file"))
    raw = bytearray(image.read_bytes())
    start = int(block) * 1024
    # The number of the inode that holds the first value, and its size.
    struct.pack_into("<II", raw, start + 32 + 4, 999_999, 5)
    found = ext4.read(loaded(bytes(raw)), budget())
    assert found.skipped == (("file", "inode 999999 does not exist"),)
    struct.pack_into("<II", raw, start + 32 + 4, 2, 1 << 30)
    found = ext4.read(loaded(bytes(raw)), budget())
    assert found.skipped == (("file", f"an extended attribute of {1 << 30} bytes"),)


def test_a_block_without_its_mark_is_refused() -> None:
    with pytest.raises(UnreadableError, match="damaged"):
        ext4_xattrs.in_block(bytes(1024), lambda _inode, _size: b"")


@pytest.mark.parametrize("length", [33, 40, 44])
def test_a_cut_block_is_refused(length: int) -> None:
    block = struct.pack("<I28xBBHIII", 0xEA020000, 1, 1, 0, 0, 0, 0)[:length] + b"\1\1\1"
    with pytest.raises(UnreadableError, match="cut"):
        ext4_xattrs.in_block(block, lambda _inode, _size: b"")


def test_a_value_beyond_the_block_is_refused() -> None:
    block = struct.pack("<I28xBBHIII4x", 0xEA020000, 4, 1, 1000, 0, 100, 0) + b"name"
    with pytest.raises(UnreadableError, match="cut"):
        ext4_xattrs.in_block(block.ljust(1024, b"\0"), lambda _inode, _size: b"")
