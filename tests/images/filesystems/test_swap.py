"""Swap areas made by mkswap, against what blkid tells of them."""

import re
from pathlib import Path

import pytest
from bench import run
from specimens import budget, cuts, facts, flips, loaded, make_sense, opened, survives
from truths import cmp

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import Container
from ci_toolkit.images.filesystems import swap


def make(path: Path, *options: str) -> Path:
    with path.open("wb") as file:
        file.truncate(1 << 20)
    path.chmod(0o600)
    run("mkswap", *options, path)
    return path


def read(image: Path) -> Container:
    data = opened(image)
    assert swap.recognise(data)
    container = swap.read(data, budget())
    make_sense(container)
    return container


@pytest.mark.parametrize("page", [4096, 16384, 65536])
def test_the_header_is_what_blkid_tells(tmp_path: Path, page: int) -> None:
    image = make(tmp_path / "image", "--label", "größe", "--pagesize", str(page))
    told = dict(re.findall(r"^(\w+)=(.*)$", run("blkid", "-p", "-o", "export", image).decode(), re.MULTILINE))
    found = facts(read(image))
    assert found["uuid"] == told["UUID"]
    assert f"LABEL: {found['label']}\n" in run("swaplabel", image).decode()
    assert (found["page_size"], found["last_page"]) == (page, (1 << 20) // page - 1)
    assert int(told["VERSION"]) == found["version"] == 1


def test_two_areas_differ_in_their_identifier(tmp_path: Path) -> None:
    images = [make(tmp_path / name) for name in ("a", "b")]
    compared = compare(*images)
    assert compared.differing_bytes == cmp(*images)[0]
    ((name, field, changed),) = [(found.name, found.field, found.bytes) for found in compared.differences]
    assert (name, field, changed) == ("uuid", Field.HEADER, compared.differing_bytes)


def test_pages_that_were_used_are_named(tmp_path: Path) -> None:
    identifier = ("--uuid", "11111111-2222-4333-8444-555555555555")
    images = [make(tmp_path / name, *identifier) for name in ("a", "b")]
    with images[1].open("r+b") as file:
        file.seek(100_000)
        file.write(b"secret")
    assert [found.name for found in compare(*images).differences] == ["swap pages"]


def test_an_area_of_the_other_order_of_bytes_is_read(tmp_path: Path) -> None:
    image = make(tmp_path / "image")
    raw = bytearray(image.read_bytes())
    before = facts(read(image))
    for place in (1024, 1028, 1032):
        raw[place : place + 4] = raw[place : place + 4][::-1]
    image.write_bytes(raw)
    assert facts(read(image)) == before
    assert str(before["uuid"]) in run("blkid", "-p", "-o", "export", image).decode()


def test_a_cut_area_is_refused_with_the_reason(tmp_path: Path) -> None:
    whole = make(tmp_path / "image").read_bytes()
    for cut in cuts(whole, 10):
        if swap.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                swap.read(loaded(cut), budget())


def test_damage_is_read_or_refused(tmp_path: Path) -> None:
    whole = make(tmp_path / "image").read_bytes()
    read = sum(survives(swap.read, swap.recognise, one) for one in flips(whole, 100, within=((1024, 50), (4086, 10))))
    assert 0 < read < 100
