"""PE files linked and put together by binutils, against objdump; where systemd's stub is installed, that too."""

import re
import shutil
import struct
from pathlib import Path

import pytest
from bench import run
from specimens import budget, content, cuts, entries, facts, flips, loaded, make_sense, opened, spans, survives

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import Container, Kind
from ci_toolkit.images.executables import pe
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits

STUB = Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
SOURCE = """\
.text
.globl _start
_start: ret
.data
.long 1, 2, 3
.section .rodata
.asciz "constant"
.bss
.space 100000
"""
PARTS = {".osrel": b"NAME=test\n", ".cmdline": b"root=/dev/vda2 quiet", ".linux": bytes(range(256)) * 40, ".empty": b""}


def linked(directory: Path) -> Path:
    run("as", "-o", directory / "a.o", "-", stdin=SOURCE.encode())
    if "i386pep" not in run("ld", "-V").decode():
        pytest.skip("ld does not link PE files")
    run("ld", "-s", "-m", "i386pep", "-e", "_start", "--subsystem", "10", "-o", directory / "a.efi", directory / "a.o")
    return directory / "a.efi"


def unified(stub: Path, directory: Path) -> Path:
    """Add PARTS to a stub, as ukify did in its first releases."""
    options = []
    end = max(address + size for _, size, address, _ in listed(stub))
    for number, (name, part) in enumerate(PARTS.items()):
        (directory / f"part{number}").write_bytes(part)
        address = (end + 0xFFFF & ~0xFFFF) + number * 0x10000
        options += [
            "--add-section",
            f"{name}={directory / f'part{number}'}",
            "--change-section-vma",
            f"{name}={address:#x}",
        ]
    run("objcopy", *options, stub, directory / "unified.efi")
    return directory / "unified.efi"


def listed(image: Path) -> list[tuple[str, int, int, int]]:
    """Name, size, address and offset of each section, as objdump lists them."""
    printed = run("objdump", "--section-headers", "--wide", image).decode()
    rows = re.findall(r"^ +\d+ (\S+) +(\w+) +(\w+) +\w+ +(\w+) +2\*\*", printed, re.MULTILINE)
    assert rows
    return [(name, int(size, 16), int(address, 16), int(offset, 16)) for name, size, address, offset in rows]


@pytest.fixture(scope="module", params=["linked", "unified", "stub", "unified stub"])
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pe")
    if "stub" in request.param and not STUB.exists():
        pytest.skip("systemd's EFI stub is not installed")
    stub = STUB if "stub" in request.param else linked(directory)
    return unified(stub, directory) if "unified" in request.param else stub


@pytest.fixture(scope="module")
def found(image: Path) -> Container:
    assert pe.recognise(opened(image))
    container = pe.read(opened(image), budget())
    make_sense(container)
    return container


def test_sections_lie_where_objdump_says(image: Path, found: Container) -> None:
    # Sections without bytes, like .bss, have no offset.
    expected = [(name, size, offset) for name, size, _, offset in listed(image) if offset and size]
    assert [(entry.path, entry.size, spans(entry.data)[0][0]) for entry in found.entries if entry.data] == expected
    assert all(entry.kind is Kind.SECTION for entry in found.entries)


def test_sections_hold_what_objcopy_takes_out(tmp_path: Path, image: Path, found: Container) -> None:
    for entry in found.entries:
        if f"{entry.path} " in run("objdump", "--section-headers", "--wide", image).decode() and entry.path in PARTS:
            run("objcopy", "--dump-section", f"{entry.path}={tmp_path / 'out'}", image, tmp_path / "copy")
            assert content(entry) == (tmp_path / "out").read_bytes() == PARTS[entry.path]


def test_added_sections_are_there(image: Path, found: Container) -> None:
    if image.name == "unified.efi":
        assert {name for name, part in PARTS.items() if part} <= set(entries(found))


