"""Archives made by zip and Python's zipfile, against what unzip and zipinfo say of them."""

import io
import os
import re
import zipfile
from datetime import datetime
from pathlib import Path

import archived
import pytest
from bench import run
from specimens import SMALL, budget, content, cuts, entries, facts, flips, loaded, make_sense, opened, survives
from truths import cmp

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import directory
from ci_toolkit.images.archives import zip_archive as reader
from ci_toolkit.images.data import Memory
from ci_toolkit.images.entry import Container, Kind
from ci_toolkit.images.limits import MIB, BeyondLimitError, Budget, Limits

TEXT = b"".join(b"line %d of a text that is easily made smaller\n" % number for number in range(2000))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = archived.tree(tmp_path_factory.mktemp("source") / "tree")
    (root / "pipe").unlink()
    (root / "text").write_bytes(TEXT)
    # zip(1) takes names of the locale only.
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfenot UTF-8")).unlink()
    return root


@pytest.fixture(scope="module", params=["deflate", "store", "bzip2"])
def made(request: pytest.FixtureRequest, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = tmp_path_factory.mktemp("made") / "made.zip"
    run("zip", "-q", "-r", "-y", "-Z", request.param, archive, ".", cwd=source, environment={"TZ": "UTC"})
    return archive


@pytest.fixture(scope="module")
def found(made: Path) -> Container:
    data = loaded(made.read_bytes())
    assert reader.recognise(data)
    container = reader.read(data, budget())
    make_sense(container)
    return container


def test_what_is_in_it_is_what_unzip_takes_out(tmp_path: Path, made: Path, found: Container) -> None:
    run("unzip", "-q", "-o", "-K", "-X", made, "-d", tmp_path, environment={"TZ": "UTC"})
    expected = entries(directory.read(tmp_path, budget()))
    there = {path.rstrip("/"): entry for path, entry in entries(found).items()}
    assert set(there) == set(expected) - {""}
    for path, entry in there.items():
        other = expected[path]
        assert (entry.kind, entry.target) == (other.kind, other.target)
        assert (entry.uid, entry.gid) == (os.getuid(), os.getgid()) == (other.uid, other.gid)
        if entry.kind is Kind.FILE:
            assert content(entry) == (tmp_path / path).read_bytes()
            assert (entry.mode, entry.mtime_ns) == (other.mode, other.mtime_ns)


def test_headers_are_what_zipinfo_says(made: Path, found: Container) -> None:
    printed = run("zipinfo", "-v", made, environment={"TZ": "UTC"}).decode(errors="replace")
    methods = re.findall(r"^  compression method: +(.*)$", printed, re.MULTILINE)
    names = {0: "none (stored)", 8: "deflated", 12: "bzipped"}
    assert [names[int(str(facts(entry)["method"]))] for entry in found.entries] == methods
    dates = re.findall(r"^  file last modified on \(DOS date/time\): +(.*)$", printed, re.MULTILINE)
    assert [dict(entry.times)["dos_time"] for entry in found.entries] == [
        int(datetime.strptime(f"{date} +0000", "%Y %b %d %H:%M:%S %z").timestamp()) * 10**9 for date in dates
    ]
    versions = re.findall(r"^  version of encoding software: +(\d)\.(\d)$", printed, re.MULTILINE)
    assert [facts(entry)["made_by"] for entry in found.entries] == [int(a + b) for a, b in versions]


def test_every_byte_has_an_owner(made: Path, found: Container) -> None:
    rest = bytearray(b"\1" * made.stat().st_size)
    datas = [entry.data for entry in found.entries if entry.data and isinstance(entry.data.root, Memory)]
    for data in (*datas, *(region.data for region in found.regions)):
        for run_ in data.runs:
            assert run_.offset is not None
            rest[run_.offset : run_.offset + run_.length] = bytes(run_.length)
    targets = sum(len(entry.target or "") for entry in found.entries)
    assert rest.count(1) == targets


def test_archives_of_python_and_with_wide_fields_are_read(tmp_path: Path) -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.comment = b"a comment"
        archive.writestr("größe", b"text")
        with archive.open("wide", "w", force_zip64=True) as stream:
            stream.write(b"wide")
    found = reader.read(loaded(raw.getvalue()), budget())
    assert {path: content(entry) for path, entry in entries(found).items()} == {"größe": b"text", "wide": b"wide"}
    assert facts(found) == {"comment": b"a comment"}
    piped = run("zip", "-q", "-fz", "-", "-", stdin=TEXT)
    (entry,) = reader.read(loaded(piped), budget()).entries
    assert (entry.path, entry.kind, content(entry)) == ("-", Kind.FILE, TEXT)
    (tmp_path / "wide.zip").write_bytes(raw.getvalue())
    assert "wide" in run("zipinfo", "-1", tmp_path / "wide.zip").decode().splitlines()


def test_a_zipapp_is_one_too(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/__main__.py").write_text("print(1)\n")
    run("python3", "-m", "zipapp", "-p", "/usr/bin/env python3", "-o", tmp_path / "app.pyz", tmp_path / "app")
    data = loaded((tmp_path / "app.pyz").read_bytes())
    assert reader.recognise(data)
    found = reader.read(data, budget())
    assert content(entries(found)["__main__.py"]) == b"print(1)\n"
    (script,) = [region for region in found.regions if region.name == "script before the archive"]
    assert script.data.read_at(0, 100) == b"#!/usr/bin/env python3\n"


def test_a_directory_with_wide_records_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of more members than the short record can count, or of archives beyond 4 GiB."""
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 10)
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for number in range(20):
            archive.writestr(str(number), b"")
    whole = raw.getvalue()
    assert b"PK\6\6" in whole and b"PK\6\7" in whole
    # The short record's own counts are what they are when they do not fit.
    whole = whole[:-14] + b"\xff" * 12 + whole[-2:]
    for before in (b"", b"#!/bin/sh\nexit\n"):
        found = reader.read(loaded(before + whole), budget())
        assert [entry.path for entry in found.entries] == [str(number) for number in range(20)]


@pytest.mark.parametrize("method", ["deflate", "store"])
def test_two_archives_differ_in_what_their_trees_do(tmp_path: Path, method: str) -> None:
    archives = []
    for number in (1, 2):
        tree = tmp_path / str(number)
        (tree / "etc").mkdir(parents=True)
        (tree / "etc/hostname").write_text(f"host {number}\n" * 20)
        (tree / "same").write_bytes(TEXT)
        for name in ("etc/hostname", "same"):
            os.utime(tree / name, (archived.EPOCH, archived.EPOCH + 2 * (number if name == "same" else 0)))
        archives.append(tmp_path / f"{number}.zip")
        run("zip", "-q", "-Z", method, archives[-1], "etc/hostname", "same", cwd=tree, environment={"TZ": "UTC"})
    compared = compare(*archives)
    assert compared.skipped == ()
    found = {(d.path, d.field, d.name) for d in compared.differences if d.field is not Field.REGION and d.path}
    assert found == {
        (("etc/hostname",), Field.CONTENT, None),
        (("same",), Field.MTIME, None),
        (("same",), Field.MTIME, "dos_time"),
    }
    assert (compared.differing_bytes, compared.first_offset) == cmp(*archives)
    assert sum(d.bytes for d in compared.differences) == compared.differing_bytes


def test_encrypted_members_are_compared_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(TEXT)
    run("zip", "-q", "-P", "password", "a.zip", "secret", cwd=tmp_path)
    (entry,) = reader.read(loaded((tmp_path / "a.zip").read_bytes()), budget()).entries
    assert entry.size != len(TEXT) and entry.data is not None and entry.data.size == entry.size


def test_a_cut_archive_is_refused_with_the_reason(made: Path) -> None:
    whole = made.read_bytes()
    for cut in cuts(whole, 20):
        if reader.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match=r"cut|directory"):
                reader.read(loaded(cut), budget())


def test_damage_is_read_or_refused(tmp_path: Path) -> None:
    for name, written in {"a": TEXT[:4000], "b": b"b", "c": b""}.items():
        (tmp_path / name).write_bytes(written)
    run("zip", "-q", "a.zip", "a", "b", "c", cwd=tmp_path)
    whole = (tmp_path / "a.zip").read_bytes()
    directory_at = whole.index(b"PK\1\2")
    areas = ((directory_at, len(whole) - directory_at), (0, 60))
    chance = sum(survives(reader.read, reader.recognise, damaged) for damaged in flips(whole, 300, within=areas))
    assert 0 < chance < 300
    for damaged in flips(whole, 200):
        survives(reader.read, reader.recognise, damaged)


def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path) -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(20 * MIB))
    (entry,) = reader.read(loaded(raw.getvalue()), Budget(Limits(decompressed=8 * MIB))).entries
    assert entry.data is not None
    with pytest.raises(BeyondLimitError, match=f"more than {8 * MIB} bytes"):
        entry.data.read_at(0, 10)


def test_a_member_that_is_not_of_its_size_is_refused() -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("file", TEXT)
    true = len(TEXT).to_bytes(4, "little")
    for size in (len(TEXT) - 1, len(TEXT) + 1, 5, 1 << 31):
        (entry,) = reader.read(loaded(raw.getvalue().replace(true, size.to_bytes(4, "little"))), budget()).entries
        assert entry.data is not None and entry.data.size == size
        with pytest.raises(UnreadableError, match="damaged"):
            entry.data.read_at(0, 10)


def test_two_archives_of_more_members_than_fit_into_sixteen_bits_are_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(66_000):
            archive.writestr(zipfile.ZipInfo(f"{number // 1000}/{number}"), b"")
    limits = Budget(Limits().scaled(2 * (tmp_path / "many.zip").stat().st_size))
    found = [reader.read(opened(tmp_path / "many.zip"), limits) for _ in range(2)]
    names = run("zipinfo", "-1", tmp_path / "many.zip").decode().splitlines()
    assert [entry.path for entry in found[0].entries] == names
    assert found[0].entries[-1].facts == found[1].entries[-1].facts != found[0].entries[0].facts


@pytest.mark.parametrize("size", [100, 100_000])
def test_few_files_are_open_for_many_members(size: int) -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(50):
            archive.writestr(str(number), number.to_bytes(1, "little") * size)
    found = reader.read(loaded(raw.getvalue()), budget())
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert [content(entry) for entry in (*found.entries, *found.entries)] == [
        number.to_bytes(1, "little") * size for number in (*range(50), *range(50))
    ]
    assert len(list(Path("/proc/self/fd").iterdir())) < before + 10
    del found
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_more_members_than_allowed_are_refused() -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for number in range(300):
            archive.writestr(str(number), b"")
    assert len(reader.read(loaded(raw.getvalue()), Budget(SMALL)).entries) == 300
    with pytest.raises(BeyondLimitError, match="more than 299 entries"):
        reader.read(loaded(raw.getvalue()), Budget(Limits(members=299)))
