"""The ends of frames, against those that zstd itself lists and reads."""

import random
import re
from pathlib import Path

import pytest
import zstandard
from bench import run
from specimens import budget, loaded

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.archives import zstd_frames
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits

PAYLOAD = b"".join(b"%d " % number for number in range(60_000))


@pytest.mark.parametrize(
    "options",
    [("-1",), ("--no-check",), ("--check",), ("-19",), ("--stream-size=345678",), ("--no-content-size",), ("-B4096",)],
)
@pytest.mark.parametrize("payload", [PAYLOAD, bytes(1 << 20), b"", b"x" * 300], ids=["text", "zeros", "empty", "short"])
def test_a_frame_ends_where_the_next_one_begins(tmp_path: Path, options: tuple[str, ...], payload: bytes) -> None:
    if "--stream-size=345678" in options:
        options, payload = (f"--stream-size={len(payload)}",), payload
    frame = run("zstd", "-c", *options, stdin=payload)
    assert zstd_frames.frame_end(loaded(frame), 0, budget()) == len(frame)
    assert zstd_frames.frame_end(loaded(frame + frame), len(frame), budget()) == 2 * len(frame)


def test_headers_of_blocks_are_found_wherever_one_read_ends() -> None:
    chance = random.Random(3)
    packer = zstandard.ZstdCompressor().compressobj()
    pieces = [
        packer.compress(chance.randbytes(chance.randrange(1, 40))) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        for _ in range(20_000)
    ]
    frame = b"".join(pieces) + packer.flush()
    assert zstd_frames.frame_end(loaded(frame + b"rest"), 0, budget()) == len(frame)


def test_as_many_frames_are_found_as_zstd_lists(tmp_path: Path) -> None:
    frames = [run("zstd", "-c", "-3", stdin=PAYLOAD[:size]) for size in (1, 1000, 200_000)]
    skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc"
    (tmp_path / "frames.zst").write_bytes(frames[0] + skippable + frames[1] + frames[2])
    listed = run("zstd", "--list", "-v", tmp_path / "frames.zst").decode()
    data = loaded((tmp_path / "frames.zst").read_bytes())
    ends = [0]
    while zstd_frames.is_frame(data.read_at(ends[-1], 4)):
        ends.append(zstd_frames.frame_end(data, ends[-1], budget()))
    assert ends[-1] == data.size
    # Older releases count the skippable frame among the others.
    (plain,) = re.findall(
        r"^(?:# Zstandard Frames|Number of frames|# Zstandard frames): (\d+)", listed, re.MULTILINE | re.I
    )
    (skipped,) = re.findall(r"^(?:# Skippable frames): (\d+)", listed, re.MULTILINE | re.I) or ["0"]
    assert len(ends) - 1 == int(plain) + int(skipped) == 4


def test_every_cut_is_noticed() -> None:
    frame = run("zstd", "-c", stdin=PAYLOAD[:3000])
    for size in range(len(frame)):
        with pytest.raises(UnreadableError):
            zstd_frames.frame_end(loaded(frame[:size]), 0, budget())


def test_a_reserved_block_is_damage() -> None:
    frame = bytearray(run("zstd", "-c", "--no-content-size", stdin=PAYLOAD))
    frame[6] |= 6
    with pytest.raises(UnreadableError, match="damaged"):
        zstd_frames.frame_end(loaded(bytes(frame)), 0, budget())


def test_blocks_without_number_are_refused() -> None:
    # Empty blocks, none of them the last.
    frame = zstd_frames.MAGIC + b"\x00\x58" + bytes(3) * 1000
    with pytest.raises(BeyondLimitError, match="more than 500 parts"):
        zstd_frames.frame_end(loaded(frame), 0, Budget(Limits(streams=500)))


def test_a_frame_is_told_by_its_mark() -> None:
    assert zstd_frames.is_frame(run("zstd", "-c", stdin=b"")[:4])
    assert not zstd_frames.is_frame(b"")
    assert not zstd_frames.is_frame(b"\x60\x2a\x4d\x18")
