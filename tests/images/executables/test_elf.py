"""ELF files made by gcc, as, ld, strip and objcopy, against readelf."""

import re
import struct
import zlib
from pathlib import Path

import pytest
from bench import cause, changed, run
from specimens import SMALL, budget, content, cuts, facts, flips, loaded, make_sense, opened, survives
from truths import cmp

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.explain import explain
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import Container, Kind
from ci_toolkit.images.executables import elf
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits

SOURCE = "#include <stdio.h>\nstatic char room[10000];\nint main(void) { puts(%s); return room[1]; }\n"
FORMS = ("program", "stripped", "library", "object", "debug", "32 bits", "big")


def compiled(directory: Path, *options: str, name: str = "a", text: str = '"text"') -> Path:
    (directory / f"{name}.c").write_text(SOURCE % text)
    run("gcc", "-g", "-Wl,--build-id=sha1", "-o", name, f"{name}.c", *options, cwd=directory)
    return directory / name


def made(directory: Path, form: str) -> Path:
    target = directory / "made"
    if form == "32 bits":
        run(
            "as",
            "--32",
            "-o",
            directory / "a.o",
            "-",
            stdin=b".globl _start\n_start: ret\n.data\n.long 1\n.bss\n.space 99\n",
        )
        run("ld", "-m", "elf_i386", "--build-id", "-o", target, directory / "a.o")
        return target
    if form == "library":
        return compiled(directory, "-shared", "-fPIC", "-Wl,-soname,libmade.so.1", "-Wl,-rpath,/opt/lib:/opt/more")
    if form == "object":
        return compiled(directory, "-c", "-ffunction-sections")
    program = compiled(directory)
    if form == "stripped":
        run("objcopy", "--only-keep-debug", program, directory / "made.debug")
        run("strip", "-o", target, program)
        run("objcopy", f"--add-gnu-debuglink={directory / 'made.debug'}", target)
        return target
    if form == "debug":
        run("objcopy", "--only-keep-debug", program, target)
        return target
    if form == "big":
        run("objcopy", "-I", "binary", "-O", "elf64-big", directory / "a.c", target)
        return target
    return program


@pytest.fixture(scope="module", params=FORMS)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("elf"), request.param)


@pytest.fixture(scope="module")
def found(image: Path) -> Container:
    assert elf.recognise(opened(image))
    container = elf.read(opened(image), budget())
    make_sense(container)
    return container


def readelf(image: Path, *options: str) -> str:
    return run("readelf", "--wide", *options, image).decode()


def test_sections_are_those_that_readelf_lists(image: Path, found: Container) -> None:
    row = r"^ +\[ *\d+\] (\S+) +(\S+) +([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) "
    listed = re.findall(row, readelf(image, "--sections"), re.MULTILINE)
    assert [entry.path for entry in found.entries] == [name for name, *_ in listed]
    whole = image.read_bytes()
    told = (".note.gnu.build-id", ".gnu_debuglink")
    for entry, (name, kind, address, offset, size) in zip(found.entries, listed, strict=True):
        assert entry.kind is Kind.SECTION
        assert facts(entry)["virtual_address"] == int(address, 16)
        if kind == "NOBITS":
            assert (entry.data, facts(entry)["virtual_size"]) == (None, int(size, 16))
        elif name not in told and int(size, 16):
            assert content(entry) == whole[int(offset, 16) :][: int(size, 16)]


def test_headers_are_those_that_readelf_says(image: Path, found: Container) -> None:
    printed = readelf(image, "--file-header")
    known = facts(found)
    assert known["class"] == int(str(re.search(r"Class: +ELF(\d+)", printed)[1]))  # type: ignore[index]
    assert f"{known['byte_order']} endian" in printed
    assert known["entry_point"] == int(str(re.search(r"Entry point address: +0x(\w+)", printed)[1]), 16)  # type: ignore[index]
    assert known["flags"] == int(str(re.search(r"Flags: +0x(\w+)", printed)[1]), 16)  # type: ignore[index]


