"""VMDK: VMware's disk images, sparse ones of one file and those made for streams, and descriptors of others."""

import struct
from array import array
from dataclasses import dataclass
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.disks import disk
from ci_toolkit.images.disks.disk import Piece, within
from ci_toolkit.images.entry import Container, Fact, Region
from ci_toolkit.images.limits import Budget

_MAGIC: Final = b"KDMV"
_DESCRIPTOR: Final = b"# Disk DescriptorFile"
_SECTOR: Final = 512
_HEADER: Final = struct.Struct("<4sIIQQQQIQQQB4sH")
_AT_END: Final = 0xFFFF_FFFF_FFFF_FFFF
_ZERO_GRAINS: Final = 1 << 2
_COMPRESSED: Final = 1 << 16
_MARKERS: Final = 1 << 17
_GRAIN_MAX: Final = 4096
# As many entries has every table that is known; a descriptor is a page of text.
_ENTRIES_MAX: Final = 4096
_DIRECTORY_MAX: Final = 1 << 22
_DESCRIPTOR_MAX: Final = 1 << 20
# A disk in parts of 2 GiB has a line for each.
_LINES_MAX: Final = 1024
_EXTENT: Final = "extent_"
_ACCESSES: Final = frozenset({"RW", "RDONLY", "NOACCESS"})
_PARENTLESS: Final = "ffffffff"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    version: int
    flags: int
    capacity: int
    grain: int
    descriptor: int
    descriptor_sectors: int
    entries: int
    redundant: int
    directory: int
    overhead: int
    compression: int

    @property
    def tables(self) -> int:
        return -(-self.capacity // (self.grain * self.entries))


def recognise(data: Data) -> bool:
    head = data.read_at(0, len(_DESCRIPTOR))
    return head == _DESCRIPTOR or (head[:4] == _MAGIC and head[4:8] in (b"\1\0\0\0", b"\2\0\0\0", b"\3\0\0\0"))


def read(data: Data, budget: Budget) -> Container:
    """Read the grain tables. Raises UnreadableError for those that cannot be believed or are cut."""
    if data.read_at(0, len(_DESCRIPTOR)) == _DESCRIPTOR:
        return _described(data, budget)
    header = _header(data, 0)
    regions = disk.spots(data, "header", [(0, _SECTOR)])
    if header.directory == _AT_END:
        # The marker, the header once more, and the marker of the end.
        footer = data.size - 3 * _SECTOR
        header = _header(data, footer + _SECTOR)
        regions += disk.spots(data, "footer", [(footer, 3 * _SECTOR)])
    facts = [Fact(name="disk_size", value=header.capacity * _SECTOR, places=((12, 8),))]
    facts += [Fact(name="format_version", value=header.version, places=((4, 4),))]
    facts += [Fact(name="features", value=header.flags, places=((8, 4),))]
    facts += [Fact(name="grain_size", value=header.grain * _SECTOR, places=((20, 8),))]
    start, length = header.descriptor * _SECTOR, header.descriptor_sectors * _SECTOR
    described, refused = _descriptor(data, start, min(length, _DESCRIPTOR_MAX), budget)
    regions += disk.spots(data, "descriptor", [(start, length)])
    grains = _Grains(data, header, budget)
    inside = None if refused else grains.assemble()
    return disk.container("vmdk", inside, budget, (*facts, *described), (*regions, *grains.regions()), refused)


def _described(data: Data, budget: Budget) -> Container:
    """A descriptor alone: what it names lies in other files, which are not looked for."""
    facts, refused = _descriptor(data, 0, min(data.size, _DESCRIPTOR_MAX), budget)
    extents = [str(fact.value) for fact in facts if fact.name.startswith(_EXTENT)]
    refused = refused or f"the disk lies in {', '.join(map(repr, extents[:4])) or 'other files'}: compare these"
    return disk.container("vmdk", None, budget, facts, disk.spots(data, "descriptor", [(0, data.size)]), refused)


def _descriptor(data: Data, start: int, length: int, budget: Budget) -> tuple[list[Fact], str]:
    """Return what a descriptor says, and why the disk in it is not read, "" if it is."""
    raw = data.read_at(start, length) if start < data.size else b""
    budget.attribute(length)
    facts: dict[str, Fact] = {}
    position = start
    # Each character stands for one byte, so that places can be told.
    for line in raw.partition(b"\0")[0].decode("latin-1").split("\n")[:_LINES_MAX]:
        name, value, offset = _told(line)
        if name == _EXTENT:
            name += str(sum(1 for known in facts if known.startswith(_EXTENT)))
        if name:
            facts[name] = Fact(name=name, value=value, places=((position + offset, len(value)),))
        position += len(line) + 1
    parent = facts.get("parentCID")
    if parent is not None and parent.value != _PARENTLESS:
        return list(facts.values()), "the disk image holds only what differs from another one"
    return list(facts.values()), ""


def _told(line: str) -> tuple[str, str, int]:
    """Return the name that LINE of a descriptor gives a value, "" for none, that value, and where it begins."""
    before, quote, quoted = line.partition('"')
    if line.partition(" ")[0] in _ACCESSES and quote:
        # An extent is named after the file that it was written to.
        return _EXTENT, quoted.partition('"')[0], len(before) + 1
    name, sign, value = line.partition("=")
    if not sign or line.startswith("#"):
        return "", "", 0
    return name.strip(), value.strip(' "\r'), len(line) - len(value.lstrip(' "'))


def _header(data: Data, place: int) -> _Header:
    raw = within(data, place, _HEADER.size, "the header") if place >= 0 else b""
    if raw[:4] != _MAGIC:
        raise UnreadableError(f"there is no footer at the end, byte {data.size}: the image is cut")
    (
        _, version, flags, capacity, grain, descriptor, descriptor_sectors, entries, redundant, directory, overhead,
        _, newlines, compression,
    ) = _HEADER.unpack(raw)  # fmt: skip
    if newlines != b"\n \r\n" or not 0 < grain <= _GRAIN_MAX or grain & grain - 1 or not 0 < entries <= _ENTRIES_MAX:
        raise UnreadableError("the header of the disk image is damaged")
    header = _Header(
        version=version, flags=flags, capacity=capacity, grain=grain, descriptor=descriptor,
        descriptor_sectors=descriptor_sectors, entries=entries, redundant=redundant, directory=directory,
        overhead=overhead, compression=compression,
    )  # fmt: skip
    if header.tables > _DIRECTORY_MAX or capacity >= 1 << 53 or (flags & _COMPRESSED and compression != 1):
        raise UnreadableError("the header of the disk image is damaged")
    return header


class _Grains:
    """Follows the grain directory, and remembers where its tables lie."""

    def __init__(self, data: Data, header: _Header, budget: Budget) -> None:
        self._data, self._header, self._budget = data, header, budget
        budget.attribute(header.tables * 4)
        self._tables = self._directory(header.directory, "the grain directory")
        if len(set(self._tables) - {0}) < sum(1 for table in self._tables if table):
            raise UnreadableError("two parts of the disk share one grain table")

    def assemble(self) -> Data:
        header = self._header
        size = header.grain * _SECTOR
        pieces: list[Piece] = []
        packed: dict[int, tuple[int, int]] = {}
        for number, table in enumerate(self._tables):
            if not table:
                continue
            self._budget.attribute(header.entries * 4)
            raw = within(self._data, table * _SECTOR, header.entries * 4, "a grain table")
            start = number * header.entries * size
            for place, sector in enumerate(array("I", raw) if any(raw) else ()):
                if sector == 0 or (sector == 1 and header.flags & _ZERO_GRAINS):
                    continue
                if header.flags & _COMPRESSED:
                    packed[start + place * size] = self._packed(sector * _SECTOR)
                else:
                    pieces.append((start + place * size, size, sector * _SECTOR))
        return disk.patched(self._data, pieces, packed, size, header.capacity * _SECTOR, disk.unzip)

    def regions(self) -> list[Region]:
        header = self._header
        span = header.entries * 4
        copies = [(self._tables, "grain tables", header.directory)]
        if header.flags & 2 and header.redundant and header.redundant != _AT_END:
            copies.append((self._copy(), "copy of the grain tables", header.redundant))
        return [
            region
            for tables, name, directory in copies
            for region in (
                *disk.spots(self._data, name, [(directory * _SECTOR, header.tables * 4)]),
                *disk.spots(self._data, name, [(table * _SECTOR, span) for table in dict.fromkeys(tables) if table]),
            )
        ]

    def _directory(self, sector: int, what: str) -> list[int]:
        return list(array("I", within(self._data, sector * _SECTOR, self._header.tables * 4, what)))

    def _copy(self) -> list[int]:
        try:
            return self._directory(self._header.redundant, "the copy of the grain directory")
        except UnreadableError:
            return []

    def _packed(self, offset: int) -> tuple[int, int]:
        """Return where the stream of a compressed grain lies: behind a marker with its place and length."""
        self._budget.stream()
        self._budget.decompress(self._header.grain * _SECTOR)
        before = 12 if self._header.flags & _MARKERS else 4
        marker = within(self._data, offset, before, "a compressed grain")
        length = int.from_bytes(marker[-4:], "little")
        if offset + before + length > self._data.size:
            raise UnreadableError(f"a compressed grain at byte {offset} is cut at byte {self._data.size}")
        return offset + before, length
