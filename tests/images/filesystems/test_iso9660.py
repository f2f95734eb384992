"""ISO images made by xorriso and genisoimage, against what xorriso takes out of them and what isoinfo lists."""

import os
import re
import struct
from itertools import chain
from pathlib import Path

import archived
import discs
import pytest
from bench import run
from specimens import budget, content, cuts, entries, facts, flips, loaded, make_sense, opened, spans, survives
from truths import cmp

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import directory
from ci_toolkit.images.entry import Container, Kind
from ci_toolkit.images.filesystems import iso9660
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits


def read(image: Path) -> Container:
    data = opened(image)
    assert iso9660.recognise(data)
    container = iso9660.read(data, budget())
    make_sense(container)
    return container


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return discs.tree(tmp_path_factory.mktemp("source") / "tree")


@pytest.fixture(scope="module", params=discs.MAKERS)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    made = tmp_path_factory.mktemp("image") / "image"
    return discs.make(request.param, made, root, "-R", "-J", "-joliet-long")


@pytest.fixture(scope="module")
def found(image: Path) -> Container:
    return read(image)


def test_what_is_in_it_is_what_xorriso_takes_out(tmp_path: Path, image: Path, found: Container) -> None:
    target = discs.extracted(image, tmp_path / "out")
    expected = entries(directory.read(target, budget()))
    there = {path: entry for path, entry in entries(found).items() if path != "rr_moved"}
    assert found.skipped == ()
    assert set(there) == set(expected) - {"rr_moved"}
    for path, entry in there.items():
        other = expected[path]
        assert (entry.kind, entry.target) == (other.kind, other.target)
        if path and entry.kind is not Kind.SYMLINK:
            assert entry.mtime_ns == other.mtime_ns
        if entry.kind is Kind.FILE:
            assert content(entry) == (target / path).read_bytes()
        if entry.kind is not Kind.SYMLINK:
            assert entry.mode == other.mode


def test_names_and_targets_are_those_of_the_source(root: Path, found: Container) -> None:
    names = {os.fsdecode(path.relative_to(root)) for path in root.rglob("*")}
    there = entries(found)
    assert names <= set(there)
    assert there["absolute"].target == "/"
    assert there["dots"].target == os.readlink(root / "dots")  # noqa: PTH115  Path tidies it up


def test_owners_and_sizes_are_what_isoinfo_lists(image: Path, found: Container) -> None:
    listed = run("isoinfo", "-R", "-l", "-i", image).decode("utf-8", "surrogateescape")
    there = entries(found)
    path = ""
    seen = 0
    for line in listed.splitlines():
        if line.startswith("Directory listing of "):
            path = line.removeprefix("Directory listing of ").strip("/")
        row = re.match(r"^.(\S{9}) +\d+ +(\d+) +(\d+) +(\d+) .*\[ *(\d+) ..\]  (\S.*?) ?$", line)
        name = row[6].partition(" -> ")[0].rstrip() if row else ""
        entry = there.get(f"{path}/{name}" if path else name)
        if row is None or entry is None:
            continue
        seen += 1
        assert (entry.uid, entry.gid) == (int(row[2]), int(row[3]))
        if entry.kind is Kind.FILE and entry.size:
            assert entry.size == int(row[4])
            assert entry.data is not None and entry.data.runs[0].offset == int(row[5]) * 2048
    assert seen > 170


def test_the_volume_is_what_isoinfo_tells(image: Path, found: Container) -> None:
    told = dict(re.findall(r"^([^:\n]+?)(?: is)?: (.*)$", run("isoinfo", "-d", "-i", image).decode(), re.MULTILINE))
    here = facts(found)
    assert here["label"] == told["Volume id"] == "LABEL"
    assert here["application"] == told["Application id"].strip()
    assert here["preparer"] == told["Data preparer id"].strip()
    assert here["volume_blocks"] == int(told["Volume size"])
    assert here["block_size"] == int(told["Logical block size"])
    assert here["extensions"] == ("Rock Ridge", "Joliet")


def test_facts_lie_where_they_say(image: Path, found: Container) -> None:
    whole = image.read_bytes()
    (label,) = [fact for fact in found.facts if fact.name == "label"]
    ((offset, length),) = label.places
    assert whole[offset : offset + length].rstrip() == b"LABEL"
    (joliet,) = [fact for fact in found.facts if fact.name == "joliet_label"]
    ((offset, length),) = joliet.places
    assert whole[offset : offset + length].decode("utf-16-be").rstrip(" \0") == joliet.value == "LABEL"
    (created,) = [fact for fact in found.facts if fact.name == "creation_time"]
    ((offset, length),) = created.places
    assert whole[offset : offset + 4].isdigit()