def test_what_the_loader_is_told_is_what_readelf_says(image: Path, found: Container) -> None:
    known = facts(found)
    printed = readelf(image, "--dynamic")
    assert known.get("needed", ()) == tuple(re.findall(r"\(NEEDED\).*\[(.*)\]", printed))
    assert known.get("soname", ()) == tuple(re.findall(r"\(SONAME\).*\[(.*)\]", printed))
    assert known.get("runpath", known.get("rpath", ())) == tuple(re.findall(r"\(R(?:UN)?PATH\).*\[(.*)\]", printed))
    interpreters = re.findall(r"program interpreter: (.*)\]", readelf(image, "--program-headers"))
    # Of what holds debugging information only, the segments are there and their bytes are not.
    if interpreters and "NOBITS" not in str(re.search(r"\.interp +\S+", readelf(image, "--sections"))):
        assert [known["interpreter"]] == interpreters
    identifiers = re.findall(r"Build ID: (\w+)", readelf(image, "--notes"))
    assert identifiers == ([known["build_id"]] if "build_id" in known else [])


def test_the_link_to_debugging_information_is_a_fact(tmp_path: Path) -> None:
    image = made(tmp_path, "stripped")
    known = facts(elf.read(opened(image), budget()))
    assert known["debug_link"] == "made.debug"
    checksum = zlib.crc32((tmp_path / "made.debug").read_bytes())
    assert known["debug_link_checksum"] == checksum.to_bytes(4, "little").hex()


def test_facts_lie_where_they_say(image: Path, found: Container) -> None:
    whole = image.read_bytes()
    (places,) = [fact.places for fact in found.facts if fact.name == "build_id"] or [((0, 0),)]
    ((offset, length),) = places
    assert whole[offset : offset + length].hex() == facts(found).get("build_id", "")


def test_segments_stand_in_for_sections_that_are_not_listed(tmp_path: Path) -> None:
    image = made(tmp_path, "program")
    whole = bytearray(image.read_bytes())
    identifier = facts(elf.read(opened(image), budget()))["build_id"]
    whole[40:48] = bytes(8)
    whole[58:64] = bytes(6)
    image.write_bytes(whole)
    found = elf.read(opened(image), budget())
    printed = re.findall(r"^  (\S+) +0x(\w+) 0x(\w+) 0x\w+ 0x(\w+)", readelf(image, "--program-headers"), re.MULTILINE)
    listed = [entry for entry in found.entries if entry.path != "appended data"]
    assert [entry.size for entry in listed] == [int(size, 16) for *_, size in printed]
    assert facts(found)["build_id"] == identifier
    assert facts(found)["needed"] == ("libc.so.6",)


def test_what_is_appended_to_a_program_is_a_file_of_its_own(tmp_path: Path) -> None:
    whole = made(tmp_path, "stripped").read_bytes()
    found = elf.read(loaded(whole + b"a file system"), budget())
    assert (found.entries[-1].path, found.entries[-1].kind) == ("appended data", Kind.FILE)
    assert content(found.entries[-1]) == b"a file system"


def test_two_programs_differ_in_the_section_that_does(tmp_path: Path) -> None:
    one, other = compiled(tmp_path, text='"text one"'), compiled(tmp_path, name="b", text='"text two"')
    for program in (one, other):
        run("strip", program)
    compared = compare(one, other)
    assert {d.path for d in compared.differences if d.field is Field.CONTENT and not d.opened} == {(".rodata",)}
    assert {d.name for d in compared.differences if d.field is Field.HEADER} == {"build_id"}
    assert (compared.differing_bytes, compared.first_offset) == cmp(one, other)
    assert sum(d.bytes for d in compared.differences) == compared.differing_bytes
    found = explain(compared.differences, Facts())
    assert {told.cause for told in found if not told.consequence_of} == {"unknown"}
    assert all(told.consequence_of == ("unknown",) for told in found if told.cause != "unknown")


