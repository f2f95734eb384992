"""The legacy form of lz4, as in kernels and initrds, and the headers of both forms; frames are in test_compressed."""

import random
from pathlib import Path

import pytest
from bench import run
from specimens import budget, content, cuts, facts, flips, loaded, make_sense, survives

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.archives import lz4
from ci_toolkit.images.limits import MIB, BeyondLimitError, Budget, Limits

TEXT = b"".join(b"line %d of a text that is easily made smaller\n" % number for number in range(4000))
NOISE = random.Random(1).randbytes(100_000)


def legacy(payload: bytes, *options: str) -> bytes:
    return run("lz4", "-l", "-c", *options, stdin=payload)


@pytest.mark.parametrize("payload", [TEXT, NOISE, bytes(9 * MIB), b"x"], ids=["text", "noise", "blocks", "x"])
def test_the_payload_is_what_lz4_makes_of_it(payload: bytes) -> None:
    stream = legacy(payload)
    assert lz4.recognise(loaded(stream))
    found = lz4.read(loaded(stream), budget())
    make_sense(found)
    (entry,) = found.entries
    assert content(entry) == payload == run("lz4", "-dc", stdin=stream)
    assert facts(found) == {"form": "legacy"}


def test_parts_of_an_initrd_with_zeros_between_them_are_one() -> None:
    stream = legacy(TEXT) + bytes(8) + legacy(b"end") + bytes(512)
    (entry,) = lz4.read(loaded(stream), budget()).entries
    assert content(entry) == TEXT + b"end"


def test_what_follows_the_last_block_is_an_entry_of_its_own() -> None:
    payload, rest = lz4.read(loaded(legacy(TEXT) + b"something else"), budget()).entries
    assert (content(payload), content(rest)) == (TEXT, b"something else")


def test_a_cut_legacy_stream_is_refused_with_the_reason() -> None:
    whole = legacy(NOISE)
    for cut in cuts(whole, 40):
        if lz4.recognise(loaded(cut)) and len(cut) > 8:
            with pytest.raises(UnreadableError, match="cut"):
                lz4.read(loaded(cut), budget())


def test_damage_is_read_or_refused() -> None:
    whole = legacy(TEXT[:20_000])
    for damaged in (*flips(whole, 60), *flips(whole, 60, seed=2, within=((0, 40),))):
        survives(lz4.read, lz4.recognise, damaged)


def test_a_bomb_is_refused_before_it_fills_the_disk() -> None:
    stream = legacy(bytes(20 * MIB))
    with pytest.raises(BeyondLimitError, match=f"more than {8 * MIB} bytes"):
        lz4.read(loaded(stream), Budget(Limits(decompressed=8 * MIB)))


def test_the_header_says_what_file_says() -> None:
    stream = run("lz4", "-c", "-B5", "--content-size", stdin=TEXT)
    found = facts(lz4.read(loaded(stream), budget()))
    assert (found["form"], found["block_size"], found["stored_size"]) == ("frame", 256 << 10, None)
    assert "LZ4 compressed data" in run("file", "--brief", "-", stdin=stream).decode()


def test_a_stored_size_is_found_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(TEXT)
    run("lz4", "-q", "--content-size", tmp_path / "text", tmp_path / "packed")
    stream = (tmp_path / "packed").read_bytes()
    fact = next(f for f in lz4.read(loaded(stream), budget()).facts if f.name == "stored_size")
    ((offset, length),) = fact.places
    assert fact.value == len(TEXT) == int.from_bytes(stream[offset : offset + length], "little")
