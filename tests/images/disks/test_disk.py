"""Disks put together from pieces of a file, with the bytes that slicing and the compressors' own programs give."""

import zlib

import pytest
from bench import run
from specimens import budget, loaded

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.disks import disk


def test_pieces_make_up_a_disk_with_holes_between() -> None:
    data = loaded(bytes(range(100)))
    found = disk.assembled(data, [(20, 10, 50), (0, 10, 90)], 35)
    assert found.read_at(0, 35) == bytes(range(90, 100)) + bytes(10) + bytes(range(50, 60)) + bytes(5)


def test_the_last_piece_is_cut_to_the_disk() -> None:
    found = disk.assembled(loaded(bytes(range(100))), [(0, 10, 95), (10, 10, 0)], 5)
    assert found.read_at(0, 99) == bytes(range(95, 100))


def test_pieces_beyond_the_file_or_over_each_other_are_refused() -> None:
    data = loaded(bytes(100))
    with pytest.raises(UnreadableError, match="cut"):
        disk.assembled(data, [(0, 10, 95)], 20)
    with pytest.raises(UnreadableError, match="overlap"):
        disk.assembled(data, [(start, 10, 0) for start in range(0, 200, 10)], 200)


def test_compressed_clusters_stand_among_plain_ones() -> None:
    units = [bytes([number]) * 4096 for number in range(3)]
    streams = [run("zstd", "-c", stdin=unit) for unit in units]
    file = b"plain".ljust(4096, b".") + b"".join(streams)
    places = {}
    offset = 4096
    for start, stream in zip((4096, 12288, 16384), streams, strict=True):
        places[start] = offset, len(stream)
        offset += len(stream)
    found = disk.patched(loaded(file), [(0, 4096, 0)], places, 4096, 20000, disk.unzstd)
    expected = (file[:4096] + units[0] + bytes(4096) + units[1] + units[2])[:20000]
    assert found.read_at(0, found.size) == expected
    for start in (4000, 8100, 12200, 16300):
        assert found.read_at(start, 200) == expected[start : start + 200]


def test_many_clusters_are_read_in_any_order() -> None:
    """More of them than are kept."""
    unit = 1 << 20
    packed = [zlib.compress(bytes([number]) * unit) for number in range(12)]
    places, offset = {}, 0
    for number, stream in enumerate(packed):
        places[number * unit] = offset, len(stream)
        offset += len(stream)
    found = disk.patched(loaded(b"".join(packed)), [], places, unit, 12 * unit, disk.unzip)
    for number in (*range(12), 0, 11, 5, *range(11, -1, -1)):
        assert found.read_at(number * unit + 77, 3) == bytes([number]) * 3


@pytest.mark.parametrize("unpack", [disk.inflate, disk.unzip, disk.unzstd])
def test_a_cluster_that_is_no_stream_is_refused(unpack: disk.Unpack) -> None:
    found = disk.patched(loaded(b"\xff" * 100), [], {0: (0, 100)}, 4096, 4096, unpack)
    with pytest.raises(UnreadableError, match="damaged"):
        found.read_at(0, 1)


def test_a_cluster_that_is_too_short_is_refused() -> None:
    stream = zlib.compress(b"short")
    found = disk.patched(loaded(stream), [], {0: (0, len(stream))}, 4096, 4096, disk.unzip)
    with pytest.raises(UnreadableError, match="byte 0 is damaged"):
        found.read_at(0, 1)


def test_a_disk_that_is_not_read_leaves_its_reason() -> None:
    container = disk.container("vdi", None, budget(), (), (), "for no reason")
    assert (container.entries, container.skipped) == ((), (("", "for no reason"),))
