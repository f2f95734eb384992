"""Areas of hashes made by veritysetup, against what it tells of them."""

import json
import random
import re
from pathlib import Path

import pytest
from bench import run
from specimens import budget, cuts, facts, flips, loaded, make_sense, opened, spans, survives
from truths import cmp

from ci_toolkit.compare.explain import explain
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import Container
from ci_toolkit.images.filesystems import verity

FIXED = ("--salt", "ab" * 32, "--uuid", "11111111-2222-4333-8444-555555555555")


def make(path: Path, *options: str, size: int = 1 << 20, seed: int = 1) -> dict[str, str]:
    """Make the hashes of random data, and return what veritysetup says."""
    path.with_suffix(".data").write_bytes(random.Random(seed).randbytes(size))
    told = run("veritysetup", "format", *options, path.with_suffix(".data"), path).decode()
    return {name: value.strip() for name, value in re.findall(r"^([^:\n]+):(.*)$", told, re.MULTILINE)}


def read(image: Path) -> Container:
    data = opened(image)
    assert verity.recognise(data)
    container = verity.read(data, budget())
    make_sense(container)
    return container


FORMS = {
    "plain": (),
    "without salt": ("--salt", "-"),
    "sha512": ("--hash", "sha512"),
    "sha1 and its padding": ("--hash", "sha1"),
    "of old kernels": ("--format", "0"),
    "other blocks": ("--data-block-size", "1024", "--hash-block-size", "512"),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_superblock_is_what_veritysetup_tells(tmp_path: Path, form: str) -> None:
    told = make(tmp_path / "image", *FORMS[form])
    found = facts(read(tmp_path / "image"))
    assert found["uuid"] == told["UUID"]
    assert found["root_hash"] == told["Root hash"]
    assert found["salt"] == told["Salt"].removeprefix("-")
    assert found["algorithm"] == told["Hash algorithm"]
    assert found["data_blocks"] == int(told["Data blocks"])
    assert found["data_block_size"] == int(told["Data block size"].split()[0])
    assert found["hash_block_size"] == int(told["Hash block size"].split()[0])
    assert found["hash_type"] == int(told["Hash type"])


@pytest.mark.parametrize("size", [4096, 8192, 128 * 4096, 129 * 4096, 300 * 4096])
def test_the_tree_is_all_there_is(tmp_path: Path, size: int) -> None:
    make(tmp_path / "image", size=size)
    container = read(tmp_path / "image")
    trees = [spans(region.data) for region in container.regions if region.name == "hash tree"]
    assert trees == ([[(4096, (tmp_path / "image").stat().st_size - 4096)]] if size > 4096 else [])


def test_random_salts_change_everything_and_are_named(tmp_path: Path) -> None:
    images = [tmp_path / "a", tmp_path / "b"]
    for image in images:
        make(image)
    compared = compare(*images)
    assert {found.name for found in compared.differences} == {"uuid", "salt", "root_hash", "hash tree"}
    assert sum(found.bytes for found in compared.differences) == compared.differing_bytes == cmp(*images)[0]


def test_with_a_fixed_salt_the_tree_follows_from_the_data(tmp_path: Path) -> None:
    images = [tmp_path / "a", tmp_path / "b"]
    for seed, image in enumerate(images):
        make(image, *FIXED, seed=seed)
    assert {found.name for found in compare(*images).differences} == {"root_hash", "hash tree"}


def test_a_cut_area_is_refused_with_the_reason(tmp_path: Path) -> None:
    make(tmp_path / "image")
    for cut in cuts((tmp_path / "image").read_bytes(), 10):
        if verity.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                verity.read(loaded(cut), budget())


def test_damage_is_read_or_refused(tmp_path: Path) -> None:
    make(tmp_path / "image")
    whole = (tmp_path / "image").read_bytes()
    read = sum(survives(verity.read, verity.recognise, one) for one in flips(whole, 150, within=((8, 90), (16, 20))))
    assert 0 < read < 150


def signature(root: str, blob: str) -> bytes:
    """As systemd-repart writes it."""
    return json.dumps({"rootHash": root, "certificateFingerprint": "cd" * 32, "signature": blob}).encode()


def test_a_signature_is_told_by_its_keys(tmp_path: Path) -> None:
    raw = signature("ab" * 32, "MIIB" * 300).ljust(16384, b"\0")
    data = loaded(raw)
    assert verity.is_signature(data)
    container = verity.read_signature(data, budget())
    make_sense(container)
    assert facts(container) == {"root_hash": "ab" * 32, "certificate_fingerprint": "cd" * 32}
    for fact in container.facts:
        ((offset, length),) = fact.places
        assert raw[offset : offset + length].decode() == fact.value
    assert container.regions[0].data.read_at(0, 9999) == b"MIIB" * 300


def test_two_signatures_of_one_root_differ_in_the_signature(tmp_path: Path) -> None:
    for name, blob in (("a", "MIIB" * 300), ("b", "MIIC" * 300)):
        (tmp_path / name).write_bytes(signature("ab" * 32, blob).ljust(16384, b"\0"))
    compared = compare(tmp_path / "a", tmp_path / "b")
    assert {found.name for found in compared.differences} == {None, "signature"}
    findings = explain(compared.differences, Facts())
    assert {found.cause for found in findings if not found.consequence_of} == {"verity-signature"}
    assert sum(found.bytes for found in compared.differences) == compared.differing_bytes == 300


@pytest.mark.parametrize(
    "raw",
    [b"{}", b'{"rootHash": 1, "signature": "x"}', b'{"rootHash": "a", "signature"', b"[" * 9999, b'{"a": "rootHash"}'],
)
def test_other_json_is_no_signature(raw: bytes) -> None:
    assert not verity.is_signature(loaded(raw))
    with pytest.raises(UnreadableError):
        verity.read_signature(loaded(raw), budget())
