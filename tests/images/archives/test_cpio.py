"""Archives made by GNU cpio, alone and several in a row, against what it lists and takes out of them again."""

import os
import re
import struct
from pathlib import Path

import archived
import pytest
from bench import run
from specimens import SMALL, budget, content, cuts, entries, facts, flips, loaded, make_sense, spans, survives

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import directory
from ci_toolkit.images.archives import cpio
from ci_toolkit.images.entry import Container, Kind
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits

FORMS = ("newc", "crc", "odc", "bin", "swapped")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archived.tree(tmp_path_factory.mktemp("source") / "tree")


@pytest.fixture(scope="module", params=FORMS)
def archive(request: pytest.FixtureRequest, source: Path) -> bytes:
    return packed(source, request.param, "--reproducible")


@pytest.fixture(scope="module")
def found(archive: bytes) -> Container:
    assert cpio.recognise(loaded(archive))
    container = cpio.read(loaded(archive), budget())
    make_sense(container)
    return container


def packed(root: Path, form: str, *options: str) -> bytes:
    """An archive of ROOT; "swapped" is the binary form as a machine of the other order of bytes writes it."""
    if form != "swapped":
        return archived.cpio(root, form, *options)
    archive = bytearray(archived.cpio(root, "bin", *options))
    position = 0
    while archive[position : position + 2] == b"\xc7\x71":
        words = struct.unpack_from("<13H", archive, position)
        struct.pack_into(">13H", archive, position, *words)
        position += 26 + words[10] + words[10] % 2 + (words[11] << 16 | words[12] + words[12] % 2)
    return bytes(archive)


def extracted(archive: bytes, root: Path) -> Path:
    root.mkdir(exist_ok=True)
    run("cpio", "--quiet", "--extract", "--preserve-modification-time", "--make-directories", "--unconditional",
        stdin=archive, cwd=root)  # fmt: skip
    return root


def test_what_is_in_it_is_what_cpio_takes_out(tmp_path: Path, archive: bytes, found: Container) -> None:
    expected = entries(directory.read(extracted(archive, tmp_path / "out"), budget()))
    there = entries(found)
    assert set(there) == set(expected) - {""}
    for path, entry in there.items():
        other = expected[path]
        assert (entry.kind, entry.mode, entry.target) == (other.kind, other.mode, other.target)
        if entry.kind is Kind.FILE:
            assert content(entry) == (tmp_path / "out" / path).read_bytes()
            assert entry.mtime_ns == other.mtime_ns


def test_owners_and_links_are_what_cpio_lists(archive: bytes, found: Container) -> None:
    printed = run("cpio", "--quiet", "--list", "--verbose", "--numeric-uid-gid", stdin=archive)
    lines = re.findall(rb"^(\S{10}) +(\d+) (\d+) +(\d+) +(\d+)", printed, re.MULTILINE)
    assert len(lines) == len(found.entries)
    for entry, (_, links, uid, gid, _) in zip(found.entries, lines, strict=True):
        assert (entry.uid, entry.gid) == (int(uid), int(gid))
        if entry.kind is Kind.FILE:
            assert facts(entry).get("link_count", 1) == int(links)


def test_names_that_are_not_utf_8_survive(found: Container) -> None:
    assert b"\xff\xfenot UTF-8" in {os.fsencode(entry.path) for entry in found.entries}


def test_hard_links_have_one_content(found: Container) -> None:
    there = entries(found)
    assert content(there["etc/hostname"]) == content(there["etc/also"]) == b"host\n"
    assert there["etc/hostname"].inode == there["etc/also"].inode


def test_linked_links_have_their_target(found: Container) -> None:
    assert entries(found)["same"].target == entries(found)["link"].target == "etc/hostname"


def test_records_and_contents_make_up_the_archive(archive: bytes, found: Container) -> None:
    rest = bytearray(archive)
    for entry in found.entries:
        assert entry.record is not None
        offset, length = entry.record
        assert rest[offset : offset + 5] == b"07070" or bytes(rest[offset : offset + 2]) in (b"\xc7\x71", b"\x71\xc7")
        assert os.fsencode(entry.path) + b"\0" in rest[offset : offset + length]
        rest[offset : offset + length] = bytes(length)
        for start, size in spans(entry.data) if entry.data else ():
            rest[start : start + size] = bytes(size)
        if entry.target is not None:
            end = offset + length
            rest[end : end + len(entry.target)] = bytes(len(entry.target))
    # What is left is the trailer.
    assert len(rest.strip(b"\0")) < 130
    assert b"TRAILER!!!" in rest


def test_device_nodes_have_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    archived.nodes(tmp_path / "tree")
    for form in FORMS:
        archive = packed(tmp_path / "tree", form)
        there = entries(cpio.read(loaded(archive), budget()))
        assert (there["tty"].kind, there["tty"].device) == (Kind.CHARACTER, (4, 64))
        assert (there["disk"].kind, there["disk"].device) == (Kind.BLOCK, (8, 1))
        listed = run("cpio", "--quiet", "--list", "--verbose", stdin=archive).decode()
        assert re.search(r"4, +64 .*tty", listed) and re.search(r"8, +1 .*disk", listed)


