"""What boots from an ISO image: the catalogue of El Torito, and partition tables for when it lies on a disk."""

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Fact, Kind
from ci_toolkit.images.filesystems.iso9660_volume import SECTOR
from ci_toolkit.images.limits import Budget
from ci_toolkit.images.partitions import gpt, mbr

_RECORD: Final = 32
# As many images as firmware shows would fill one sector.
_RECORDS_MAX: Final = 256
_PLATFORMS: Final = {0: "BIOS", 1: "PowerPC", 2: "Mac", 0xEF: "UEFI"}
_MEDIA: Final = {0: "none", 1: "floppy 1.2M", 2: "floppy 1.44M", 3: "floppy 2.88M", 4: "hard disk"}
_FLOPPIES: Final = {1: 1_228_800, 2: 1_474_560, 3: 2_949_120}
# Firmware takes a size of none or one sector for "up to the end".
_UNSIZED: Final = 1


def table(data: Data, budget: Budget) -> Container | None:
    """Return the partition table in the system area, None where there is none. Raises UnreadableError."""
    if gpt.recognise(data):
        return gpt.read(data, budget)
    return mbr.read(data, budget) if mbr.recognise(data) else None


def partitions(found: Container, taken: Mapping[int, int]) -> Iterator[tuple[int, Entry]]:
    """Yield the partitions with where they begin, those that hold some of what is TAKEN without their content.

    TAKEN are the sizes of all that the volume itself holds, by where it begins.
    """
    places = sorted(taken)
    sector = next((fact.value for fact in found.facts if fact.name == "sector_size"), 512)
    for entry in found.entries:
        first = next(fact.value for fact in entry.facts if fact.name == "first_lba")
        assert isinstance(first, int) and isinstance(sector, int)
        start = first * sector
        apart = bisect_left(places, start) == bisect_left(places, start + entry.size)
        yield start, entry._replace(
            path=f"[partition]/{entry.path}", number=None, data=entry.data if apart else None
        )  # fmt: skip


def images(data: Data, catalogue: int, end: int, taken: Mapping[int, int], budget: Budget) -> Iterator[Entry]:
    """Yield the boot images, without their content where TAKEN (size by offset) has it already. END is the volume's.

    Raises UnreadableError for a catalogue that cannot be believed.
    """
    places = sorted(taken)
    for number, (platform, place, raw) in enumerate(_records(data, catalogue), 1):
        budget.member("")
        media, segment, count = raw[1] & 0xF, *struct.unpack_from("<H2xH", raw, 2)
        (block,) = struct.unpack_from("<I", raw, 8)
        start = block * SECTOR
        size = _FLOPPIES.get(media, count * 512)
        if media == 0 and count <= _UNSIZED:
            size = min((place for place in places[bisect_right(places, start) :][:1]), default=end) - start
        content = None
        if start in taken:
            size = taken[start]
        elif size > 0 and start + size <= data.size:
            content = data.window(start, size)
        facts = (
            Fact(name="platform", value=_PLATFORMS.get(platform, str(platform))),
            Fact(name="bootable", value=int(raw[0] == 0x88), places=((place, 1),)),
            Fact(name="emulation", value=_MEDIA.get(media, str(media)), places=((place + 1, 1),)),
            Fact(name="load_segment", value=segment, places=((place + 2, 2),)),
            Fact(name="sectors", value=count, places=((place + 6, 2),)),
            Fact(name="first_block", value=block, places=((place + 8, 4),)),
        )
        yield Entry(path=f"[boot]/{number}", kind=Kind.PARTITION, size=max(0, size), facts=facts, data=content)


def catalogue_facts(data: Data, catalogue: int) -> Iterator[Fact]:
    raw = data.read_at(catalogue, _RECORD)
    yield Fact(
        name="boot_catalogue_id", value=raw[4:28].rstrip(b"\0 ").decode("latin-1"), places=((catalogue + 4, 24),)
    )
    yield Fact(name="boot_catalogue_block", value=catalogue // SECTOR)


def _records(data: Data, catalogue: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield the platform, the place and the bytes of each image's record."""
    head = data.read_at(catalogue, _RECORD)
    if len(head) < _RECORD or head[0] != 1 or head[30:] != b"\x55\xaa":
        raise UnreadableError(f"the boot catalogue at byte {catalogue} is damaged")
    platform = head[1]
    left = 1
    more = True
    for number in range(1, _RECORDS_MAX):
        place = catalogue + number * _RECORD
        raw = data.read_at(place, _RECORD)
        if len(raw) < _RECORD:
            return
        if left:
            left -= 1
            yield platform, place, raw
        elif raw[0] in (0x90, 0x91) and more:
            platform, (left,) = raw[1], struct.unpack_from("<H", raw, 2)
            more = raw[0] == 0x90
        elif raw[0] != 0x44:
            return
