"""ELF files: programs, libraries, objects, and kernel modules with the signature after them."""

from collections.abc import Sequence
from typing import Final

from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Fact, Kind, Region
from ci_toolkit.images.executables import elf_dynamic, elf_headers
from ci_toolkit.images.executables.elf_headers import MAGIC, NOBITS, NOTE, PT_NOTE, Header, Section, Segment
from ci_toolkit.images.limits import Budget

_SIGNED: Final = b"~Module signature appended~\n"
_SIGNATURE_INFO: Final = 12
_DEBUG_LINK: Final = ".gnu_debuglink"
_SEGMENTS: Final = {1: "load", 2: "dynamic", 3: "interpreter", 4: "note", 6: "program headers", 7: "thread-local"}


def recognise(data: Data) -> bool:
    head = data.read_at(0, 7)
    # Width, byte order and version are 1 or 2, 1 or 2, and 1.
    return len(head) == 7 and head[:4] == MAGIC and head[4] in (1, 2) and head[5] in (1, 2) and head[6] == 1


def read(data: Data, budget: Budget) -> Container:
    """Read the headers; every section is a member, or every segment where there is no table of sections.

    Raises UnreadableError for headers that are damaged, and for a file that is cut.
    """
    header = elf_headers.header(data)
    sections = elf_headers.sections(data, header, budget)
    segments = elf_headers.segments(data, header, budget)
    known = _known(data, header, sections, segments)
    if sections:
        entries = [_section(data, section, told=bool(known.get(section.name))) for section in sections]
    else:
        entries = [_segment(data, number, segment) for number, segment in enumerate(segments, 1)]
    tables = (
        ("ELF header", 0, min(header.size, data.size)),
        ("program headers", header.segments_at, header.segment_count * header.segment_size),
        ("section headers", header.sections_at, header.section_count * header.section_size),
    )
    regions = [
        Region(name=name, data=data.window(start, size))
        for name, start, size in tables
        if start + size <= data.size and size
    ]
    end = max(
        *(start + size for _, start, size in tables),
        *(section.offset + section.size for section in sections if section.kind != NOBITS),
        *(segment.offset + segment.size for segment in segments),
        0,
    )
    signature = _signature(data, end)
    if signature is not None:
        regions.append(Region(name="module signature", data=data.window(signature, data.size - signature)))
    last = data.size if signature is None else signature
    if end < last:
        # As in an AppImage, whose file system follows the program that mounts it.
        rest = data.window(end, last - end)
        entries.append(Entry(path="appended data", kind=Kind.FILE, size=rest.size, data=rest))
    facts = [
        *_facts(header),
        *elf_dynamic.dynamic(data, header, segments),
        *(f for told in known.values() for f in told),
    ]
    return Container(
        format="elf", entries=tuple(entries), facts=tuple(facts), regions=tuple(regions), remainder="padding"
    )


def _known(
    data: Data, header: Header, sections: Sequence[Section], segments: Sequence[Segment]
) -> dict[str, tuple[Fact, ...]]:
    """Return the facts that make up a whole section, by its name."""
    found: dict[str, tuple[Fact, ...]] = {}
    for section in sections:
        if section.name == _DEBUG_LINK and section.name not in found:
            found[section.name] = tuple(elf_dynamic.debug_link(data, section.offset, section.size))
        elif section.kind == NOTE and section.name == ".note.gnu.build-id" and section.name not in found:
            fact = elf_dynamic.build_id(data, section.offset, section.size, header.order)
            found[section.name] = (fact,) if fact is not None else ()
    if not sections:
        notes = (
            elf_dynamic.build_id(data, segment.offset, segment.size, header.order)
            for segment in segments
            if segment.kind == PT_NOTE
        )
        fact = next((note for note in notes if note is not None), None)
        found[""] = (fact,) if fact is not None else ()
    return found


def _section(data: Data, section: Section, *, told: bool) -> Entry:
    """Return a section; without its bytes where the facts TOLD them already."""
    place = section.header_at
    stored = section.kind not in (0, NOBITS) and section.size > 0
    return Entry(
        path=section.name,
        kind=Kind.SECTION,
        size=section.size if stored and not told else 0,
        facts=(
            Fact(name="section_type", value=section.kind, places=((place + 4, 4),)),
            Fact(name="section_flags", value=section.flags),
            Fact(name="virtual_address", value=section.address),
            Fact(name="virtual_size", value=section.size if section.kind == NOBITS else None),
        ),
        data=data.window(section.offset, section.size) if stored and not told else None,
    )


def _segment(data: Data, number: int, segment: Segment) -> Entry:
    title = _SEGMENTS.get(segment.kind, f"{segment.kind:#x}")
    size = max(0, min(segment.size, data.size - segment.offset))
    return Entry(
        path=f"segment {number} ({title})",
        kind=Kind.SECTION,
        size=size,
        facts=(Fact(name="virtual_address", value=segment.address),),
        data=data.window(segment.offset, size) if size else None,
    )


def _facts(header: Header) -> tuple[Fact, ...]:
    width = 8 if header.wide else 4
    return (
        Fact(name="class", value=64 if header.wide else 32, places=((4, 1),)),
        Fact(name="byte_order", value="big" if header.order == ">" else "little", places=((5, 1),)),
        Fact(name="system", value=header.system, places=((7, 1),)),
        Fact(name="type", value=header.kind, places=((16, 2),)),
        Fact(name="machine", value=header.machine, places=((18, 2),)),
        Fact(name="entry_point", value=header.entry_point, places=((24, width),)),
        Fact(name="flags", value=header.flags, places=((header.flags_at, 4),)),
    )


def _signature(data: Data, end: int) -> int | None:
    """Return where the signature of a kernel module begins, which ends with its own length and a magic word."""
    size = _SIGNATURE_INFO + len(_SIGNED)
    tail = data.read_at(max(0, data.size - size), size)
    if len(tail) < size or not tail.endswith(_SIGNED):
        return None
    start = data.size - size - int.from_bytes(tail[8:12], "big")
    return start if start >= end else None
