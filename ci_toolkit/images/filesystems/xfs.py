"""XFS: every name with its inode, the runs of its content, and the bookkeeping round them."""

from collections.abc import Iterator
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import KIND_OF_MODE, Container, Entry, Fact, Kind, text
from ci_toolkit.images.filesystems import xfs_superblock
from ci_toolkit.images.filesystems.tree import Below, walk
from ci_toolkit.images.filesystems.xfs_attributes import Attribute, short_attributes, tree_attributes
from ci_toolkit.images.filesystems.xfs_blocks import BlockMap, Piece
from ci_toolkit.images.filesystems.xfs_directory import NAMES_END, Name, block_names, short_names
from ci_toolkit.images.filesystems.xfs_inodes import DEVICE, FLAG_REALTIME, LOCAL, Fork, Inode, Inodes
from ci_toolkit.images.filesystems.xfs_regions import Survey
from ci_toolkit.images.limits import BeyondLimitError, Budget

recognise = xfs_superblock.recognise

_TARGET_MAX: Final = 1024
_LINK_HEADER: Final = 56
_LINK_MAGIC: Final = b"XSLM"
_NOWHERE: Final = (1 << 64) - 1
_ATTRIBUTE_COST: Final = 64
_ATTRIBUTE_FORK_MAX: Final = 1 << 16


def read(data: Data, budget: Budget) -> Container:
    """Read all names and inodes; what is damaged is skipped with its reason.

    Raises UnreadableError when the superblock cannot be believed, or the image is cut.
    """
    system = _FileSystem(data, budget)
    entries = tuple(system.walk())
    system.special()
    survey = system.survey
    survey.map_blocks(system.maps.map_blocks)
    return Container(
        format="xfs",
        entries=entries,
        facts=xfs_superblock.facts(system.superblock, survey.uuids),
        regions=survey.regions(),
        remainder="free space",
        transparent=True,
        placed=True,
        skipped=(*survey.skipped, *system.skipped),
    )


