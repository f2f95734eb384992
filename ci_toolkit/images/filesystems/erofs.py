"""EROFS: every name with its inode, the blocks of its content, plain or compressed, and the metadata round them."""

from collections.abc import Iterable, Iterator
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data, joined
from ci_toolkit.images.entry import Container, Entry, Kind, Region, text
from ci_toolkit.images.filesystems import erofs_inodes, erofs_superblock, erofs_xattrs
from ci_toolkit.images.filesystems.erofs_contents import Contents
from ci_toolkit.images.filesystems.erofs_inodes import Inode
from ci_toolkit.images.filesystems.erofs_superblock import SUPERBLOCK
from ci_toolkit.images.filesystems.tree import Below, walk
from ci_toolkit.images.limits import Budget
from ci_toolkit.images.packed import origin

recognise = erofs_superblock.recognise

_TARGET_MAX: Final = 1 << 16
# A directory larger than this would be a hostile one.
_DIRECTORY_MAX: Final = 1 << 28
_DEVICE_SLOT: Final = 128
# About the memory that an attribute takes beside its name and value.
_ATTRIBUTE: Final = 128

Span = tuple[int, int]


def read(data: Data, budget: Budget) -> Container:
    """Read all names and inodes; what is damaged is skipped with its reason.

    Raises UnreadableError when the superblock or a special inode cannot be believed, or the image is cut.
    """
    system = _FileSystem(data, budget)
    entries = tuple(system.walk())
    return Container(
        format="erofs",
        entries=entries,
        facts=erofs_superblock.facts(system.superblock),
        regions=system.regions(),
        remainder="padding",
        transparent=True,
        placed=True,
        skipped=tuple(system.skipped),
    )


