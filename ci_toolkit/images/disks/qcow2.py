"""qcow2, versions 2 and 3: QEMU's own disk images (docs/interop/qcow2.txt of QEMU)."""

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.disks import disk
from ci_toolkit.images.disks.disk import Piece, within
from ci_toolkit.images.entry import Container, Fact, Region, text
from ci_toolkit.images.limits import Budget

_MAGIC: Final = b"QFI\xfb"
_HEADER: Final = struct.Struct(">4sIQIIQIIQQIIQ")
_MORE: Final = struct.Struct(">QQQII")
_SNAPSHOT: Final = struct.Struct(">QIHHIIQII")
_OFFSET: Final = 0x00FF_FFFF_FFFF_FE00
_COMPRESSED: Final = 1 << 62
_EXTERNAL_DATA: Final = 1 << 2
_EXTENDED: Final = 1 << 4
_ZSTD: Final = 1
# QEMU reads no more.
_L1_MAX: Final = 32 << 20
_REFCOUNTS_MAX: Final = 8 << 20
_SNAPSHOTS_MAX: Final = 65536
_NAME_MAX: Final = 1023
_SUBCLUSTERS: Final = 32
_EXTENSIONS_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    version: int
    backing: tuple[int, int]
    bits: int
    size: int
    encryption: int
    l1_entries: int
    l1: int
    refcounts: int
    refcount_clusters: int
    snapshots: int
    snapshot_table: int
    incompatible: int = 0
    compatible: int = 0
    autoclear: int = 0
    refcount_order: int = 4
    length: int = 72
    compression: int = 0

    @property
    def cluster(self) -> int:
        return 1 << self.bits

    @property
    def entry(self) -> int:
        return 16 if self.incompatible & _EXTENDED else 8


def recognise(data: Data) -> bool:
    head = data.read_at(0, 8)
    return head[:4] == _MAGIC and head[4:] in (b"\0\0\0\2", b"\0\0\0\3")


def read(data: Data, budget: Budget) -> Container:
    """Read the tables of the active layer. Raises UnreadableError for tables that cannot be believed or are cut."""
    header = _header(data)
    tables = _Tables(data, header, budget)
    refused = _refused(data, header)
    inside = None if refused else tables.assemble()
    names = _snapshots(data, header, tables, budget)
    return disk.container(
        "qcow2", inside, budget, (*_facts(data, header), *names), tables.regions(), refused
    )  # fmt: skip


