"""Structures of f2fs that no program writes without a kernel: put into an image by hand, after its documentation."""

import re
import struct
from pathlib import Path

import flashed
import pytest
from bench import run
from specimens import budget, content, entries, loaded, make_sense

from ci_toolkit.images.entry import Container, Entry, Kind
from ci_toolkit.images.filesystems import f2fs

pytestmark = pytest.mark.slow

BLOCK = flashed.BLOCK


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flashed.tree(tmp_path_factory.mktemp("source") / "tree")


@pytest.fixture(scope="module")
def plain(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flashed.make(tmp_path_factory.mktemp("plain") / "image", "-O", flashed.ALL, source=source)


def read(patch: flashed.Patch) -> Container:
    container = f2fs.read(loaded(bytes(patch.raw)), budget())
    make_sense(container)
    return container


def entry_of(patch: flashed.Patch, path: str) -> Entry:
    container = read(patch)
    assert container.skipped == ()
    return entries(container)[path]


def attribute(prefix: int, name: bytes, value: bytes) -> bytes:
    raw = struct.pack("<BBH", prefix, len(name), len(value)) + name + value
    return raw.ljust(-(-len(raw) // 4) * 4, b"\0")


def test_extended_attributes_go_on_in_a_node(plain: Path, tmp_path: Path) -> None:
    """sload.f2fs writes labels only; dump.f2fs says whether these are where they belong."""
    patch = flashed.Patch(plain)
    wanted = {"user.short": b"v", "security.large": bytes(range(1, 251)) * 8, "trusted.empty": b"", "user.z": b"zz"}
    prefixes = {"user": 1, "trusted": 4, "security": 6}
    raw = struct.pack("<II16x", 0xF2F52011, 1) + b"".join(
        attribute(prefixes[name.partition(".")[0]], name.partition(".")[2].encode(), value)
        for name, value in wanted.items()
    )
    place = patch.place("big")
    # The first node of further blocks is made the one of attributes, and the file gets a hole.
    number = patch.get(place + 4052)
    node = patch.node(number)
    patch.put(place + 4052, "<I", 0)
    patch.put(place + 76, "<I", number)
    patch.raw[place + 4052 - 200 : place + 4052] = raw[:200]
    patch.raw[node : node + 4072] = raw[200:].ljust(4072, b"\0")
    patch.put(node + 4080, "<I", 0x1FFFFFFF << 3)
    entry = entry_of(patch, "big")
    assert dict(entry.xattrs) == wanted
    changed = tmp_path / "image"
    changed.write_bytes(patch.raw)
    told = flashed.attributes(changed, entry.inode or 0)
    assert sorted(told) == sorted(
        (prefixes[n.partition(".")[0]], n.partition(".")[2], len(v)) for n, v in wanted.items()
    )
    assert "attribute blocks" in {region.name for region in read(patch).regions}
    data = entry.data
    assert data is not None
    assert data.hole_until(900 * BLOCK) > 1000 * BLOCK


def test_the_greatest_depth_of_nodes(plain: Path) -> None:
    patch = flashed.Patch(plain)
    place = patch.place("huge")
    first, _, indirect = (patch.get(place + 4052 + 4 * index) for index in range(3))
    below = patch.get(patch.node(indirect))
    block = patch.get(patch.node(below))
    # The first node becomes the root, and the one that was indirect its only child.
    patch.raw[patch.node(first) : patch.node(first) + 4072] = indirect.to_bytes(4, "little").ljust(4072, b"\0")
    patch.put(place + 4052, "<5I", 0, 0, 0, 0, first)
    patch.put(place + 16, "<Q", 1 << 40)
    data = entry_of(patch, "huge").data
    assert data is not None
    start = (923 - 9 - 50 + 2 * 1018 + 2 * 1018**2) * BLOCK
    last = [run for run in data.runs if run.offset is not None][-1]
    assert (last.start, last.offset) == (start, block * BLOCK)


# What packs, the number of the method, and where in its output the packed bytes begin and end.
PACKERS: dict[str, tuple[tuple[str, ...], int, int, int | None]] = {
    # Magic, flags, the greatest size of a block, a checksum, the size of this one; the mark of the end.
    "lz4": (("lz4", "-c", "--no-frame-crc", "-"), 1, 11, -4),
    "zstd": (("zstd", "-c", "--no-check"), 2, 0, None),
}


def compressed(patch: flashed.Patch, method: str, clusters: int) -> bytes:
    """Pack the first clusters of the file "big", four blocks each, in their places; return what they hold."""
    packer, number, begin, end = PACKERS[method]
    place = patch.place("big")
    patch.put(place + 80, "<I", 0x4)
    patch.put(place + 392, "<2B", number, 2)
    held = b""
    for cluster in range(clusters):
        text = b"".join(b"%04d" % (count % (7 + cluster)) for count in range(4096))
        held += text
        packed = run(*packer, stdin=text)[begin:end]
        first = patch.get(place + 396 + 16 * cluster)
        patch.put(place + 396 + 16 * cluster, "<4I", 0xFFFFFFFE, first, 0xFFFFFFFF, 0)
        start = first * BLOCK
        patch.raw[start : start + BLOCK] = (struct.pack("<I20x", len(packed)) + packed).ljust(BLOCK, b"\0")
    return held


@pytest.mark.parametrize("method", PACKERS)
def test_compressed_clusters_are_unpacked(plain: Path, source: Path, method: str) -> None:
    """The f2fs-tools of Debian pack nothing: what the method's own program packed is put in place."""
    patch = flashed.Patch(plain)
    whole = compressed(patch, method, 3)
    entry = entry_of(patch, "big")
    assert content(entry) == whole + (source / "big").read_bytes()[len(whole) :]


@pytest.mark.parametrize(
    ("offset", "form", "value", "reason"),
    [
        (392, "<B", 3, "method 3, which is not read"),
        (400, "<2I", (9000, 9002), "several places"),
        (400, "<I", 0, "a compressed cluster is damaged"),
        (393, "<B", 9, "is damaged"),
    ],
)
def test_clusters_that_are_not_read_are_skipped_with_the_reason(
    plain: Path, offset: int, form: str, value: int | tuple[int, int], reason: str
) -> None:
    patch = flashed.Patch(plain)
    compressed(patch, "lz4", 1)
    patch.put(patch.place("big") + offset, form, *(value if isinstance(value, tuple) else (value,)))
    ((path, told),) = read(patch).skipped
    assert path == "big"
    assert reason in told


def test_devices_in_both_forms(plain: Path) -> None:
    patch = flashed.Patch(plain)
    for path, mode, words in (("empty", 0o20620, (0x0440, 0)), ("etc/hostname", 0o60660, (0, 250 << 8 | 44 | 1 << 20))):
        place = patch.place(path)
        patch.put(place, "<H", mode)
        patch.put(place + 3, "<B", 0x21)
        patch.put(place + 396, "<2I", *words)
    there = entries(read(patch))
    assert (there["empty"].kind, there["empty"].device) == (Kind.CHARACTER, (4, 64))
    assert (there["etc/hostname"].kind, there["etc/hostname"].device) == (Kind.BLOCK, (250, 300))


def test_times_before_1970_and_with_nanoseconds(plain: Path) -> None:
    patch = flashed.Patch(plain)
    patch.put(patch.place("exact") + 48, "<q", -2_000_000_000)
    patch.put(patch.place("exact") + 64, "<I", 123)
    assert entry_of(patch, "exact").mtime_ns == -2_000_000_000 * 10**9 + 123


def test_blocks_that_were_reserved_are_holes(plain: Path) -> None:
    patch = flashed.Patch(plain)
    patch.put(patch.place("exact") + 396, "<I", 0xFFFFFFFF)
    assert content(entry_of(patch, "exact")) == bytes(4096) + b"e" * 4096


def test_names_inside_an_inode(plain: Path, tmp_path: Path) -> None:
    """No program writes them without a kernel; fsck.f2fs says whether all inodes are reached through these."""
    patch = flashed.Patch(plain)
    place, block = patch.place("etc"), patch.only_block("etc")
    room = 4 * (923 - 9 - 50 - 1)
    count = room * 8 // (19 * 8 + 1)
    inside = bytearray(room)
    inside[:5] = patch.raw[block : block + 5]
    names = room - 8 * count
    entries_start = names - 11 * count
    inside[entries_start : entries_start + 11 * 40] = patch.raw[block + 30 : block + 30 + 11 * 40]
    inside[names : names + 8 * 40] = patch.raw[block + 30 + 11 * 214 : block + 30 + 11 * 214 + 8 * 40]
    patch.raw[place + 400 : place + 400 + room] = inside
    patch.put(place + 396, "<I", 0)
    patch.put(place + 3, "<B", patch.get(place + 3, "<B") | 4)
    there = entries(read(patch))
    assert {"etc/hostname", "etc/deep"} <= set(there)
    assert set(there) == set(entries(patch.container))
    (tmp_path / "image").write_bytes(patch.raw)
    assert re.search(r"Unreachable nat entries +\[Ok", flashed.checked(tmp_path / "image"))
