"""Catalogs of messages made by journalctl, against what it prints of them."""

import re
from pathlib import Path

import pytest
from bench import run
from specimens import budget, content, cuts, entries, flips, loaded, make_sense, opened, survives
from truths import cmp

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.databases import catalog

MESSAGES = {
    f"{number:032x}": f"Subject: Message {number}\n\nThis is text {number}, größer.\n" for number in range(1, 40)
}


def made(root: Path, messages: dict[str, str] = MESSAGES) -> Path:
    sources = root / "usr/lib/systemd/catalog"
    sources.mkdir(parents=True)
    (root / "var/lib/systemd/catalog").mkdir(parents=True)
    (sources / "test.catalog").write_text("".join(f"-- {name}\n{text}\n" for name, text in messages.items()))
    some = {name: text.replace("text", "Text") for name, text in list(messages.items())[:5]}
    (sources / "test.de.catalog").write_text("".join(f"-- {name} de\n{text}\n" for name, text in some.items()))
    run("journalctl", f"--root={root}", "--update-catalog")
    return root / "var/lib/systemd/catalog/database"


def test_messages_are_those_that_journalctl_prints(tmp_path: Path) -> None:
    image = made(tmp_path)
    assert catalog.recognise(opened(image))
    found = catalog.read(opened(image), budget())
    make_sense(found)
    printed = run("journalctl", f"--root={tmp_path}", "--dump-catalog", environment={"LC_ALL": "C"}).decode()
    told = {name: text.strip() for name, text in re.findall(r"^-- (\w{32})\n(.*?)(?=^-- |\Z)", printed, re.M | re.S)}
    read = {path.replace("-", ""): content(entry).decode().strip() for path, entry in entries(found).items()}
    assert {name: text for name, text in read.items() if " " not in name} == told
    assert len([name for name in read if name.endswith(" de")]) == 5


def test_every_byte_has_an_owner_and_a_difference_the_name_of_its_message(tmp_path: Path) -> None:
    changed = MESSAGES | {f"{3:032x}": "Subject: Message 3\n\nThis is text X, größer.\n"}
    one, other = made(tmp_path / "a"), made(tmp_path / "b", changed)
    compared = compare(one, other)
    names = {d.path[0] for d in compared.differences if d.path and d.field is Field.CONTENT}
    assert names == {"00000000-0000-0000-0000-000000000003", "00000000-0000-0000-0000-000000000003 de"}
    assert (compared.differing_bytes, compared.first_offset) == cmp(one, other)
    assert sum(d.bytes for d in compared.differences) == compared.differing_bytes


def test_cut_and_damaged_catalogs_are_read_or_refused(tmp_path: Path) -> None:
    whole = made(tmp_path).read_bytes()
    for cut in cuts(whole.rstrip(b"\0"), 20):
        if catalog.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                catalog.read(loaded(cut), budget())
    chance = sum(survives(catalog.read, catalog.recognise, damaged) for damaged in flips(whole, 100))
    chance += sum(survives(catalog.read, catalog.recognise, one) for one in flips(whole, 100, within=((8, 32),)))
    assert 0 < chance < 200
