"""Archives made by ar and dpkg-deb, against what they list and take out again."""

import re
from pathlib import Path

import pytest
from bench import run
from specimens import SMALL, budget, content, cuts, entries, facts, flips, loaded, make_sense, survives
from truths import cmp

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.archives import ar
from ci_toolkit.images.entry import Kind
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits

LONG = "a name far too long for the header.txt"
FILES = {"short": b"12345", "empty": b"", LONG: b"content\n" * 100, "größe": b"x", "other name of some length": b"\n"}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    for name, written in FILES.items():
        (tmp_path / name).write_bytes(written)
    (tmp_path / "short").chmod(0o750)
    run("ar", "rcU", "made.a", *FILES, cwd=tmp_path)
    return tmp_path / "made.a"


def test_members_are_those_that_ar_lists_and_prints(made: Path) -> None:
    found = ar.read(loaded(made.read_bytes()), budget())
    make_sense(found)
    printed = run("ar", "tv", made, environment={"TZ": "UTC"}).decode()
    rows = re.findall(r"^(\S+) (\d+)/(\d+) +(\d+) \w+ +\d+ [\d:]+ \d+ (.*)$", printed, re.MULTILINE)
    assert [(e.path, e.uid, e.gid, e.size) for e in found.entries] == [
        (name, int(uid), int(gid), int(size)) for _, uid, gid, size, name in rows
    ]
    assert [row[0] for row in rows if row[4] == "short"] == ["rwxr-x---"]
    assert entries(found)["short"].mode == 0o750
    for name, entry in entries(found).items():
        assert entry.kind is Kind.FILE
        assert content(entry) == FILES[name] == run("ar", "p", made, name)
        assert entry.mtime_ns == int((made.parent / name).stat().st_mtime) * 10**9


def test_a_library_has_a_table_of_symbols_with_its_time(tmp_path: Path) -> None:
    run("as", "-o", tmp_path / "a.o", "-", stdin=b".globl word\nword: ret\n")
    run("ar", "rcsU", "a.a", "a.o", cwd=tmp_path)
    whole = (tmp_path / "a.a").read_bytes()
    found = ar.read(loaded(whole), budget())
    (region,) = [region for region in found.regions if region.name == "symbol table"]
    assert b"word\0" in region.data.read_at(0, region.data.size)
    (fact,) = found.facts
    ((offset, length),) = fact.places
    assert fact.value == int(whole[offset : offset + length])
    assert abs(int((tmp_path / "a.a").stat().st_mtime) - int(str(fact.value))) < 100


def package(directory: Path, compression: str, hostname: str) -> Path:
    tree = directory / hostname
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: test\nVersion: 1\nArchitecture: all\nMaintainer: A <a@b.example>\nDescription: none\n"
    )
    (tree / "etc").mkdir()
    (tree / "etc/hostname").write_text(hostname)
    built = directory / f"{hostname}.deb"
    run(
        "dpkg-deb", "--root-owner-group", f"-Z{compression}", "--build", tree, built,
        environment={"SOURCE_DATE_EPOCH": "1700000000"},
    )  # fmt: skip
    return built


@pytest.mark.parametrize("compression", ["none", "gzip", "xz", "zstd"])
def test_two_packages_differ_in_what_their_trees_do(tmp_path: Path, compression: str) -> None:
    try:
        one, other = package(tmp_path, compression, "one"), package(tmp_path, compression, "two")
    except AssertionError:
        pytest.skip(f"dpkg-deb does not know {compression}")
    compared = compare(one, other)
    assert compared.skipped == ()
    assert "./etc/hostname" in run("dpkg-deb", "-c", one).decode()
    suffix = {"none": "", "gzip": ".gz", "xz": ".xz", "zstd": ".zst"}[compression]
    (changed,) = [d for d in compared.differences if d.field is Field.CONTENT and not d.opened]
    assert changed.path == (f"data.tar{suffix}", "./etc/hostname")
    assert (compared.differing_bytes, compared.first_offset) == cmp(one, other)
    assert sum(d.bytes for d in compared.differences) == compared.differing_bytes


def test_names_of_bsd_stand_before_the_content() -> None:
    raw = b"!<arch>\n" + b"#1/20".ljust(16) + b"7".ljust(12) + b"1".ljust(6) + b"2".ljust(6) + b"100644  "
    raw += b"25".ljust(10) + b"`\n" + b"a name with blanks\0\0" + b"12345" + b"\n"
    found = ar.read(loaded(raw), budget())
    (entry,) = found.entries
    assert (entry.path, entry.uid, entry.gid, content(entry)) == ("a name with blanks", 1, 2, b"12345")


def test_a_cut_archive_is_refused_with_the_reason(made: Path) -> None:
    whole = made.read_bytes()
    bounds = {8} | {entry.data.runs[-1].offset for entry in ar.read(loaded(whole), budget()).entries if not entry.size
                    and entry.data is not None and entry.data.runs}  # fmt: skip
    refused = 0
    for cut in cuts(whole, 40):
        if ar.recognise(loaded(cut)) and len(cut) not in bounds:
            try:
                ar.read(loaded(cut), budget())
            except UnreadableError as error:
                assert "cut" in error.message
                refused += 1
    assert refused > 30


def test_damage_is_read_or_refused(made: Path) -> None:
    whole = made.read_bytes()
    records = tuple(entry.record for entry in ar.read(loaded(whole), budget()).entries if entry.record)
    chance = sum(survives(ar.read, ar.recognise, damaged) for damaged in flips(whole, 300, within=records))
    assert 0 < chance < 300
    for damaged in flips(whole, 100):
        survives(ar.read, ar.recognise, damaged)


def header(name: bytes, size: bytes) -> bytes:
    return name.ljust(16) + b"0".ljust(12) + b"0".ljust(6) * 2 + b"644".ljust(8) + size.ljust(10) + b"`\n"


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (header(b"a/", b"-1"), "no number"),
        (header(b"a/", b"+1"), "no number"),
        (header(b"a/", b"9999999999"), "cut"),
        (header(b"", b"0"), "no name"),
        (header(b"a\0b", b"0"), "no name"),
        (header(b"/99", b"0"), "no name"),
        (header(b"#1/99", b"4") + b"abcd", "name of 99 bytes"),
        (header(b"a/", b"0")[:-2] + b"..", "no ar header at byte 8"),
    ],
)
def test_senseless_members_are_refused(archive: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        ar.read(loaded(b"!<arch>\n" + archive), budget())


def test_more_members_than_allowed_are_refused() -> None:
    archive = b"!<arch>\n" + header(b"a/", b"0") * 300
    assert len(ar.read(loaded(archive), Budget(SMALL)).entries) == 300
    with pytest.raises(BeyondLimitError, match="more than 299 entries"):
        ar.read(loaded(archive), Budget(Limits(members=299)))


def test_a_thin_archive_holds_nothing_and_is_none(made: Path) -> None:
    run("ar", "rcT", "thin.a", "short", cwd=made.parent)
    assert not ar.recognise(loaded((made.parent / "thin.a").read_bytes()))
    assert facts(ar.read(loaded(b"!<arch>\n"), budget())) == {}