class _FileSystem:
    """One opened file system and what the walk over it has gathered."""

    def __init__(self, data: Data, budget: Budget) -> None:
        self.superblock = superblock = erofs_superblock.read_superblock(data)
        self.skipped: list[tuple[str, str]] = []
        self._data = data
        self._budget = budget
        self._contents = Contents(data, superblock, budget)
        self._linked: dict[int, Entry] = {}
        self._inodes: list[Span] = []
        self._directories: list[Data] = []
        self._targets: list[Data] = []
        self._metabox: Data | None = None
        self._packed: Data | None = None
        if superblock.packed:
            self._packed = self._special(superblock.packed)
        if superblock.metabox:
            self._metabox = self._special(superblock.metabox)
        self._prefix_span: Span = (0, 0)
        self._attributes = self._open_attributes()

    def walk(self) -> Iterator[Entry]:
        """Yield the root and every name below it, directories in the order of their names' places."""
        return walk(self.superblock.root, self._visit, self._budget, self.skipped)

    def regions(self) -> tuple[Region, ...]:
        """Name the bytes that no file holds."""
        superblock = self.superblock
        end = SUPERBLOCK + superblock.head
        found: list[tuple[str, list[Span]]] = [
            ("boot sector", [(0, SUPERBLOCK)]),
            ("superblock", [(SUPERBLOCK, superblock.head)]),
        ]
        if superblock.incompat & erofs_superblock.INCOMPAT_COMPRESSIONS and superblock.algorithms:
            found.append(("compression settings", [(end, self._settings_end(end) - end)]))
        if superblock.devices:
            found.append(("device table", [(superblock.device_slot * _DEVICE_SLOT, superblock.devices * _DEVICE_SLOT)]))
        if self._prefix_span[1]:
            found.append(("attribute name prefixes", [self._prefix_span]))
        if self._attributes.metadata is self._data:
            found.append(("shared attributes", [*self._attributes.shared.items()]))
        found.append(("inodes", self._inodes))
        regions = [Region(name=name, data=_spread(self._data, spans)) for name, spans in found]
        contents: tuple[tuple[str, list[Data | None]], ...] = (
            ("directory blocks", [*self._directories]),
            ("targets of links", [*self._targets]),
            ("metadata box", [self._metabox]),
            ("packed ends of files", [self._packed]),
        )
        for name, held in contents:
            places = [origin(data) for data in held if data is not None]
            regions.append(Region(name=name, data=joined(data for data in places if data.root is self._data.root)))
        return tuple(regions)

    def _inode(self, nid: int) -> Inode:
        return erofs_inodes.read_inode(self._data, self._metabox, self.superblock, nid)

    def _special(self, nid: int) -> Data:
        inode = self._inode(nid)
        if nid == self.superblock.packed:
            data, end = self._contents.keep_packed(inode)
        else:
            data, end = self._contents.get(inode)
        self._inodes.append((inode.place, end - inode.place))
        return data

    def _open_attributes(self) -> erofs_xattrs.Attributes:
        superblock = self.superblock
        prefixes: tuple[str, ...] = ()
        if superblock.prefixes:
            metadata = self._data
            if not superblock.compat & erofs_superblock.COMPAT_PLAIN_PREFIXES:
                metadata = self._metabox or self._packed or self._data
            start = superblock.prefix_start
            prefixes, end = erofs_xattrs.read_prefixes(metadata, start, superblock.prefixes)
            if metadata is self._data:
                self._prefix_span = start, end - start
        shared = self._data
        if superblock.compat & erofs_superblock.COMPAT_SHARED_XATTRS_IN_METABOX and self._metabox is not None:
            shared = self._metabox
        return erofs_xattrs.Attributes(shared, superblock.xattrs * superblock.block, prefixes)

    def _visit(self, path: str, nid: int) -> tuple[Entry, Below[int] | None]:
        entry = self._entry(path, nid)
        if entry.kind is not Kind.DIRECTORY or entry.data is None:
            return entry, None
        return entry, Below(nid, self._below(path, entry.data))

    def _entry(self, path: str, nid: int) -> Entry:
        known = self._linked.get(nid)
        if known is not None:
            return known._replace(path=path)
        inode = self._inode(nid)
        data = None
        end = inode.end
        if inode.kind in (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK):
            data, end = self._contents.get(inode)
        record = None
        if inode.metadata is self._data:
            record = inode.place, min(end, self._data.size) - inode.place
            self._inodes.append(record)
        target = None
        if inode.kind is Kind.SYMLINK and data is not None:
            target = self._target(data)
        xattrs = self._attributes.of(inode)
        self._budget.attribute(len(target or "") + sum(_ATTRIBUTE + len(name) + len(value) for name, value in xattrs))
        entry = Entry(
            path=path,
            kind=inode.kind,
            size=inode.size,
            mode=inode.mode,
            uid=inode.uid,
            gid=inode.gid,
            mtime_ns=inode.mtime_ns,
            target=target,
            device=inode.device,
            xattrs=xattrs,
            inode=nid,
            record=record,
            data=None if inode.kind is Kind.SYMLINK else data,
        )
        if inode.links > 1 and inode.kind is not Kind.DIRECTORY:
            self._linked[nid] = entry
        return entry

    def _target(self, data: Data) -> str:
        if data.size > _TARGET_MAX:
            raise UnreadableError(f"a symbolic link of {data.size} bytes")
        self._targets.append(data)
        return text(data.read_at(0, data.size))

    def _below(self, path: str, data: Data) -> Iterator[tuple[str, int]]:
        """Yield (path, nid) one by one: a hostile directory names more than there is memory for."""
        self._directories.append(data)
        try:
            if data.size > _DIRECTORY_MAX:
                raise UnreadableError(f"a directory of {data.size} bytes")
            for name, nid in erofs_inodes.names(data, self.superblock.directory_block):
                yield f"{path}/{name}" if path else name, nid
        except UnreadableError as error:
            self.skipped.append((path, error.message))

    def _settings_end(self, position: int) -> int:
        """Return where the settings of the compressions end, one after the other with their lengths in front."""
        for _ in range(self.superblock.algorithms.bit_count()):
            position = -(-position // 4) * 4
            position += 2 + int.from_bytes(self._data.read_at(position, 2), "little")
        return min(position, self._data.size)


def _spread(data: Data, spans: Iterable[Span]) -> Data:
    inside = sorted({span for span in spans if span[0] >= 0 and span[0] + span[1] <= data.size and span[1]})
    return joined(data.window(*span) for span in inside)
