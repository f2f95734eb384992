"""ISO 9660: names, contents and times of CDs, DVDs and live images, with Rock Ridge, Joliet and El Torito."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import KIND_OF_MODE, Container, Entry, Fact, Kind, Region, text
from ci_toolkit.images.filesystems import iso9660_boot, iso9660_volume
from ci_toolkit.images.filesystems import iso9660_rockridge as rockridge
from ci_toolkit.images.filesystems.iso9660_volume import SECTOR, SYSTEM_AREA, Descriptors, Volume, moment
from ci_toolkit.images.limits import BeyondLimitError, Budget, LongNameError

recognise = iso9660_volume.recognise

_DIRECTORY: Final = 2
_MULTI_EXTENT: Final = 0x80
_DIRECTORY_MAX: Final = 1 << 25
_CATALOGUE: Final = SECTOR


def read(data: Data, budget: Budget) -> Container:
    """Read all directories; what is damaged is skipped with its reason.

    Raises UnreadableError when the volume descriptors cannot be believed or the image is cut.
    """
    descriptors = iso9660_volume.read_descriptors(data)
    main = _Tree(data, descriptors.primary, budget)
    trees = [main]
    if descriptors.joliet is not None:
        trees.append(_Tree(data, descriptors.joliet, budget))
        if not main.has_fields:
            # The names of the first tree are short ones then.
            trees.reverse()
    entries = list(trees[0].walk())
    for other in trees[1:]:
        for _ in other.walk():
            pass
    taken = trees[0].starts
    facts = [*iso9660_volume.facts(descriptors), _extensions(descriptors, main)]
    regions: list[Region] = []
    skipped = [problem for tree in trees for problem in tree.skipped]
    bootable = _Bootable(data, descriptors, budget)
    try:
        entries += bootable.entries(taken)
    except UnreadableError as error:
        skipped.append(("[boot]", error.message))
    facts += bootable.facts
    regions += [*bootable.regions, *_regions(data, descriptors, trees)]
    return Container(
        format="iso9660",
        entries=tuple(entries),
        facts=tuple(facts),
        regions=tuple(regions),
        remainder="padding",
        transparent=True,
        placed=True,
        skipped=tuple(skipped),
    )


class _Record(NamedTuple):
    """One directory record, `place` in the image; `extents` are the (offset, length) of its content."""

    place: int
    length: int
    extents: tuple[tuple[int, int], ...]
    recorded_ns: int | None
    flags: int
    name: bytes
    system_use: bytes

    @property
    def size(self) -> int:
        return sum(length for _, length in self.extents)


class _Tree:
    """One tree of directories and what the walk over it has gathered."""

    def __init__(self, data: Data, volume: Volume, budget: Budget) -> None:
        self.data, self.volume, self.budget = data, volume, budget
        self.directories: list[Data] = []
        self.continuations: dict[tuple[int, int], None] = {}
        # Where in the volume what was found begins, by where it begins in the root, and how long it is.
        self._places: dict[int | None, int] = {}
        self.starts: dict[int, int] = {}
        self.skipped: list[tuple[str, str]] = []
        self._root = self._content(((volume.root[0] * volume.block, volume.root[1]),))
        own = next(iter(self._records(self._root)), None)
        self._skip = None if volume.joliet or own is None else rockridge.skip(own.system_use)
        self._own = own

    @property
    def has_fields(self) -> bool:
        return self._skip is not None

    def walk(self) -> Iterator[Entry]:
        """Yield the root and every name below it, in the order of the records."""
        first = None
        if self._own is not None:
            try:
                first = self._entry("", self._own, self._extras(self._own), self._root)
            except UnreadableError as error:
                self.skipped.append(("", error.message))
        if first is not None:
            yield first
        pending = [("", self._root)]
        seen: set[int | None] = {self._root.runs[0].offset if self._root.runs else None}
        while pending:
            path, content = pending.pop()
            self.directories.append(content)
            below: list[tuple[str, Data]] = []
            try:
                for entry in self._below(path, content):
                    yield entry
                    if entry.kind is Kind.DIRECTORY and entry.data is not None:
                        start = entry.data.runs[0].offset if entry.data.runs else None
                        if start in seen:
                            self.skipped.append((entry.path, "a directory in two places"))
                            continue
                        seen.add(start)
                        below.append((entry.path, entry.data))
            except BeyondLimitError:
                raise
            except UnreadableError as error:
                self.skipped.append((path, error.message))
            pending.extend(reversed(below))

    def _below(self, path: str, content: Data) -> Iterator[Entry]:
        """Yield the entries of one directory; a damaged one is skipped. Raises UnreadableError for a damaged record."""
        for record in self._records(content):
            if record.name in (b"\0", b"\1"):
                continue
            name = f"the record at byte {record.place}"
            try:
                extras = self._extras(record)
                if extras.relocated:
                    continue
                name = self._name(record, extras)
                whole = f"{path}/{name}" if path else name
                self.budget.member(whole, len(extras.target or b""))
                data = self._child(extras.child) if extras.child is not None else self._content(record.extents)
                yield self._entry(whole, record, extras, data)
            except LongNameError as error:
                self.skipped.append((f"{path}/{name}"[: self.budget.limits.path], error.message))
            except BeyondLimitError:
                raise
            except UnreadableError as error:
                self.skipped.append((f"{path}/{name}" if path else name, error.message))

    def _entry(self, path: str, record: _Record, extras: rockridge.Extras, data: Data) -> Entry:
        directory = record.flags & _DIRECTORY or extras.child is not None
        kind = Kind.DIRECTORY if directory else Kind.FILE
        if extras.mode is not None:
            known = KIND_OF_MODE.get(extras.mode & 0o170000)
            if known is None or (known is Kind.DIRECTORY) is not bool(directory):
                raise UnreadableError(f"a mode of {extras.mode:o}")
            kind = known
        times = dict(extras.times)
        modified = times.pop("modified", record.recorded_ns)
        if record.recorded_ns is not None:
            times["recorded"] = record.recorded_ns
        if kind in (Kind.FILE, Kind.DIRECTORY) and data.runs:
            self.starts.setdefault(self._places[data.runs[0].offset], data.size)
        packed = () if extras.packed is None else (Fact(name="zisofs", value=extras.packed),)
        return Entry(
            path=path,
            kind=kind,
            size=data.size if kind in (Kind.FILE, Kind.DIRECTORY) else 0,
            mode=None if extras.mode is None else extras.mode & 0o7777,
            uid=extras.uid,
            gid=extras.gid,
            mtime_ns=modified,
            target=None if kind is not Kind.SYMLINK else text(extras.target or b""),
            device=extras.device if kind in (Kind.CHARACTER, Kind.BLOCK) else None,
            times=tuple(sorted(times.items())),
            inode=extras.inode,
            facts=packed,
            record=(record.place, record.length),
            data=data if kind in (Kind.FILE, Kind.DIRECTORY) else None,
        )

    def _name(self, record: _Record, extras: rockridge.Extras) -> str:
        if extras.name is not None:
            name = text(extras.name)
        elif self.volume.joliet:
            name = record.name.decode("utf-16-be", "replace").partition(";")[0]
        else:
            name = text(record.name.partition(b";")[0]).removesuffix(".")
        if not name or "/" in name or "\0" in name:
            raise UnreadableError("a name that is empty, or holds a slash or a zero byte")
        return name

    def _extras(self, record: _Record) -> rockridge.Extras:
        if self._skip is None:
            return rockridge.Extras()
        # The first record of the root tells how many bytes belong to something else, and has none of them itself.
        skip = 0 if record.name == b"\0" else self._skip
        return rockridge.extras(record.system_use[skip:], self._continued)

    def _continued(self, place: rockridge.Continuation) -> bytes:
        block, offset, length = place
        start = block * self.volume.block + offset
        if length > SECTOR or start + length > self.data.size:
            raise UnreadableError(f"a record goes on at byte {start}, where it cannot")
        self.continuations[start, length] = None
        return self.data.read_at(start, length)

    def _child(self, block: int) -> Data:
        """Return a directory that lies elsewhere, being too deep; its first record says how long it is."""
        start = block * self.volume.block
        raw = self.data.read_at(start, 34)
        if len(raw) < 34 or raw[0] < 34:
            raise UnreadableError(f"there is no directory at byte {start}")
        return self._content(((start, struct.unpack_from("<I", raw, 10)[0]),))

    def _content(self, extents: tuple[tuple[int, int], ...]) -> Data:
        pieces = []
        position = 0
        for offset, length in extents:
            pieces.append((position, length, offset))
            position += length
        data = self.data.scattered([piece for piece in pieces if piece[1]], position)
        if data.runs:
            self._places[data.runs[0].offset] = next(offset for _, length, offset in pieces if length)
        return data

    def _records(self, content: Data) -> Iterator[_Record]:
        """Yield the records of a directory, those of one file's extents as one. Raises UnreadableError."""
        if content.size > _DIRECTORY_MAX:
            raise UnreadableError(f"a directory of {content.size} bytes")
        if not content.runs:
            return
        base = self._places[content.runs[0].offset]
        raw = content.read_at(0, content.size)
        earlier: list[tuple[int, int]] = []
        for position, length in _spans(raw):
            record = _record(raw[position : position + length], base + position, self.volume.block, earlier)
            earlier = list(record.extents) if record.flags & _MULTI_EXTENT else []
            if not earlier:
                yield record


