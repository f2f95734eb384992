"""Headers that GNU tar wrote, whole and damaged, against the standard library's own reading of them."""

import io
import random
import tarfile
from pathlib import Path

import archived
import pytest
from bench import run
from specimens import loaded

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.archives.tar_members import Header, Stream

_FIELDS = ("name", "mode", "uid", "gid", "size", "mtime", "type", "linkname", "uname", "gname", "devmajor", "devminor")
_FORMATS = ("oldgnu", "gnu", "ustar", "pax")


@pytest.fixture(scope="module", params=_FORMATS)
def headers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """All blocks of an archive, headers and contents: what is no header is to be refused alike."""
    place = tmp_path_factory.mktemp("tar")
    tree = archived.tree(place / "tree")
    # Older formats leave out what has too long a name for them.
    run(
        *("tar", "--create", "--file", place / "archive", "--directory", tree, f"--format={request.param}"),
        *("--exclude=" + "L" * 200, "--exclude=" + "d" * 150, "--exclude=long link", "."),
    )
    raw = (place / "archive").read_bytes()
    return [raw[start : start + 512] for start in range(0, min(len(raw), 1 << 20), 512)]


def told(kind: type[tarfile.TarInfo], raw: bytes) -> object:
    try:
        found = kind.frombuf(raw, "utf-8", "surrogateescape")
    except tarfile.TarError as error:
        return str(error)
    return [getattr(found, field) for field in _FIELDS]


def summed(raw: bytes) -> bytes:
    """Give a header the checksum that it should have."""
    blank = raw[:148] + b" " * 8 + raw[156:]
    return raw[:148] + b"%06o\0 " % sum(blank) + raw[156:]


def test_headers_mean_the_same(headers: list[bytes]) -> None:
    meant = [told(Header, raw) for raw in headers]
    assert meant == [told(tarfile.TarInfo, raw) for raw in headers]
    assert sum(isinstance(one, list) for one in meant) > 6


def test_damaged_headers_mean_the_same(headers: list[bytes]) -> None:
    """A number that is none is one thing that we may not mind: that of a device in what is no device."""
    chance = random.Random(1)
    true = [raw for raw in headers if isinstance(told(Header, raw), list)]
    for raw in true * 20:
        damaged = bytearray(raw)
        damaged[chance.randrange(329)] = chance.choice(b"\0 07\x80\xff/-x")
        for one in (bytes(damaged), summed(bytes(damaged))):
            assert told(Header, one) == told(tarfile.TarInfo, one)


def test_a_directory_without_a_type_is_told_by_its_slash() -> None:
    info = tarfile.TarInfo("old")
    info.type = tarfile.AREGTYPE
    raw = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    raw[:4] = b"old/"
    found = Header.frombuf(summed(bytes(raw)), "utf-8", "surrogateescape")
    assert found.isdir() and found.name == "old"


def test_only_the_library_knows_of_large_numbers() -> None:
    info = tarfile.TarInfo("large")
    info.size, info.uid = 1 << 40, 1 << 30
    found = Header.frombuf(info.tobuf(tarfile.GNU_FORMAT), "utf-8", "surrogateescape")
    assert (found.size, found.uid) == (1 << 40, 1 << 30)


def test_the_stream_reads_seeks_and_tells_as_a_file_does() -> None:
    content = random.Random(2).randbytes(5000)
    ours, theirs = Stream(loaded(content)), io.BytesIO(content)
    for place, size in ((0, 512), (100, 700), (4900, 512), (6000, 10)):
        assert (ours.seek(place), ours.read(size), ours.tell()) == (
            theirs.seek(place),
            theirs.read(size),
            theirs.tell(),
        )


def test_no_more_is_read_at_once_than_an_honest_header_has() -> None:
    for size in (1 << 30, -1):
        with pytest.raises(UnreadableError, match="a tar header asks for"):
            Stream(loaded(b"")).read(size)


def test_a_file_is_read_where_it_lies(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "archive", "w") as archive:
        for name in ("one", "two"):
            info = tarfile.TarInfo(name)
            info.size = 1000
            archive.addfile(info, io.BytesIO(name.encode() * 400))
    raw = (tmp_path / "archive").read_bytes()
    with tarfile.open(fileobj=Stream(loaded(raw)), mode="r:", tarinfo=Header) as found:  # type: ignore[call-overload]
        assert [member.name for member in found] == ["one", "two"]
