"""Streams made by gzip, bzip2, xz, zstd and lz4, against what they make of them again."""

import gc
import os
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import archived
import pytest
from bench import run
from specimens import Reader, budget, content, cuts, facts, flips, loaded, make_sense, survives

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.archives import compressed, cpio, lz4
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Kind
from ci_toolkit.images.limits import MIB, BeyondLimitError, Budget, Limits

Recognise = Callable[[Data], bool]

READERS: dict[str, tuple[Recognise, Reader]] = {
    "gzip": (compressed.is_gzip, compressed.read_gzip),
    "bzip2": (compressed.is_bzip2, compressed.read_bzip2),
    "xz": (compressed.is_xz, compressed.read_xz),
    "zstd": (compressed.is_zstd, compressed.read_zstd),
    "lz4": (lz4.recognise, lz4.read),
}
OPTIONS = [
    ("gzip", ("-1",)),
    ("gzip", ("-9",)),
    ("bzip2", ("-1",)),
    ("xz", ("--check=none",)),
    ("xz", ("--check=sha256", "-0", "--block-size=4096", "--threads=2")),
    ("zstd", ("-1",)),
    ("zstd", ("-19", "--check")),
    ("zstd", ("--long=27",)),
    ("zstd", ("-T2", "-B65536")),
    ("lz4", ("-1",)),
    ("lz4", ("-9", "-BD", "-B4", "--content-size")),
]
TEXT = b"".join(b"line %d of a text that is easily made smaller\n" % number for number in range(4000))
NOISE = random.Random(1).randbytes(300_000)


def packed(program: str, payload: bytes, *options: str) -> bytes:
    return run(program, "-c", *options, stdin=payload)


@pytest.mark.parametrize(("program", "options"), OPTIONS)
@pytest.mark.parametrize(
    "payload", [TEXT, NOISE, bytes(3 * MIB + 5), b"x", b""], ids=["text", "noise", "zeros", "x", ""]
)
def test_the_payload_is_what_went_in(program: str, options: tuple[str, ...], payload: bytes) -> None:
    recognise, read = READERS[program]
    stream = packed(program, payload, *options)
    assert recognise(loaded(stream))
    found = read(loaded(stream), budget())
    make_sense(found)
    (entry,) = found.entries
    assert (entry.path, entry.kind) == ("", Kind.STREAM)
    assert content(entry) == payload


@pytest.mark.parametrize("program", READERS)
def test_several_streams_in_a_row_are_one(tmp_path: Path, program: str) -> None:
    parts = [TEXT, b"", NOISE, b"end"]
    stream = b"".join(packed(program, part) for part in parts)
    (entry,) = READERS[program][1](loaded(stream), budget()).entries
    assert content(entry) == b"".join(parts) == run(program, "-dc", stdin=stream)


@pytest.mark.parametrize("padding", [1, 4, 70_000])
@pytest.mark.parametrize("program", READERS)
def test_zeros_between_streams_are_padding(tmp_path: Path, program: str, padding: int) -> None:
    """As between the parts of an initrd, which begin at multiples of four."""
    archives = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(name)
        archives.append(archived.cpio(tmp_path / name, "newc"))
    stream = bytes(padding).join(packed(program, archive) for archive in archives)
    (entry,) = READERS[program][1](loaded(stream), budget()).entries
    assert content(entry) == b"".join(archives)
    assert entry.data is not None
    assert [member.path for member in cpio.read(entry.data, budget()).entries] == ["one", "two"]


@pytest.mark.parametrize("program", READERS)
def test_zeros_at_the_end_are_nothing(program: str) -> None:
    (entry,) = READERS[program][1](loaded(packed(program, TEXT) + bytes(100_000)), budget()).entries
    assert content(entry) == TEXT


@pytest.mark.parametrize("program", READERS)
def test_what_follows_is_an_entry_of_its_own(program: str) -> None:
    payload, rest = READERS[program][1](loaded(packed(program, TEXT) + b"something else"), budget()).entries
    assert content(payload) == TEXT
    assert content(rest) == b"something else"


def test_skippable_frames_are_skipped() -> None:
    frame = b"\x55\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"12345"
    stream = frame + packed("zstd", TEXT) + frame + packed("zstd", b"end") + frame
    assert run("zstd", "-dc", stdin=stream) == TEXT + b"end"
    (entry,) = compressed.read_zstd(loaded(stream), budget()).entries
    assert content(entry) == TEXT + b"end"


@pytest.mark.parametrize("program", READERS)
def test_a_cut_stream_is_refused_with_the_reason(program: str) -> None:
    recognise, read = READERS[program]
    whole = packed(program, NOISE[:50_000]) + packed(program, TEXT)
    first = len(packed(program, NOISE[:50_000]))
    for cut in cuts(whole, 40):
        if recognise(loaded(cut)) and not first <= len(cut) < first + 10:
            with pytest.raises(UnreadableError, match="cut"):
                read(loaded(cut), budget())