def test_headers_are_those_that_objdump_prints(image: Path, found: Container) -> None:
    printed = run("objdump", "--private-headers", image).decode()
    told = facts(found)

    def number(pattern: str) -> int:
        match = re.search(pattern, printed)
        assert match is not None, printed
        return int(match[1], 16)

    assert told["characteristics"] == number(r"Characteristics 0x(\w+)")
    assert told["checksum"] == number(r"CheckSum\s+(\w+)")
    assert told["machine"] == 0x8664
    assert "pei-x86-64" in printed


def test_facts_lie_at_their_places(image: Path, found: Container) -> None:
    raw = image.read_bytes()
    for fact in found.facts:
        ((offset, length),) = fact.places
        assert int.from_bytes(raw[offset : offset + length], "little") == fact.value


def test_headers_sections_and_padding_cover_the_file_but_for_gaps(image: Path, found: Container) -> None:
    rest = bytearray(image.read_bytes())
    for data in (*(region.data for region in found.regions), *(entry.data for entry in found.entries)):
        for offset, length in spans(data) if data else ():
            rest[offset : offset + length] = bytes(length)
    # Where symbols were kept, they come last and belong to no section.
    (start,) = struct.unpack_from("<I", image.read_bytes(), 0x3C)
    (symbols,) = struct.unpack_from("<I", image.read_bytes(), start + 12)
    assert not any(rest[: symbols or len(rest)])


def test_the_signature_lies_where_objdump_finds_it(tmp_path: Path) -> None:
    if shutil.which("sbsign") is None:
        pytest.skip("sbsign is not installed")
    run("openssl", "req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test/",
        "-keyout", tmp_path / "key", "-out", tmp_path / "certificate")  # fmt: skip
    image = linked(tmp_path)
    run("sbsign", "--key", tmp_path / "key", "--cert", tmp_path / "certificate", "--output", tmp_path / "signed", image)
    match = re.search(
        r"^Entry 4 (\w+) (\w+) Security", run("objdump", "-p", tmp_path / "signed").decode(), re.MULTILINE
    )
    assert match is not None
    assert int(match[1], 16) > 0
    found = pe.read(opened(tmp_path / "signed"), budget())
    (table,) = [region.data for region in found.regions if region.name == "certificate table"]
    assert spans(table) == [(int(match[1], 16), int(match[2], 16))]
    assert not [region for region in pe.read(opened(image), budget()).regions if region.name == "certificate table"]


def test_a_cut_file_is_refused(image: Path) -> None:
    whole = image.read_bytes()[: max(offset + size for _, size, _, offset in listed(image) if offset)]
    for cut in cuts(whole, 40):
        if pe.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                pe.read(loaded(cut), budget())


def test_damage_is_read_or_refused(image: Path) -> None:
    whole = image.read_bytes()
    (start,) = struct.unpack_from("<I", whole, 0x3C)
    areas = ((0x3C, 4), (start, 24), (start + 24, 240), (start + 24 + 240, 40 * 4))
    read = sum(survives(pe.read, pe.recognise, damaged) for damaged in flips(whole, 300, within=areas))
    assert 0 < read < 300


def test_more_sections_than_a_file_may_have_are_refused(tmp_path: Path) -> None:
    raw = bytearray(linked(tmp_path).read_bytes())
    (start,) = struct.unpack_from("<I", raw, 0x3C)
    struct.pack_into("<H", raw, start + 6, 97)
    with pytest.raises(UnreadableError, match="damaged"):
        pe.read(loaded(bytes(raw) + bytes(8192)), budget())


def test_sections_count_as_members(tmp_path: Path) -> None:
    with pytest.raises(BeyondLimitError):
        pe.read(opened(linked(tmp_path)), Budget(Limits(members=1)))


def test_nothing_else_is_taken_for_one() -> None:
    for other in (b"", b"MZ", b"MZ" + bytes(200), b"MZ" + b"\xff" * 200, bytes(512)):
        assert not pe.recognise(loaded(other))
