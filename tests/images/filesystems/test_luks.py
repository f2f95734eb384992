"""Encrypted volumes made by cryptsetup, against what it tells of them."""

import base64
import json
import re
from pathlib import Path

import pytest
from bench import run
from specimens import budget, cuts, facts, flips, loaded, make_sense, opened, spans, survives
from truths import cmp

from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import Container
from ci_toolkit.images.filesystems import luks
from ci_toolkit.images.limits import BeyondLimitError

QUICK = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--batch-mode", "--key-file", "-")
UUID = "11111111-2222-4333-8444-555555555555"


def make(path: Path, version: int, *options: str) -> Path:
    with path.open("wb") as file:
        file.truncate(4 << 20)
    small = ("--offset", "4096", "--luks2-keyslots-size", "1m") if version == 2 else ()
    run("cryptsetup", "luksFormat", "--type", f"luks{version}", *QUICK, *small, *options, path, stdin=b"secret")
    return path


def read(image: Path) -> Container:
    data = opened(image)
    assert luks.recognise(data)
    container = luks.read(data, budget())
    make_sense(container)
    return container


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("luks") / "image", 2, "--label", "home", "--subsystem", "part", "--uuid", UUID)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("luks") / "image", 1, "--uuid", UUID)


def test_version_2_is_what_cryptsetup_tells(second: Path) -> None:
    found = facts(read(second))
    told = dict(re.findall(r"^(\w+):\s*(.*)$", run("cryptsetup", "luksDump", second).decode(), re.MULTILINE))
    assert found["uuid"] == told["UUID"].strip() == UUID
    assert found["label"] == told["Label"].strip() == "home"
    assert found["subsystem"] == told["Subsystem"].strip() == "part"
    assert found["sequence"] == int(told["Epoch"])


def test_its_metadata_are_what_cryptsetup_tells(second: Path) -> None:
    told = json.loads(run("cryptsetup", "luksDump", "--dump-json-metadata", second))
    container = read(second)
    found = facts(container)
    slot, segment = told["keyslots"]["0"], told["segments"]["0"]
    assert found["keyslots.0.kdf.salt"] == slot["kdf"]["salt"]
    assert found["keyslots.0.kdf.iterations"] == slot["kdf"]["iterations"] == 1000
    assert found["digests.0.digest"] == told["digests"]["0"]["digest"]
    assert found["segments.0.encryption"] == segment["encryption"]
    there = {region.name: spans(region.data) for region in container.regions}
    assert there["key slots"] == [(int(slot["area"]["offset"]), int(slot["area"]["size"]))]
    start = int(segment["offset"])
    assert there["encrypted payload"] == [(start, second.stat().st_size - start)]


def test_version_1_is_what_cryptsetup_tells(first: Path) -> None:
    container = read(first)
    found = facts(container)
    told = run("cryptsetup", "luksDump", first).decode()
    fields = dict(re.findall(r"^([\w ]+):\s*(.*)$", told, re.MULTILINE))
    assert found["uuid"] == fields["UUID"].strip() == UUID
    assert found["cipher"] == fields["Cipher name"].strip()
    assert found["cipher_mode"] == fields["Cipher mode"].strip()
    assert found["payload_sector"] == int(fields["Payload offset"])
    assert [found[f"keyslots.{number}.active"] for number in range(8)] == [1] + [0] * 7
    assert "Key Slot 0: ENABLED" in told
    salt = re.search(r"Salt:\s*((?:[0-9a-f]{2}\s+)+)Key material", told)
    assert salt is not None and found["keyslots.0.salt"] == re.sub(r"\s", "", salt[1])


@pytest.mark.parametrize("version", [1, 2])
def test_two_volumes_differ_in_what_is_random(tmp_path: Path, version: int) -> None:
    images = [make(tmp_path / name, version) for name in ("a", "b")]
    compared = compare(*images)
    assert sum(found.bytes for found in compared.differences) == compared.differing_bytes == cmp(*images)[0]
    names = {found.name for found in compared.differences}
    assert {"uuid", "key slots"} <= names
    assert names & {"keyslots.0.salt", "keyslots.0.kdf.salt"}
    assert names <= {None, "unused key slots", *facts(read(images[0])), "key slots", "metadata", "header"}


def test_what_it_holds_is_a_region_of_its_own(tmp_path: Path, second: Path) -> None:
    other = tmp_path / "other"
    raw = bytearray(second.read_bytes())
    raw[-100] ^= 1
    other.write_bytes(raw)
    assert [found.name for found in compare(second, other).differences] == ["encrypted payload"]


def test_tokens_and_salts_are_told(tmp_path: Path, second: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(second.read_bytes())
    token = {"type": "of-my-own", "keyslots": [], "blob": base64.b64encode(b"blob").decode()}
    run("cryptsetup", "token", "import", "--token-id", "3", image, stdin=json.dumps(token).encode())
    found = facts(read(image))
    assert found["tokens.3.type"] == "of-my-own"
    assert found["tokens.3.blob"] == token["blob"]


@pytest.mark.parametrize("version", [1, 2])
def test_a_cut_volume_is_refused_with_the_reason(first: Path, second: Path, version: int) -> None:
    whole = (first if version == 1 else second).read_bytes()
    payload = 2 << 20 if version == 2 else int(str(facts(read(first))["payload_sector"])) * 512
    for cut in cuts(whole[:payload], 6):
        if luks.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match=r"cut|damaged"):
                luks.read(loaded(cut), budget())


def test_damage_is_read_or_refused(first: Path, second: Path) -> None:
    read = 0
    for image, areas in ((first, ((6, 590),)), (second, ((6, 500), (4096, 700), (16384, 500)))):
        # What lies behind is not looked at.
        whole = image.read_bytes()
        read += sum(survives(luks.read, luks.recognise, one) for one in flips(whole, 40, within=areas))
    assert 0 < read < 80


def test_a_long_name_for_many_values_is_refused(second: Path) -> None:
    raw = second.read_bytes()
    values = b'{"keyslots":{},"segments":{},"%s":[%s]}' % (b"n" * 6000, b",".join([b"1"] * 2900))
    with pytest.raises(BeyondLimitError, match="names and attributes"):
        luks.read(loaded(raw[:4096] + values.ljust(12288, b"\0") + raw[16384:]), budget())


def test_metadata_that_claim_too_much_are_refused(second: Path) -> None:
    raw = second.read_bytes()
    for old, new in ((b'"offset":"32768"', b'"offset":"-2768"'), (b'"offset":"32768"', b'"offset":"3276_"')):
        assert old in raw
        with pytest.raises(UnreadableError):
            luks.read(loaded(raw.replace(old, new)), budget())
    nested = b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}"
    with pytest.raises(UnreadableError, match="damaged"):
        luks.read(loaded(raw[:4096] + nested.ljust(12288, b"\0") + raw[16384:]), budget())
