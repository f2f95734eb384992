"""Archives made by GNU tar, against what it lists and takes out of them again."""

import os
import re
from pathlib import Path

import archived
import pytest
from bench import run
from disks import ext4, gpt
from specimens import SMALL, budget, content, cuts, entries, facts, flips, loaded, make_sense, opened, spans, survives
from virtual import converted

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import directory
from ci_toolkit.images.archives import tar
from ci_toolkit.images.entry import Container, Entry, Kind
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits

FORMS = {
    "gnu": ("--format=gnu",),
    "old gnu": ("--format=oldgnu",),
    "pax": ("--format=pax",),
    "ustar": ("--format=ustar", "--exclude=" + "L" * 200, "--exclude=" + "d" * 150, "--exclude=long link"),
    "gnu, sparse": ("--format=gnu", "--sparse", "--hole-detection=raw"),
    "pax, sparse 0.0": ("--format=pax", "--sparse", "--hole-detection=raw", "--sparse-version=0.0"),
    "pax, sparse 0.1": ("--format=pax", "--sparse", "--hole-detection=raw", "--sparse-version=0.1"),
    "pax, sparse 1.0": ("--format=pax", "--sparse", "--hole-detection=raw", "--sparse-version=1.0"),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archived.tree(tmp_path_factory.mktemp("source") / "tree")


def packed(archive: Path, source: Path, *options: str) -> Path:
    run("tar", "--create", "--file", archive, "--directory", source, "--sort=name", *options, ".")
    return archive


@pytest.fixture(scope="module", params=FORMS)
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    return packed(tmp_path_factory.mktemp("tar") / "archive", source, *FORMS[request.param])


@pytest.fixture(scope="module")
def found(archive: Path) -> Container:
    assert tar.recognise(opened(archive))
    container = tar.read(opened(archive), budget())
    make_sense(container)
    return container


def tidy(path: str) -> str:
    return "" if path == "." else path.removeprefix("./")


def test_what_is_in_it_is_what_tar_takes_out(tmp_path: Path, archive: Path, found: Container) -> None:
    run("tar", "--extract", "--preserve-permissions", "--file", archive, "--directory", tmp_path)
    expected = entries(directory.read(tmp_path, budget()))
    there = {tidy(path): entry for path, entry in entries(found).items()}
    assert set(there) == set(expected)
    for path, entry in there.items():
        other = expected[path]
        assert (entry.kind, entry.mode, entry.target, entry.size) == (other.kind, other.mode, other.target, other.size)
        # Of a link, tar does not restore the time again.
        if facts(entry)["hard_link"] is None:
            assert entry.mtime_ns == other.mtime_ns
        if entry.kind is Kind.FILE:
            assert content(entry) == (tmp_path / path).read_bytes()


def test_owners_and_times_are_what_tar_lists(archive: Path, found: Container) -> None:
    printed = run(
        "tar", "--list", "--verbose", "--numeric-owner", "--full-time", "--quoting-style=escape", "--file", archive,
        environment={"TZ": "UTC"},
    ).decode()  # fmt: skip
    lines = re.findall(r"^(\S{10}) (\d+)/(\d+) +(\S+) (\S+) (\d\d:\d\d:\d\d)(?:\.(\d+))? ", printed, re.MULTILINE)
    assert len(lines) == len(found.entries)
    for entry, (_, uid, gid, _, _, clock, fraction) in zip(found.entries, lines, strict=True):
        assert (entry.uid, entry.gid, entry.mtime_ns is not None) == (int(uid), int(gid), True)
        seconds, nanoseconds = divmod(entry.mtime_ns or 0, 10**9)
        assert f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}" == clock
        assert nanoseconds == int((fraction or "0").ljust(9, "0"))


def test_links_to_one_inode_have_one_content(found: Container) -> None:
    there = entries(found)
    assert facts(there["./etc/hostname"])["hard_link"] == "./etc/also"
    assert there["./etc/hostname"].data is there["./etc/also"].data
    assert facts(there["./same"])["hard_link"] == "./link"
    assert (there["./same"].kind, there["./same"].target) == (Kind.SYMLINK, "etc/hostname")


def test_records_and_contents_make_up_the_archive(archive: Path, found: Container) -> None:
    rest = bytearray(archive.read_bytes())
    for entry in found.entries:
        assert entry.record is not None
        offset, length = entry.record
        assert length % 512 == 0
        assert rest[offset + 257 : offset + 262] == b"ustar"
        rest[offset : offset + length] = bytes(length)
        for start, size in spans(entry.data) if entry.data else ():
            rest[start : start + size] = bytes(size)
    assert not any(rest)


