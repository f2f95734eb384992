"""Hardware databases made by systemd-hwdb, against the sources that they were made of."""

import struct
from pathlib import Path

import pytest
from bench import run
from specimens import budget, content, cuts, entries, facts, flips, loaded, make_sense, opened, survives

from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.databases import hwdb
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits

# Matches by file, with the properties of each.
SOURCES: dict[str, dict[str, dict[str, str]]] = {
    "10-a.hwdb": {
        "usb:v1D6Bp0001*": {"ID_MODEL": "One", "ID_VENDOR": "Größe"},
        "usb:v1D6B*": {"ID_VENDOR": "Vendor"},
        "pci:*": {"ID_X": "y"},
    },
    "20-b.hwdb": {f"usb:v{number:04X}*": {"ID_NUMBER": str(number)} for number in range(300)},
}


def made(root: Path, sources: dict[str, dict[str, dict[str, str]]] = SOURCES) -> Path:
    (root / "etc/udev/hwdb.d").mkdir(parents=True)
    for name, matches in sources.items():
        written = "\n".join(
            f"{match}\n" + "".join(f" {key}={value}\n" for key, value in properties.items())
            for match, properties in matches.items()
        )
        (root / "etc/udev/hwdb.d" / name).write_text(written)
    run("systemd-hwdb", f"--root={root}", "update")
    return root / "etc/udev/hwdb.bin"


def test_matches_are_those_of_the_sources(tmp_path: Path) -> None:
    image = made(tmp_path)
    assert hwdb.recognise(opened(image))
    found = hwdb.read(opened(image), budget())
    make_sense(found)
    expected: dict[str, set[str]] = {}
    for name, matches in SOURCES.items():
        lines = (tmp_path / "etc/udev/hwdb.d" / name).read_text().splitlines()
        for match, properties in matches.items():
            for key, value in properties.items():
                line = lines.index(f" {key}={value}", lines.index(match)) + 1
                expected.setdefault(match, set()).add(f" {key}={value}  ({name}:{line})")
    read: dict[str, set[str]] = {}
    match = ""
    for told in content(entries(found)["matches"]).decode().splitlines():
        if told.startswith(" "):
            before, _, source = told.rpartition("  (")
            read[match].add(f"{before}  ({source.rpartition('/')[2]}")
        else:
            match = told
            read[match] = set()
    assert read == expected
    version = run("systemd-hwdb", "--version").decode().split()[1]
    assert facts(found)["systemd_version"] == int(version)


def test_two_databases_differ_in_the_line_that_does(tmp_path: Path) -> None:
    other = SOURCES | {"10-a.hwdb": {"pci:*": {"ID_X": "z"}}}
    compared = compare(made(tmp_path / "a"), made(tmp_path / "b", other))
    assert ("matches",) in {d.path for d in compared.differences}
    assert sum(d.bytes for d in compared.differences) == compared.differing_bytes


def test_cut_and_damaged_databases_are_read_or_refused(tmp_path: Path) -> None:
    whole = made(tmp_path).read_bytes()
    for cut in cuts(whole, 20):
        if hwdb.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                hwdb.read(loaded(cut), budget())
    chance = sum(survives(hwdb.read, hwdb.recognise, damaged) for damaged in flips(whole, 150))
    chance += sum(survives(hwdb.read, hwdb.recognise, damaged) for damaged in flips(whole, 50, within=((8, 72),)))
    assert 0 < chance < 200


def test_a_tree_that_leads_round_in_a_circle_is_refused(tmp_path: Path) -> None:
    whole = bytearray(made(tmp_path).read_bytes())
    (root,) = struct.unpack_from("<Q", whole, 56)
    whole[root + 24 + 8 : root + 24 + 16] = root.to_bytes(8, "little")
    with pytest.raises(UnreadableError, match=r"circle|bytes"):
        hwdb.read(loaded(bytes(whole)), budget())


def test_more_matches_than_allowed_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BeyondLimitError, match="parts in all"):
        hwdb.read(opened(made(tmp_path)), Budget(Limits(streams=100)))