def test_the_time_of_the_volume_is_the_epoch(tmp_path: Path, root: Path) -> None:
    image = discs.make("xorriso", tmp_path / "image", root, "-R")
    told = run("xorriso", "-indev", image, "-pvd_info").decode()
    assert "Creation Time: 2023111422132000" in told
    here = facts(read(image))
    assert here["creation_time"] == here["modification_time"] == discs.EPOCH * 10**9
    assert here["expiration_time"] is None


def test_every_byte_has_an_owner(image: Path, found: Container) -> None:
    rest = bytearray(image.read_bytes())
    datas = [entry.data for entry in found.entries] + [region.data for region in found.regions]
    for data in datas:
        for offset, length in spans(data) if data is not None else ():
            rest[offset : offset + length] = bytes(length)
    # genisoimage says its version behind the descriptors.
    assert len(rest.strip(b"\0")) < 600


def test_records_hold_the_names(image: Path, found: Container) -> None:
    whole = image.read_bytes()
    for path in ("link", "etc/hostname"):
        record = entries(found)[path].record
        assert record is not None
        offset, length = record
        assert whole[offset] == length
        assert path.rpartition("/")[2].encode() in whole[offset : offset + length]


def test_hard_links_share_their_content(found: Container) -> None:
    there = entries(found)
    one, other = there["etc/hostname"].data, there["etc/also"].data
    assert one is not None and other is not None
    assert one.runs == other.runs


@pytest.mark.parametrize("maker", discs.MAKERS)
def test_devices_have_their_numbers(tmp_path: Path, maker: str) -> None:
    (tmp_path / "tree").mkdir()
    archived.nodes(tmp_path / "tree")
    there = entries(read(discs.make(maker, tmp_path / "image", tmp_path / "tree", "-R")))
    assert (there["tty"].kind, there["tty"].device) == (Kind.CHARACTER, (4, 64))
    assert (there["disk"].kind, there["disk"].device) == (Kind.BLOCK, (8, 1))


def test_without_rock_ridge_names_are_those_of_joliet(tmp_path: Path, root: Path) -> None:
    image = discs.make("genisoimage", tmp_path / "image", root, "-J", "-joliet-long")
    listed = run("isoinfo", "-J", "-f", "-i", image).decode("utf-8", "surrogateescape").splitlines()
    found = read(image)
    assert facts(found)["extensions"] == ("Joliet",)
    assert {f"/{path}" for path in entries(found) if path and path.isascii()} == {
        name.partition(";")[0] for name in listed if name.isascii()
    }
    assert content(entries(found)["etc/hostname"]) == b"host\n"


def test_without_either_names_are_short(tmp_path: Path, root: Path) -> None:
    image = discs.make("genisoimage", tmp_path / "image", root)
    listed = run("isoinfo", "-f", "-i", image).decode().splitlines()
    found = read(image)
    assert {f"/{path}" for path in entries(found) if path} == {
        name.partition(";")[0].removesuffix(".") for name in listed
    }
    assert content(entries(found)["ETC/HOSTNAME"]) == b"host\n"
    assert entries(found)["ETC/HOSTNAME"].mode is None