def test_attributes_are_those_of_the_extended_header(tmp_path: Path) -> None:
    """GNU tar writes any keyword it is told to, on file systems without attributes too."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").touch()
    keywords = "SCHILY.xattr.user.name:=value,SCHILY.xattr.security.selinux:=a_u:a_r:a_t:s0,ctime:=12.000000001"
    archive = packed(tmp_path / "archive", tmp_path / "tree", "--format=pax", f"--pax-option={keywords}")
    listed = run("tar", "--list", "--verbose", "--verbose", "--xattrs", "--file", archive).decode()
    assert "x: 5 user.name" in listed
    entry = entries(tar.read(opened(archive), budget()))["./file"]
    assert dict(entry.xattrs) == {"user.name": b"value", "security.selinux": b"a_u:a_r:a_t:s0"}
    assert dict(entry.times)["ctime"] == 12_000_000_001


def test_device_nodes_have_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    archive = packed(tmp_path / "archive", archived.nodes(tmp_path / "tree"), "--format=ustar")
    there = entries(tar.read(opened(archive), budget()))
    assert (there["./tty"].kind, there["./tty"].device) == (Kind.CHARACTER, (4, 64))
    assert (there["./disk"].kind, there["./disk"].device) == (Kind.BLOCK, (8, 1))
    listed = run("tar", "--list", "--verbose", "--file", archive).decode()
    assert re.search(r"4,64 .*tty", listed) and re.search(r"8,1 .*disk", listed)


def test_numbers_too_large_for_digits(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").touch()
    archive = packed(
        tmp_path / "archive", tmp_path / "tree", "--format=gnu", "--owner=:3000000000", "--group=:4000000000",
        "--mtime=@-12345",
    )  # fmt: skip
    entry = entries(tar.read(opened(archive), budget()))["./file"]
    assert (entry.uid, entry.gid, entry.mtime_ns) == (3_000_000_000, 4_000_000_000, -12_345 * 10**9)


def test_times_before_1970_with_a_fraction(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").touch()
    archive = packed(tmp_path / "archive", tmp_path / "tree", "--format=pax", "--mtime=1969-12-31 23:59:58.25 UTC")
    run("tar", "--extract", "--file", archive, "--directory", tmp_path)
    entry = entries(tar.read(opened(archive), budget()))["./file"]
    assert entry.mtime_ns == (tmp_path / "file").stat().st_mtime_ns == -1_750_000_000


def test_a_cut_archive_is_refused_where_tar_refuses_it(tmp_path: Path, source: Path) -> None:
    whole = packed(tmp_path / "archive", source, "--format=pax", "--exclude=sparse", "--exclude=hole").read_bytes()
    between = [entry.record[0] for entry in tar.read(loaded(whole), budget()).entries if entry.record]
    refused = 0
    for cut in (*cuts(whole, 30), *(whole[:place] for place in between[1:])):
        (tmp_path / "cut").write_bytes(cut)
        try:
            run("tar", "--list", "--file", tmp_path / "cut")
        except AssertionError:
            refused += 1
            assert not survives(tar.read, tar.recognise, cut)
        else:
            # Half a header, which tar passes over, may be refused here.
            assert survives(tar.read, tar.recognise, cut) or len(cut) not in between[1:]
    assert refused > 10


def test_a_damaged_header_is_not_the_end(archive: Path, found: Container) -> None:
    raw = bytearray(archive.read_bytes())
    last = found.entries[-2].record
    assert last is not None
    raw[last[0] + last[1] - 500] ^= 0x20
    with pytest.raises(UnreadableError, match="damaged"):
        tar.read(loaded(bytes(raw)), budget())


@pytest.mark.parametrize("form", ["gnu, sparse", "pax, sparse 1.0", "ustar"])
def test_damage_is_read_or_refused(tmp_path: Path, form: str) -> None:
    (tmp_path / "tree").mkdir()
    for number in range(8):
        (tmp_path / f"tree/{number}{'n' * 11 * number}").write_bytes(b"x" * number + bytes(9000) + b"y")
    (tmp_path / "tree/link").symlink_to("t" * 90)
    whole = packed(tmp_path / "archive", tmp_path / "tree", *FORMS[form]).read_bytes()
    container = tar.read(loaded(whole), budget())
    records = tuple(entry.record for entry in container.entries if entry.record)
    read = sum(survives(tar.read, tar.recognise, mended(one)) for one in flips(whole, 300, within=records))
    assert 0 < read < 300


def mended(raw: bytes) -> bytes:
    """Give every header the checksum that it should have, else no damage comes further than there."""
    changed = bytearray(raw)
    for start in range(0, len(raw), 512):
        if raw[start + 257 : start + 262] == b"ustar":
            changed[start + 148 : start + 156] = b" " * 8
            changed[start + 148 : start + 156] = b"%06o\0 " % sum(changed[start : start + 512])
    return bytes(changed)


def header(name: bytes, size: bytes, kind: bytes = b"0") -> bytes:
    return mended(
        b"".join((name.ljust(100, b"\0"), b"0000644\0" * 3, size.rjust(12, b"0"), b"00000000000\0", b" " * 8, kind))
        .ljust(257, b"\0")
        .__add__(b"ustar\00000")
        .ljust(512, b"\0")
    )


@pytest.mark.parametrize(
    "archive",
    [
        header(b"file", b"-0000000100") + bytes(1024),
        header(b"file", b"\xff" * 12) + bytes(1024),
        header(b"file", b"\x80" + b"\xff" * 11) + bytes(1024),
        header(b"long", b"\x80" + b"\0" * 6 + b"\x01" + b"\0" * 4, b"L") + bytes(1024),
        header(b"pax", b"77777777777", b"x") + bytes(1024),
        header(b"pax", b"00000000000", b"x") * 2000 + bytes(1024),
        header(b"pax", b"20", b"x") + b"12 mtime=inf\n".ljust(512, b"\0") + header(b"file", b"0") + bytes(1024),
        header(b"pax", b"40", b"x") + b"28 GNU.sparse.map=5,-1,2,3\n".ljust(512, b"\0") + header(b"file", b"0"),
        header(b"pax", b"26", b"x") + b"22 GNU.sparse.major=1\n".ljust(512, b"\0") + header(b"file", b"0"),
    ],
    ids=["minus", "all ones", "huge", "huge name", "huge header", "headers", "infinite", "map", "version"],
)
def test_hostile_headers_are_refused_or_harmless(archive: bytes) -> None:
    assert tar.recognise(loaded(archive))
    survives(tar.read, tar.recognise, archive)


def test_more_members_than_allowed_are_refused(tmp_path: Path) -> None:
    archive = b"".join(header(b"%d" % number, b"0") for number in range(300)) + bytes(1024)
    assert len(tar.read(loaded(archive), Budget(SMALL)).entries) == 300
    with pytest.raises(BeyondLimitError, match="more than 299 entries"):
        tar.read(loaded(archive), Budget(Limits(members=299)))


def test_nothing_else_is_taken_for_one() -> None:
    for other in (b"", bytes(512), b"x" * 512, os.urandom(512), b"\x80" * 512, b"ustar" * 200):
        assert not tar.recognise(loaded(other))


def test_names_that_are_not_utf_8_survive(found: Container) -> None:
    there: dict[str, Entry] = entries(found)
    assert os.fsencode("./\udcff\udcfenot UTF-8") in {os.fsencode(path) for path in there}


def test_a_vagrant_box_is_looked_into_down_to_the_disk(tmp_path: Path) -> None:
    """A box is a packed archive of a disk in QEMU's format, with a note on it."""
    boxes = []
    for name in ("one", "two"):
        (tmp_path / name / "etc").mkdir(parents=True)
        (tmp_path / name / "etc/thing").write_text(name)
        os.utime(tmp_path / name / "etc/thing", (archived.EPOCH, archived.EPOCH))
        for place in ("etc", "."):
            os.utime(tmp_path / name / place, (archived.EPOCH, archived.EPOCH))
        box = tmp_path / f"{name}.box.d"
        box.mkdir()
        (box / "metadata.json").write_text('{"provider": "libvirt", "format": "qcow2", "virtual_size": 1}')
        ext4(tmp_path / f"{name}.ext4", tmp_path / name)
        raw = gpt(tmp_path / f"{name}.raw", {"root": tmp_path / f"{name}.ext4"})
        converted(raw, box / "box.img", "qcow2")
        fixed = ("--sort=name", "--mtime=@0", "--owner=0", "--group=0")
        boxes.append(tmp_path / f"{name}.box")
        run("tar", "--create", "--gzip", "--file", boxes[-1], "--directory", box, *fixed, "box.img", "metadata.json")
    compared = compare(*boxes)
    assert compared.skipped == ()
    assert (compared.a.format, compared.b.format) == ("gzip", "gzip")
    assert [d.path for d in compared.differences if d.field is Field.CONTENT and not d.opened] == [
        ("box.img", "1:root", "etc/thing")
    ]