def test_archives_in_a_row_are_one(tmp_path: Path) -> None:
    """As in an initrd with microcode in front; each has its own count of inodes, and its own padding."""
    parts = []
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.a").write_text(f"content of {name}")
        (tmp_path / name / f"{name}.b").hardlink_to(tmp_path / name / f"{name}.a")
        parts.append(archived.cpio(tmp_path / name, "newc", "--reproducible"))
        extracted(parts[-1], tmp_path / "out")
    padded = parts[0] + bytes(1536) + parts[1] + parts[2]
    found = cpio.read(loaded(padded), budget())
    make_sense(found)
    assert {entry.inode for entry in found.entries if entry.path.startswith("one")} & {
        entry.inode for entry in found.entries if entry.path.startswith("two")
    }
    assert {path: content(entry) for path, entry in entries(found).items()} == {
        path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()
    }


@pytest.mark.parametrize("program", ["zstd", "gzip", "xz"])
def test_what_follows_the_last_archive_is_a_stream(archive: bytes, program: str) -> None:
    packed = run(program, "-c", stdin=archive)
    found = cpio.read(loaded(archive + packed), budget())
    assert (found.entries[-1].path, found.entries[-1].kind) == ("", Kind.STREAM)
    assert content(found.entries[-1]) == packed


def test_a_cut_archive_is_refused_with_the_reason(archive: bytes) -> None:
    # cpio fills up its last block with zeros.
    whole = archive.rstrip(b"\0")
    for cut in cuts(whole, 40):
        if cpio.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                cpio.read(loaded(cut), budget())
    assert survives(cpio.read, cpio.recognise, archive)


@pytest.mark.parametrize("form", FORMS)
def test_damage_is_read_or_refused(tmp_path: Path, form: str) -> None:
    (tmp_path / "tree").mkdir()
    for number in range(8):
        (tmp_path / f"tree/{number}{'n' * 20 * number}").write_bytes(b"x" * number)
    (tmp_path / "tree/link").symlink_to("t" * 90)
    whole = packed(tmp_path / "tree", form)
    records = tuple(entry.record for entry in cpio.read(loaded(whole), budget()).entries if entry.record)
    digits = b"0123456789abcdef-+_ "
    chance = 0
    for number, one in enumerate(flips(whole, 300, within=records)):
        # Most damage is no digit, and goes no further than that: some must be.
        changed = bytes(new if new == old else digits[new % len(digits)] for new, old in zip(one, whole, strict=True))
        chance += survives(cpio.read, cpio.recognise, changed if number % 3 else one)
    assert 0 < chance < 300


def header(name: bytes, *, mode: int = 0o100644, links: int = 1, size: bytes = b"00000000", ino: int = 1) -> bytes:
    fields = [b"%08x" % ino, b"%08x" % mode, b"00000000", b"00000000", b"%08x" % links, b"00000000", size]
    fields += [b"00000000"] * 4 + [b"%08x" % (len(name) + 1), b"00000000"]
    raw = b"070701" + b"".join(fields) + name + b"\0"
    return raw + bytes(-len(raw) % 4)


TRAILER = header(b"TRAILER!!!")


@pytest.mark.parametrize("size", [b"-0000078", b"+0000001", b"       1", b"1_000_00", b"0000000g", b"\xff" * 8])
def test_a_size_that_is_no_number_is_refused(size: bytes) -> None:
    with pytest.raises(UnreadableError, match="header at byte 0 is damaged"):
        cpio.read(loaded(header(b"file", size=size) + b"contents" + TRAILER), budget())


def test_a_number_with_a_sign_is_refused_in_the_old_form() -> None:
    member = (
        b"070707" + b"000001" * 2 + b"100644" + b"000000" * 4 + b"00000000000" + b"000005" + b"-0000000100" + b"file\0"
    )
    with pytest.raises(UnreadableError, match="header at byte 0 is damaged"):
        cpio.read(loaded(member + bytes(100)), budget())


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (header(b"file", mode=0) + TRAILER, "has no type"),
        (header(b"file", size=b"ffffffff") + TRAILER, "ends after byte"),
        (header(b"link", mode=0o120777, size=b"00020000") + bytes(0x20000) + TRAILER, "symbolic link of 131072 bytes"),
        (header(b"file") + b"XXXX" * 40, "no cpio header at byte 116"),
    ],
)
def test_senseless_members_are_refused(archive: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        cpio.read(loaded(archive), budget())


def test_many_links_to_one_long_target_do_not_multiply_it() -> None:
    """Only regular files are written once for all their links."""
    carrier = header(b"link", mode=0o120777, links=2, size=b"00001000") + b"t" * 0x1000
    others = b"".join(header(b"%d" % number, mode=0o120777, links=2) for number in range(100))
    found = cpio.read(loaded(carrier + others + TRAILER), Budget(Limits(metadata=65536)))
    assert sum(len(entry.target or "") for entry in found.entries) == 0x1000


def test_more_members_than_allowed_are_refused() -> None:
    archive = b"".join(header(b"%d" % number) for number in range(300)) + TRAILER
    assert len(cpio.read(loaded(archive), Budget(SMALL)).entries) == 300
    with pytest.raises(BeyondLimitError, match="more than 299 entries"):
        cpio.read(loaded(archive), Budget(Limits(members=299)))
    with pytest.raises(BeyondLimitError, match="more than 299 entries"):
        cpio.read(loaded(TRAILER * 300), Budget(Limits(members=299)))


def test_nothing_else_is_taken_for_one() -> None:
    for other in (b"", b"0707", b"070703" + bytes(200), bytes(512)):
        assert not cpio.recognise(loaded(other))