@pytest.mark.parametrize("program", READERS)
def test_damage_is_read_or_refused(program: str) -> None:
    recognise, read = READERS[program]
    whole = packed(program, TEXT[:20_000]) + packed(program, NOISE[:3000])
    for damaged in (*flips(whole, 150), *flips(whole, 100, seed=2, within=((0, 40),))):
        survives(read, recognise, damaged)
    # All these formats have checksums: a change of the content never passes.
    place = len(whole) - 1500
    assert not survives(read, recognise, whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])


@pytest.mark.parametrize("program", READERS)
def test_a_bomb_is_refused_before_it_fills_the_disk(program: str) -> None:
    stream = packed(program, bytes(20 * MIB))
    assert len(stream) < 100_000
    with pytest.raises(BeyondLimitError, match=f"more than {8 * MIB} bytes"):
        READERS[program][1](loaded(stream), Budget(Limits(decompressed=8 * MIB)))


@pytest.mark.parametrize("program", READERS)
def test_streams_without_number_are_refused(program: str) -> None:
    stream = packed(program, b"") * 40
    assert content(READERS[program][1](loaded(stream), budget()).entries[0]) == b""
    with pytest.raises(BeyondLimitError, match="more than 30 parts"):
        READERS[program][1](loaded(stream), Budget(Limits(streams=30)))


@pytest.mark.parametrize(("program", "options"), [("xz", ("-9",)), ("zstd", ("--ultra", "--long=27"))])
def test_a_window_that_needs_too_much_memory_is_refused(program: str, options: tuple[str, ...]) -> None:
    stream = packed(program, NOISE * 4, *options)
    with pytest.raises(UnreadableError):
        READERS[program][1](loaded(stream), Budget(Limits(window=1 * MIB)))


def test_the_facts_of_gzip_are_those_of_its_header(tmp_path: Path) -> None:
    (tmp_path / "größe.txt").write_bytes(TEXT)
    os.utime(tmp_path / "größe.txt", (archived.EPOCH, archived.EPOCH))
    run("gzip", "-9", "-N", "größe.txt", cwd=tmp_path)
    raw = (tmp_path / "größe.txt.gz").read_bytes()
    listed = run("gzip", "-lv", tmp_path / "größe.txt.gz", environment={"TZ": "UTC"}).decode()
    assert f"{zlib.crc32(TEXT):08x}" in listed
    found = compressed.read_gzip(loaded(raw), budget())
    told = facts(found)
    assert (told["mtime"], told["extra_flags"], told["operating_system"]) == (archived.EPOCH, 2, 3)
    assert str(told["name"]).encode("latin-1") == "größe.txt".encode()
    (place,) = next(fact.places for fact in found.facts if fact.name == "name")
    assert raw[place[0] : place[0] + place[1]] == "größe.txt".encode()


@pytest.mark.parametrize(("check", "number"), [("none", 0), ("crc32", 1), ("crc64", 4), ("sha256", 10)])
def test_the_check_of_xz_is_named_by_its_number(check: str, number: int) -> None:
    found = compressed.read_xz(loaded(packed("xz", b"x", f"--check={check}")), budget())
    assert facts(found) == {"check": number}


def test_a_payload_outlives_its_container_and_then_goes() -> None:
    (entry,) = compressed.read_zstd(loaded(packed("zstd", TEXT)), budget()).entries
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert content(entry) == TEXT
    del entry
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) < before


def test_nothing_else_is_taken_for_a_stream() -> None:
    for other in (b"", b"BZh9", b"BZhello world", b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f", bytes(64)):
        assert not any(recognise(loaded(other)) for recognise, _ in READERS.values())


def test_lzma_of_before_xz_is_read() -> None:
    for payload in (TEXT, b"", NOISE[:5000]):
        for level in ("-0", "-6", "-9e"):
            stream = packed("xz", payload, "--format=lzma", level)
            assert compressed.is_lzma(loaded(stream))
            found = compressed.read_lzma(loaded(stream), budget())
            make_sense(found)
            assert content(found.entries[0]) == payload == run("xz", "--format=lzma", "-dc", stdin=stream)
            listed = run("file", "--brief", "-", stdin=stream).decode()
            assert (f"non-streamed, size {len(payload)}" in listed) or facts(found)["stored_size"] is None


def test_a_cut_or_damaged_lzma_is_read_or_refused() -> None:
    whole = packed("xz", TEXT, "--format=lzma")
    for cut in cuts(whole, 40):
        if compressed.is_lzma(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                compressed.read_lzma(loaded(cut), budget())
    for damaged in (*flips(whole, 100), *flips(whole, 100, seed=2, within=((0, 40),))):
        survives(compressed.read_lzma, compressed.is_lzma, damaged)


def test_what_only_begins_like_lzma_is_none() -> None:
    for head in (
        b"\x5d",
        b"]\0\0",
        b"]text in brackets",
        b"\x5d" + bytes(20),
        b"\x5d\0\0\x80\0" + b"\xff" * 8 + b"\x01",
    ):
        assert not compressed.is_lzma(loaded(head))
