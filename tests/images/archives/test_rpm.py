"""Packages made by rpmbuild, against what rpm and rpm2cpio say of them."""

import base64
import struct
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree

import pytest
import spun
import truths
from bench import run
from specimens import budget, content, cuts, entries, facts, flips, loaded, make_sense, opened, spans, survives

from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.archives import cpio, rpm
from ci_toolkit.images.entry import Container, Kind
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits
from ci_toolkit.images.read import identify

PAYLOADS = {"gzip": "w9.gzdio", "zstd": "w3.zstdio", "xz": "w2.xzdio", "lzma": "w2.lzdio", "bzip2": "w9.bzdio"}


@pytest.fixture(scope="module", params=PAYLOADS)
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spun.build(tmp_path_factory.mktemp("rpm"), f"_binary_payload {PAYLOADS[request.param]}")


@pytest.fixture(scope="module")
def found(package: Path) -> Container:
    assert rpm.recognise(opened(package))
    container = rpm.read(opened(package), budget())
    make_sense(container)
    return container


def told(package: Path) -> dict[str, object]:
    """The tags as rpm prints them, of both headers."""
    values: dict[str, object] = {}
    for tag in ElementTree.fromstring(run("rpm", "--dbpath", package.parent / "db", "-qp", "--xml", package)):
        several: list[int | str] = []
        for value in tag:
            words = value.text or ""
            match value.tag:
                case "integer":
                    several.append(int(words))
                case "base64":
                    several.append(base64.b64decode(words).hex())
                case _:
                    several.append(words)
        values[str(tag.get("name")).lower()] = several
    return values


def test_tags_are_what_rpm_says(package: Path, found: Container) -> None:
    expected = told(package)
    values = facts(found)
    assert {"name", "buildtime", "buildhost", "filemtimes", "basenames", "sha256header", "payloaddigest"} <= set(
        expected
    )
    for name, several in expected.items():
        value = values[name if name in values else f"signature.{name}"]
        assert isinstance(several, list)
        if isinstance(value, tuple):
            assert list(value) == [str(one) for one in several], name
        else:
            assert [value] == several, name


def test_no_tag_is_left_without_its_name(found: Container) -> None:
    assert [fact.name for fact in found.facts if "tag" in fact.name.split(".")[-1].split()] == []


def test_places_hold_the_values(package: Path, found: Container) -> None:
    raw = package.read_bytes()
    for fact in found.facts:
        ((start, length),) = fact.places
        if isinstance(fact.value, int):
            assert int.from_bytes(raw[start : start + length], "big") == fact.value
        elif isinstance(fact.value, str) and fact.name not in ("lead.name", "signature.sigmd5"):
            held = raw[start : start + length]
            assert fact.value in (held.rstrip(b"\0").decode(errors="replace"), held.hex())


def test_the_payload_is_what_rpm2cpio_takes_out(package: Path, found: Container) -> None:
    (entry,) = found.entries
    assert (entry.path, entry.kind) == ("", Kind.STREAM)
    assert entry.data is not None
    stream = identify(entry.data)
    assert stream is not None
    (inside,) = stream.read(entry.data, budget()).entries
    archive = run("rpm2cpio", package)
    assert inside.data is not None
    assert inside.data.read_at(0, inside.data.size) == archive
    there = entries(cpio.read(inside.data, budget()))
    assert content(there["./opt/d/file"]) == b"content"
    assert there["./opt/d/link"].target == "file"


def test_a_difference_is_told_by_the_file(tmp_path: Path) -> None:
    fixed = ("_buildhost host", "use_source_date_epoch_as_buildtime 1", "clamp_mtime_to_source_date_epoch 1")
    one = spun.build(tmp_path / "a", *fixed)
    other = spun.build(tmp_path / "b", *fixed, "content another")
    result = compare(one, other)
    assert result.differing_bytes == truths.cmp(one, other)[0]
    assert sum(difference.bytes for difference in result.differences) == result.differing_bytes
    assert ("./opt/d/file",) in {difference.path for difference in result.differences}
    again = compare(one, spun.build(tmp_path / "c", *fixed))
    assert again.differences == ()


def test_a_cut_package_is_refused_with_the_reason(package: Path) -> None:
    whole = package.read_bytes()
    data = rpm.read(loaded(whole), budget()).entries[0].data
    assert data is not None
    headers = spans(data)[0][0]
    for cut in cuts(whole[:headers], 30):
        if rpm.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                rpm.read(loaded(cut), budget())


def test_damage_is_read_or_refused(package: Path) -> None:
    whole = package.read_bytes()
    damaged = chain(flips(whole, 100, within=((96, 400),)), flips(whole, 200, within=((400, 4000),)))
    assert 0 < sum(survives(rpm.read, rpm.recognise, one) for one in damaged) < 300


def header(*tags: tuple[int, int, int, int], store: bytes = b"") -> bytes:
    index = b"".join(struct.pack(">IIiI", *tag) for tag in tags)
    return b"\x8e\xad\xe8\x01" + bytes(4) + struct.pack(">II", len(tags), len(store)) + index + store


LEAD = b"\xed\xab\xee\xdb\x03\0" + bytes(90)


@pytest.mark.parametrize(
    ("main", "reason"),
    [
        (header((1000, 6, 5, 1), store=b"name"), "tag 1000 of an RPM header lies beyond the end"),
        (header((1000, 6, -1, 1), store=b"name\0"), "tag 1000 of an RPM header lies beyond the end"),
        (header((1000, 6, 0, 1), store=b"name"), "tag 1000 of an RPM header lies beyond the end"),
        (header((1028, 4, 0, 9), store=bytes(8)), "tag 1028 of an RPM header lies beyond the end"),
        (header((1000, 12, 0, 1), store=bytes(8)), "a value of type 12"),
        (b"\x8e\xad\xe8\x01" + bytes(4) + b"\xff" * 8, "an RPM header of 4294967295 tags"),
        (bytes(40), "no RPM header at byte 112"),
    ],
)
def test_senseless_headers_are_refused(main: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        rpm.read(loaded(LEAD + header() + main), budget())


def test_many_tags_of_one_long_list_are_refused() -> None:
    """Each of them would be a copy of it."""
    store = bytes(100_000)
    main = header(*((1000 + number, 8, 0, 100_000) for number in range(200)), store=store)
    with pytest.raises(BeyondLimitError):
        rpm.read(loaded(LEAD + header() + main), Budget(Limits()))