def _header(data: Data) -> _Header:
    raw = within(data, 0, _HEADER.size, "the header")
    _, version, backing, backing_size, bits, size, crypt, l1_size, l1, refs, ref_clusters, snapshots, table = (
        _HEADER.unpack(raw)
    )
    more = within(data, _HEADER.size, _MORE.size, "the header") if version > 2 else b""
    incompatible, compatible, autoclear, order, length = _MORE.unpack(more) if more else (0, 0, 0, 4, 72)
    header = _Header(
        version=version, backing=(backing, backing_size), bits=bits, size=size, encryption=crypt,
        l1_entries=l1_size, l1=l1, refcounts=refs, refcount_clusters=ref_clusters,
        snapshots=snapshots, snapshot_table=table,
        incompatible=incompatible, compatible=compatible, autoclear=autoclear, refcount_order=order, length=length,
        compression=data.read_at(104, 1)[0] if length > 104 and data.size > 104 else 0,
    )  # fmt: skip
    if not 9 <= bits <= 21 or (header.incompatible & _EXTENDED and bits < 14) or size >= 1 << 62:
        raise UnreadableError("the header of the disk image is damaged")
    covered = header.l1_entries * (header.cluster // header.entry) * header.cluster
    if l1_size * 8 > _L1_MAX or covered < size or ref_clusters << bits > _REFCOUNTS_MAX or order > 6:
        raise UnreadableError("the header of the disk image is damaged")
    if header.compression > _ZSTD:
        raise UnreadableError(f"the compression {header.compression} of the disk image is not known")
    return header


def _refused(data: Data, header: _Header) -> str:
    offset, size = header.backing
    if offset:
        name = text(data.read_at(offset, min(size, _NAME_MAX)))
        return f"the disk image holds only what differs from another one, {name!r}"
    if header.incompatible & _EXTERNAL_DATA:
        return "the disk lies in a file of its own, of which this one holds the tables"
    return "the disk image is encrypted" if header.encryption else ""


class _Tables:
    """Follows the two levels of tables, and remembers where they lie."""

    def __init__(self, data: Data, header: _Header, budget: Budget) -> None:
        self._data, self._header, self._budget = data, header, budget
        self._packed: dict[int, tuple[int, int]] = {}
        self.snapshot_span = (header.snapshot_table, 0)
        budget.attribute(header.l1_entries * 8 + (header.refcount_clusters << header.bits))
        first = within(data, header.l1, header.l1_entries * 8, "the first table of clusters") if header.size else b""
        self._l2 = [entry & _OFFSET for entry in _words(first)]
        if len({table for table in self._l2 if table}) < sum(1 for table in self._l2 if table):
            raise UnreadableError("two parts of the disk share one table of clusters")

    def assemble(self) -> Data:
        unpack = disk.unzstd if self._header.compression == _ZSTD else disk.inflate
        pieces = list(self._pieces())
        return disk.patched(self._data, pieces, self._packed, self._header.cluster, self._header.size, unpack)

    def regions(self) -> list[Region]:
        header, size = self._header, self._header.cluster
        blocks = _words(self._data.read_at(header.refcounts, header.refcount_clusters << header.bits))
        spans = (
            ("header", [(0, size)]),
            ("cluster tables", [(header.l1, header.l1_entries * 8)]),
            ("cluster tables", [(table, size) for table in self._l2 if table]),
            ("reference counts", [(header.refcounts, header.refcount_clusters << header.bits)]),
            ("reference counts", [(block & _OFFSET, size) for block in dict.fromkeys(blocks) if block]),
            ("snapshot table", [self.snapshot_span]),
        )
        return [region for name, places in spans for region in disk.spots(self._data, name, places)]

    def _pieces(self) -> Iterator[Piece]:
        header = self._header
        reach = header.cluster // header.entry << header.bits
        for number, table in enumerate(self._l2):
            if not table or number * reach >= header.size:
                continue
            self._budget.attribute(header.cluster)
            raw = within(self._data, table, header.cluster, "a table of clusters")
            if any(raw):
                yield from self._followed(number * reach, _words(raw))

    def _followed(self, start: int, words: "array[int]") -> Iterator[Piece]:
        """Yield the pieces that the second table for START on names."""
        size = self._header.cluster
        extended = self._header.entry == 16
        for place, word in enumerate(words[::2] if extended else words):
            position = start + place * size
            if not word and not extended:
                continue
            if word & _COMPRESSED:
                self._compressed(position, word)
            elif extended:
                yield from _subclusters(position, word & _OFFSET, words[2 * place + 1], size)
            elif word & _OFFSET and not (word & 1 and self._header.version > 2):
                yield position, size, word & _OFFSET

    def _compressed(self, position: int, word: int) -> None:
        shift = 62 - (self._header.bits - 8)
        offset = word & (1 << shift) - 1
        sectors = (word >> shift & (1 << self._header.bits - 8) - 1) + 1
        length = sectors * 512 - offset % 512
        if offset >= self._data.size:
            raise UnreadableError(f"a compressed cluster lies at byte {offset}, beyond the end: the image is cut")
        if position < self._header.size:
            self._budget.stream()
            self._budget.decompress(self._header.cluster)
            self._packed[position] = offset, length


def _subclusters(position: int, offset: int, bitmap: int, size: int) -> Iterator[Piece]:
    """Yield the allocated ones of the 32 parts of a cluster; others are read as zeros."""
    if offset and bitmap & 0xFFFF_FFFF == 0xFFFF_FFFF:
        yield position, size, offset
    elif offset:
        unit = size // _SUBCLUSTERS
        for number in range(_SUBCLUSTERS):
            if bitmap >> number & 1:
                yield position + number * unit, unit, offset + number * unit


def _words(raw: bytes) -> "array[int]":
    words = array("Q", raw[: len(raw) // 8 * 8])
    words.byteswap()
    return words


def _facts(data: Data, header: _Header) -> Iterator[Fact]:
    yield Fact(name="version", value=header.version, places=((4, 4),))
    yield Fact(name="cluster_size", value=header.cluster, places=((20, 4),))
    yield Fact(name="disk_size", value=header.size, places=((24, 8),))
    yield Fact(name="encryption", value=header.encryption, places=((32, 4),))
    yield Fact(name="snapshots", value=header.snapshots, places=((60, 4),))
    if header.backing[0]:
        name = text(data.read_at(header.backing[0], min(header.backing[1], _NAME_MAX)))
        yield Fact(name="backing_file", value=name, places=(header.backing,))
    if header.version > 2:
        yield Fact(name="features_incompatible", value=header.incompatible, places=((72, 8),))
        yield Fact(name="features_compatible", value=header.compatible, places=((80, 8),))
        yield Fact(name="features_autoclear", value=header.autoclear, places=((88, 8),))
        yield Fact(name="refcount_bits", value=1 << header.refcount_order, places=((96, 4),))
        if header.length > 104:
            yield Fact(name="compression", value=("zlib", "zstd")[header.compression], places=((104, 1),))
    yield from _extensions(data, header)


def _extensions(data: Data, header: _Header) -> Iterator[Fact]:
    """Yield what lies between header and backing file name, apart from the names of features, which never vary."""
    position = header.length
    for _ in range(_EXTENSIONS_MAX):
        head = data.read_at(position, 8)
        if len(head) < 8 or position + 8 > header.cluster:
            return
        kind, length = struct.unpack(">II", head)
        if kind == 0 or length > header.cluster:
            return
        if kind != 0x6803F857:
            value = data.read_at(position + 8, min(length, _NAME_MAX))
            yield Fact(name=f"extension_{kind:08x}", value=value, places=((position + 8, length),))
        position += 8 + -(-length // 8) * 8


def _snapshots(data: Data, header: _Header, tables: _Tables, budget: Budget) -> list[Fact]:
    """Name the snapshots; what they hold is not looked into."""
    found: list[Fact] = []
    if header.snapshots > _SNAPSHOTS_MAX:
        raise UnreadableError(f"the disk image has {header.snapshots} snapshots")
    position = header.snapshot_table
    for number in range(header.snapshots):
        raw = within(data, position, _SNAPSHOT.size, "the table of snapshots")
        _, _, id_size, name_size, seconds, nanoseconds, _, _, extra = _SNAPSHOT.unpack(raw)
        names = position + _SNAPSHOT.size + extra
        within(data, names, id_size + name_size, "the table of snapshots")
        budget.attribute(_SNAPSHOT.size + name_size)
        name = text(data.read_at(names + id_size, min(name_size, _NAME_MAX)))
        moment = seconds * 10**9 + nanoseconds
        found.append(Fact(name=f"snapshot_{number}", value=name, places=((names + id_size, name_size),)))
        found.append(Fact(name=f"snapshot_{number}_time", value=moment, places=((position + 16, 8),)))
        position += -(-(_SNAPSHOT.size + extra + id_size + name_size) // 8) * 8
    tables.snapshot_span = (header.snapshot_table, position - header.snapshot_table)
    return found