def _spans(raw: bytes) -> Iterator[tuple[int, int]]:
    """Yield the (position, length) of each record; none goes beyond its sector."""
    position = 0
    while position < len(raw):
        length = raw[position]
        if length == 0:
            position = position // SECTOR * SECTOR + SECTOR
            continue
        if length < 34 or position % SECTOR + length > SECTOR or position + length > len(raw):
            raise UnreadableError("a directory is damaged")
        yield position, length
        position += length


def _record(raw: bytes, place: int, block: int, earlier: list[tuple[int, int]]) -> _Record:
    first, size = struct.unpack_from("<I4xI", raw, 2)
    name_length = raw[32]
    # A byte fills up names of an even length.
    end = 33 + name_length + (1 - name_length % 2)
    if 33 + name_length > len(raw):
        raise UnreadableError("a directory is damaged")
    return _Record(
        place=place,
        length=len(raw),
        extents=(*earlier, (first * block + raw[1] * block, size)),
        recorded_ns=moment(raw[18:25]),
        flags=raw[25],
        name=raw[33 : 33 + name_length],
        system_use=raw[end:],
    )


class _Bootable:
    """What is in the image besides its tree, for firmware."""

    def __init__(self, data: Data, descriptors: Descriptors, budget: Budget) -> None:
        self._data, self._descriptors, self._budget = data, descriptors, budget
        self.facts: list[Fact] = []
        self.regions: list[Region] = []

    def entries(self, taken: dict[int, int]) -> Iterator[Entry]:
        """Yield partitions, then boot images; what the tree has already, TAKEN, comes without its content."""
        taken = taken | {0: SYSTEM_AREA}
        found = iso9660_boot.table(self._data, self._budget)
        if found is not None:
            self.facts += found.facts
            self.regions += found.regions
            for start, entry in iso9660_boot.partitions(found, taken):
                if entry.data is not None:
                    taken[start] = entry.size
                yield entry
        catalogue = self._descriptors.catalogue
        if catalogue is not None and catalogue + SECTOR <= self._data.size:
            volume = self._descriptors.primary
            self.facts += iso9660_boot.catalogue_facts(self._data, catalogue)
            self.regions.append(Region(name="boot catalogue", data=self._data.window(catalogue, _CATALOGUE)))
            yield from iso9660_boot.images(self._data, catalogue, volume.blocks * volume.block, taken, self._budget)


def _extensions(descriptors: Descriptors, main: _Tree) -> Fact:
    found = (
        ("Rock Ridge", main.has_fields),
        ("Joliet", descriptors.joliet is not None),
        ("El Torito", descriptors.catalogue is not None),
    )
    return Fact(name="extensions", value=tuple(name for name, there in found if there))


def _regions(data: Data, descriptors: Descriptors, trees: list[_Tree]) -> Iterator[Region]:
    yield Region(name="system area", data=data.window(0, SYSTEM_AREA))
    yield Region(name="volume descriptors", data=data.window(SYSTEM_AREA, descriptors.end - SYSTEM_AREA))
    for tree in trees:
        for offset, length in dict.fromkeys(tree.volume.path_tables):
            if offset + length <= data.size and length:
                yield Region(name="path tables", data=data.window(offset, length))
        for directory in tree.directories:
            if directory.size:
                yield Region(name="directory records", data=directory)
        for offset, length in tree.continuations:
            if length:
                yield Region(name="continued records", data=data.window(offset, length))