class _FileSystem:
    """One opened file system and what the walk over it has gathered."""

    def __init__(self, data: Data, budget: Budget) -> None:
        self._data = data
        self._budget = budget
        self.superblock = xfs_superblock.read_superblock(data)
        self._inodes = Inodes(data, self.superblock)
        self.maps = BlockMap(data, self.superblock, budget)
        self.survey = Survey(data, self.superblock)
        self.skipped: list[tuple[str, str]] = []
        self._linked: dict[int, Entry] = {}
        # No block belongs to two directories, or to the attributes of two inodes.
        self._left = self.superblock.size

    def walk(self) -> Iterator[Entry]:
        """Yield the root and every name below it, directories in the order of their names' places."""
        return walk(self.superblock.root, self._visit, self._budget, self.skipped)

    def special(self) -> None:
        """Name the contents of inodes to which no name of a file leads."""
        wanted = [(name, number) for name, number in self.superblock.special if number not in (0, _NOWHERE)]
        if self.superblock.metadata_directory:
            wanted.append(("metadata files", self.superblock.metadata_directory))
        seen: set[int] = set()
        while wanted:
            name, number = wanted.pop()
            if number in seen:
                continue
            seen.add(number)
            try:
                self._budget.member(name)
                inode = self._inodes.get(number)
                kind = KIND_OF_MODE.get(inode.mode & 0o170000)
                if kind is Kind.DIRECTORY:
                    wanted.extend((name, found.number) for found in self._names(inode))
                elif kind is Kind.FILE:
                    for piece in self._pieces(inode.data):
                        self.survey.add(name, piece.offset, piece.length * self.superblock.block_size)
            except BeyondLimitError as error:
                self.skipped.append(("", f"{name}: {error.message}"))
                return
            except UnreadableError as error:
                self.skipped.append(("", f"{name}: {error.message}"))

    def _visit(self, path: str, number: int) -> tuple[Entry, Below[int] | None]:
        known = self._linked.get(number)
        if known is not None:
            return known._replace(path=path), None
        inode = self._inodes.get(number)
        kind = KIND_OF_MODE.get(inode.mode & 0o170000)
        if kind is None:
            raise UnreadableError(f"inode {number} has no type")
        entry = Entry(
            path=path,
            kind=kind,
            size=inode.size,
            mode=inode.mode & 0o7777,
            uid=inode.uid,
            gid=inode.gid,
            mtime_ns=inode.modified_ns,
            target=self._target(inode) if kind is Kind.SYMLINK else None,
            device=_device(inode.data) if kind in (Kind.CHARACTER, Kind.BLOCK) else None,
            xattrs=tuple(sorted(self._attributes(inode.attributes))) if inode.attributes else (),
            times=_times(inode),
            inode=number,
            facts=_facts(inode),
            record=(inode.place, self.superblock.inode_size),
            data=self._content(inode) if kind is Kind.FILE else None,
        )
        if inode.links > 1 and kind is not Kind.DIRECTORY:
            self._linked[number] = entry
        return entry, Below(number, self._below(path, inode)) if kind is Kind.DIRECTORY else None

    def _pieces(self, fork: Fork) -> list[Piece]:
        return [] if fork.form == LOCAL else self.maps.pieces(fork)

    def _content(self, inode: Inode) -> Data:
        """Return the bytes of INODE, holes included. Raises UnreadableError."""
        if inode.flags & FLAG_REALTIME:
            raise UnreadableError("its content lies on the realtime device, which is not here")
        if inode.data.form == LOCAL:
            held = inode.data.raw[: inode.size]
            return self._data.window(inode.data.place, len(held)).scattered(((0, len(held), 0),), inode.size)
        pieces = self._pieces(inode.data)
        block = self.superblock.block_size
        for piece in pieces:
            if not piece.written:
                self.survey.add("reserved extents", piece.offset, piece.length * block)
        if pieces and pieces[-1].written:
            last = pieces[-1]
            used = inode.size - last.start * block
            if 0 <= used < last.length * block:
                self.survey.add("ends of files", last.offset + used, last.length * block - used)
        return self.maps.located(pieces, inode.size)

    def _target(self, inode: Inode) -> str:
        if inode.size > _TARGET_MAX:
            raise UnreadableError(f"a symbolic link of {inode.size} bytes")
        self._budget.attribute(inode.size)
        if inode.data.form == LOCAL:
            return text(inode.data.raw[: inode.size])
        found = bytearray()
        for piece in self._pieces(inode.data):
            length = piece.length * self.superblock.block_size
            self.survey.blocks("targets of links", piece.offset, length, length)
            raw = self._data.read_at(piece.offset, min(length, _TARGET_MAX + _LINK_HEADER))
            if self.superblock.is_v5:
                if raw[:4] != _LINK_MAGIC:
                    raise UnreadableError("the block of a symbolic link is damaged")
                raw = raw[_LINK_HEADER:]
            found += raw
        if len(found) < inode.size:
            raise UnreadableError("a symbolic link is cut")
        return text(bytes(found[: inode.size]))

    def _attributes(self, fork: Fork) -> Iterator[Attribute]:
        for found in self._all_attributes(fork):
            self._budget.attribute(len(found.name) + len(found.value) + _ATTRIBUTE_COST)
            yield found

    def _all_attributes(self, fork: Fork) -> Iterator[Attribute]:
        if fork.form == LOCAL:
            yield from short_attributes(fork.raw)
            return
        pieces = self.maps.pieces(fork)
        size = self.superblock.block_size
        places: dict[int, int] = {}
        for piece in pieces:
            if len(places) + piece.length > _ATTRIBUTE_FORK_MAX:
                raise UnreadableError("attributes of too many blocks")
            self._spend(piece.length * size)
            places |= {piece.start + index: piece.offset + index * size for index in range(piece.length)}
            self.survey.blocks("attribute blocks", piece.offset, piece.length * size, size)

        def block(number: int) -> bytes:
            if number not in places:
                raise UnreadableError(f"block {number} of the attributes does not exist")
            return self._data.read_at(places[number], size)

        if places:
            yield from tree_attributes(block, self.superblock)

    def _below(self, path: str, inode: Inode) -> Iterator[tuple[str, int]]:
        """Yield (path, inode) one by one: a hostile directory names more than there is memory for."""
        try:
            for found in self._names(inode):
                name = text(found.name)
                below = f"{path}/{name}" if path else name
                if found.name in (b"", b".", b"..") or b"/" in found.name or b"\0" in found.name:
                    self.skipped.append((below, "no file can have such a name"))
                else:
                    yield below, found.number
        except UnreadableError as error:
            self.skipped.append((path, error.message))

    def _names(self, inode: Inode) -> Iterator[Name]:
        if inode.data.form == LOCAL:
            yield from short_names(inode.data.raw[: inode.size], self.superblock)
            return
        unit, block = self.superblock.directory_block, self.superblock.block_size
        names = []
        for piece in self._pieces(inode.data):
            self._spend(piece.length * block)
            self.survey.blocks("directory blocks", piece.offset, piece.length * block, unit)
            if piece.start * block < NAMES_END:
                names.append((piece.start * block, piece.length * block, piece.offset))
        if not names:
            return
        content = self._data.scattered(names, sum(names[-1][:2]))
        for start in range(0, content.size, unit):
            if content.hole_until(start) == start:
                yield from block_names(content.read_at(start, unit), self.superblock)

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise UnreadableError("directories and attributes have more blocks than the file system")


def _device(fork: Fork) -> tuple[int, int]:
    if fork.form != DEVICE:
        raise UnreadableError("a device without a number")
    number = int.from_bytes(fork.raw[:4], "big")
    return number >> 18 & 0x3FFF, number & 0x3FFFF


def _times(inode: Inode) -> tuple[tuple[str, int], ...]:
    created = () if inode.created_ns is None else (("created", inode.created_ns),)
    return (*created, ("changed", inode.changed_ns), ("accessed", inode.accessed_ns))


def _facts(inode: Inode) -> tuple[Fact, ...]:
    named = (("project", inode.project, 20, 4), ("inode_flags", inode.flags, 90, 2))
    return tuple(
        Fact(name=name, value=value, places=((inode.place + at, length),)) for name, value, at, length in named if value
    )