def signed(directory: Path, module: Path, name: str) -> Path:
    """Sign as the kernel's build does: the signature, what it is, and a word that says so."""
    key, certificate = directory / f"{name}.key", directory / f"{name}.crt"
    run(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        f"/CN={name}",
        "-keyout",
        key,
        "-out",
        certificate,
    )
    signature = run(
        "openssl", "cms", "-sign", "-binary", "-noattr", "-nocerts", "-nosmimecap", "-md", "sha256", "-outform", "DER",
        "-signer", certificate, "-inkey", key, "-in", module,
    )  # fmt: skip
    info = struct.pack(">BBBBBxxxI", 0, 0, 2, 0, 0, len(signature))
    target = directory / f"{name}.ko"
    target.write_bytes(module.read_bytes() + signature + info + b"~Module signature appended~\n")
    return target


def test_the_signature_of_a_module_is_apart(tmp_path: Path) -> None:
    module = tmp_path / "module.o"
    run("as", "-o", module, "-", stdin=b'.section .modinfo,"a"\n.asciz "license=GPL"\n')
    one, other = signed(tmp_path, module, "one"), signed(tmp_path, module, "two")
    assert b"PKCS#7" in run("modinfo", "-F", "sig_id", one)
    compared = compare(one, other)
    (region,) = [d for d in compared.differences if not d.opened]
    assert (region.field, region.name, region.path) == (Field.REGION, "module signature", ())
    assert sum(d.bytes for d in compared.differences) == compared.differing_bytes == cmp(one, other)[0]
    assert cause(region) == "module-signature"
    assert cause(changed("a.ko", one.read_bytes(), other.read_bytes(), opened=True)) == "module-signature"


def test_a_cut_file_is_refused_with_the_reason(image: Path, found: Container) -> None:
    whole = image.read_bytes()
    tables = [region.data.runs[0] for region in found.regions if region.name == "section headers"]
    assert tables[0].offset is not None
    end = tables[0].offset + tables[0].length
    for cut in cuts(whole[:end], 40):
        if elf.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match="cut"):
                elf.read(loaded(cut), budget())


def test_damage_is_read_or_refused(image: Path, found: Container) -> None:
    whole = image.read_bytes()
    areas = tuple((region.data.runs[0].offset or 0, region.data.size) for region in found.regions)
    # The tables, and the header most of all.
    chance = sum(survives(elf.read, elf.recognise, damaged) for damaged in flips(whole, 100, within=areas))
    chance += sum(survives(elf.read, elf.recognise, damaged) for damaged in flips(whole, 100, within=((16, 48),)))
    assert 0 < chance < 200


def test_more_sections_than_allowed_are_refused(tmp_path: Path) -> None:
    source = "".join(f'.section .text.{number},"ax"\nret\n' for number in range(300))
    run("as", "-o", tmp_path / "a.o", "-", stdin=source.encode())
    assert len(elf.read(opened(tmp_path / "a.o"), Budget(SMALL)).entries) > 300
    with pytest.raises(BeyondLimitError, match="more than 300 entries"):
        elf.read(opened(tmp_path / "a.o"), Budget(Limits(members=300)))


def test_more_sections_than_the_header_can_count_are_read(tmp_path: Path) -> None:
    source = "".join(f'.section .text.{number},"ax"\n' for number in range(65_300))
    run("as", "-o", tmp_path / "a.o", "-", stdin=source.encode())
    found = elf.read(opened(tmp_path / "a.o"), Budget(Limits()))
    assert f"There are {len(found.entries) + 1} section headers" in readelf(tmp_path / "a.o", "--sections")[:200]
    assert [entry.path for entry in found.entries if entry.path.startswith(".text.")][-1] == ".text.65299"


def test_nothing_else_is_taken_for_one() -> None:
    for other in (b"", b"\x7fELF", b"\x7fELF\3\1\1" + bytes(100), b"\x7fELF\2\0\1" + bytes(100)):
        assert not elf.recognise(loaded(other))