def test_a_file_in_several_extents_is_one(tmp_path: Path) -> None:
    """As files of more than 4 GiB are; a small one is split by hand."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/aaa").write_bytes(b"1" * 2048)
    (tmp_path / "tree/bbb").write_bytes(b"2" * 100)
    image = discs.make("genisoimage", tmp_path / "image", tmp_path / "tree")
    raw = bytearray(image.read_bytes())
    there = entries(read(image))
    first, second = there["AAA"].record, there["BBB"].record
    assert first is not None and second is not None
    raw[first[0] + 25] |= 0x80
    raw[second[0] + 33 : second[0] + 36] = b"AAA"
    image.write_bytes(raw)
    found = entries(read(image))
    assert set(found) == {"", "AAA"}
    assert content(found["AAA"]) == b"1" * 2048 + b"2" * 100
    assert run("isoinfo", "-i", image, "-x", "/AAA.;1") == content(found["AAA"])


def test_two_images_differ_in_what_was_changed(tmp_path: Path) -> None:
    images = []
    for name, epoch in (("one", discs.EPOCH), ("two", discs.EPOCH + 100)):
        root = tmp_path / name
        (root / "etc").mkdir(parents=True)
        (root / "etc/hostname").write_text(name)
        (root / "etc/same").write_text("same")
        for path in (root, *root.rglob("*")):
            os.utime(path, (discs.EPOCH, discs.EPOCH))
        images.append(discs.make("xorriso", tmp_path / f"{name}.iso", root, "-R", "-J", epoch=epoch))
    compared = compare(*images)
    assert (compared.differing_bytes, compared.first_offset) == cmp(*images)
    assert sum(found.bytes for found in compared.differences) == compared.differing_bytes
    assert {found.path for found in compared.differences if found.field is Field.CONTENT} == {("etc/hostname",)}
    headers = {found.name for found in compared.differences if found.field is Field.HEADER}
    assert headers == {f"{tree}{time}_time" for tree in ("", "joliet_") for time in ("creation", "modification")}
    assert "padding" not in {found.name for found in compared.differences}


def test_a_cut_image_is_refused_with_the_reason(image: Path) -> None:
    whole = image.read_bytes()
    # Both makers end with padding that they do not count.
    size = struct.unpack_from("<I", whole, 32768 + 80)[0] * 2048
    for cut in (*cuts(whole[:size], 20), whole[:33000], whole[: 17 * 2048], whole[: 18 * 2048 + 5]):
        if iso9660.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                iso9660.read(loaded(cut), budget())


def test_a_directory_inside_itself_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "tree/a/b").mkdir(parents=True)
    image = discs.make("xorriso", tmp_path / "image", tmp_path / "tree", "-R")
    raw = bytearray(image.read_bytes())
    there = entries(read(image))
    outer, inner = there["a"].record, there["a/b"].record
    assert outer is not None and inner is not None
    raw[inner[0] + 2 : inner[0] + 10] = raw[outer[0] + 2 : outer[0] + 10]
    found = iso9660.read(loaded(bytes(raw)), budget())
    assert [path for path, _ in found.skipped] == ["a/b"]


@pytest.mark.parametrize("name", [b"a/bc", b"\0bcd"])
def test_a_name_that_is_none_is_skipped(tmp_path: Path, name: bytes) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/abcd").write_text("x")
    (tmp_path / "tree/other").write_text("x")
    image = discs.make("xorriso", tmp_path / "image", tmp_path / "tree", "-R")
    raw = image.read_bytes().replace(b"abcd", name)
    found = iso9660.read(loaded(raw), budget())
    assert set(entries(found)) == {"", "other"}
    assert "slash" in found.skipped[0][1]


def test_more_entries_than_allowed_are_not_read(image: Path) -> None:
    with pytest.raises(BeyondLimitError, match="more than 100 entries"):
        iso9660.read(opened(image), Budget(Limits(members=100)))


def test_what_has_too_long_a_name_is_skipped(image: Path) -> None:
    all_names = set(entries(iso9660.read(opened(image), budget())))
    found = iso9660.read(opened(image), Budget(Limits(path=12)))
    assert set(entries(found)) == {name for name in all_names if len(name) <= 12}
    assert found.skipped and all(reason.startswith("a name of") for _, reason in found.skipped)


@pytest.mark.parametrize("maker", discs.MAKERS)
def test_damage_is_read_or_refused(tmp_path: Path, maker: str) -> None:
    root = tmp_path / "tree"
    (root / "sub/sub/sub").mkdir(parents=True)
    for number in range(8):
        (root / f"sub/{number} a rather long name {'n' * 30 * number}").write_bytes(b"x" * 300 * number)
    (root / "link").symlink_to("t" * 200)
    options = ("-R", "-J", "-joliet-long")
    made = discs.bootable(tmp_path / "image", root) if maker == "xorriso" else None
    whole = (made or discs.make(maker, tmp_path / "image", root, *options)).read_bytes()
    container = iso9660.read(loaded(whole), budget())
    records = [entry.record for entry in container.entries if entry.record]
    areas = {
        name: [
            (start, min(size, 500))
            for region in container.regions
            if region.name == name
            for start, size in spans(region.data)
        ]
        for name in ("volume descriptors", "directory records", "continued records", "boot catalogue")
    }
    read = 0
    for seed, within in enumerate((areas["volume descriptors"], records, list(chain(*areas.values())))):
        damaged = flips(whole, 60, seed=seed, within=tuple(within))
        read += sum(survives(iso9660.read, iso9660.recognise, one) for one in damaged)
    assert 0 < read < 180


def test_a_volume_scattered_over_an_image_counts_places_from_its_own_start(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    whole = discs.bootable(tmp_path / "image", root).read_bytes()
    half = 20 * 2048
    # As in a virtual disk: the second half lies first.
    outer = loaded(whole[half:] + bytes(5000) + whole[:half])
    scattered = outer.scattered(
        ((0, half, len(whole) - half + 5000), (half, len(whole) - half, 0)), len(whole)
    )  # fmt: skip
    one, other = iso9660.read(loaded(whole), budget()), iso9660.read(scattered, budget())
    assert [entry.record for entry in one.entries] == [entry.record for entry in other.entries]
    assert [entry.size for entry in one.entries] == [entry.size for entry in other.entries]
    assert one.facts == other.facts
    assert content(entries(one)["boot/efi.img"]) == content(entries(other)["boot/efi.img"])
