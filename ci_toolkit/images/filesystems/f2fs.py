"""f2fs: every name with its inode, the runs of its content, and the bookkeeping round them."""

from collections.abc import Iterator
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import KIND_OF_MODE, Container, Entry, Fact, Kind, text
from ci_toolkit.images.filesystems import f2fs_superblock
from ci_toolkit.images.filesystems.f2fs_checkpoint import Tables
from ci_toolkit.images.filesystems.f2fs_contents import Contents
from ci_toolkit.images.filesystems.f2fs_directory import Name, block_names, inline_names
from ci_toolkit.images.filesystems.f2fs_nodes import ADDRESSES, FOOTER, INLINE_DATA, INLINE_NAMES, Inode, Nodes
from ci_toolkit.images.filesystems.f2fs_regions import Survey
from ci_toolkit.images.filesystems.f2fs_superblock import BLOCK
from ci_toolkit.images.filesystems.f2fs_xattrs import Attribute, attributes
from ci_toolkit.images.filesystems.tree import Below, walk
from ci_toolkit.images.limits import Budget

recognise = f2fs_superblock.recognise

_TARGET_MAX: Final = 4096
_ATTRIBUTE_COST: Final = 64


def read(data: Data, budget: Budget) -> Container:
    """Read all names and inodes; what is damaged is skipped with its reason.

    Raises UnreadableError when superblock or checkpoint cannot be believed, or the image is cut.
    """
    system = _FileSystem(data, budget)
    entries = tuple(system.walk())
    system.quota()
    survey = system.survey
    for name, spans in (("ends of files", system.contents.ends), ("reserved blocks", system.contents.reserved)):
        for span in spans:
            survey.add(name, *span)
    return Container(
        format="f2fs",
        entries=entries,
        facts=(*f2fs_superblock.facts(system.superblock), *system.tables.facts(survey.footers)),
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
        self.superblock = f2fs_superblock.read_superblock(data)
        self.tables = Tables(data, self.superblock)
        self._nodes = Nodes(data, self.superblock, self.tables, budget)
        self.contents = Contents(data, self._nodes, budget)
        self.survey = Survey(data, self.superblock, self.tables, budget)
        self.skipped: list[tuple[str, str]] = []
        self._linked: dict[int, Entry] = {}
        # No block belongs to two directories.
        self._left = self.superblock.main_end - self.superblock.main

    def walk(self) -> Iterator[Entry]:
        """Yield the root and every name below it, directories in the order of their names' places."""
        return walk(self.superblock.root, self._visit, self._budget, self.skipped)

    def quota(self) -> None:
        """Name the contents of the quota files, to which no name leads."""
        if not self.superblock.features & f2fs_superblock.QUOTA_INODES:
            return
        for number in sorted({number for number in self.superblock.quota_inodes if number}):
            try:
                for piece in self._nodes.pieces(self._nodes.inode(number)):
                    self.survey.add("quota records", piece.block * BLOCK, piece.length * BLOCK)
            except UnreadableError as error:
                self.skipped.append(("", f"quota: {error.message}"))

    def _visit(self, path: str, number: int) -> tuple[Entry, Below[int] | None]:
        known = self._linked.get(number)
        if known is not None:
            return known._replace(path=path), None
        inode = self._nodes.inode(number)
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
            device=_device(inode) if kind in (Kind.CHARACTER, Kind.BLOCK) else None,
            xattrs=tuple(sorted(self._attributes(inode))),
            times=_times(inode),
            inode=number,
            facts=_facts(inode),
            record=(inode.place, ADDRESSES + inode.extra),
            data=self.contents.content(inode) if kind is Kind.FILE else None,
        )
        if inode.links > 1 and kind is not Kind.DIRECTORY:
            self._linked[number] = entry
        return entry, Below(number, self._below(path, inode)) if kind is Kind.DIRECTORY else None

    def _target(self, inode: Inode) -> str:
        if inode.size > _TARGET_MAX:
            raise UnreadableError(f"a symbolic link of {inode.size} bytes")
        self._budget.attribute(inode.size)
        if not inode.inline & INLINE_DATA:
            for piece in self._nodes.pieces(inode):
                self.survey.add("targets of links", piece.block * BLOCK, piece.length * BLOCK)
                return text(self._data.read_at(piece.block * BLOCK, inode.size))
        return text(self.contents.content(inode).read_at(0, inode.size))

    def _attributes(self, inode: Inode) -> Iterator[Attribute]:
        raw = inode.inline_xattrs
        if inode.xattr_node:
            raw += self._nodes.once(inode.xattr_node)[1][:FOOTER]
        for found in attributes(raw):
            self._budget.attribute(len(found.name) + len(found.value) + _ATTRIBUTE_COST)
            yield found

    def _below(self, path: str, inode: Inode) -> Iterator[tuple[str, int]]:
        """Yield (path, inode) one by one: a hostile directory names more than there is memory for."""
        try:
            for found in self._names(inode):
                name = text(found.name)
                below = f"{path}/{name}" if path else name
                if b"/" in found.name or b"\0" in found.name:
                    self.skipped.append((below, "no file can have such a name"))
                else:
                    yield below, found.number
        except UnreadableError as error:
            self.skipped.append((path, error.message))

    def _names(self, inode: Inode) -> Iterator[Name]:
        if inode.inline & INLINE_NAMES:
            start, length = inode.inline_span
            yield from inline_names(inode.raw[start : start + length])
            return
        for piece in self._nodes.pieces(inode):
            self._left -= piece.length
            if self._left < 0:
                raise UnreadableError("directories have more blocks than the file system")
            # A hostile directory lies in the holes of a sparse image.
            self._budget.read(piece.length * BLOCK)
            self.survey.add("directory blocks", piece.block * BLOCK, piece.length * BLOCK)
            for block in range(piece.block, piece.block + piece.length):
                yield from block_names(self._data.read_at(block * BLOCK, BLOCK))


def _device(inode: Inode) -> tuple[int, int]:
    """Return the number of a device: the first address has the old form of it, the second the new one."""
    start = ADDRESSES + inode.extra
    old, new = (int.from_bytes(inode.raw[at : at + 4], "little") for at in (start, start + 4))
    if old:
        return old >> 8 & 0xFF, old & 0xFF
    return new >> 8 & 0xFFF, new & 0xFF | new >> 12 & 0xFFF00


def _times(inode: Inode) -> tuple[tuple[str, int], ...]:
    created = () if inode.created_ns is None else (("created", inode.created_ns),)
    return (*created, ("changed", inode.changed_ns), ("accessed", inode.accessed_ns))


def _facts(inode: Inode) -> tuple[Fact, ...]:
    named = (
        ("generation", inode.generation, 68, 4),
        ("inode_flags", inode.flags, 80, 4),
        ("advise", inode.advise, 2, 1),
        ("project", inode.project, 364, 4),
    )
    return tuple(
        Fact(name=name, value=value, places=((inode.place + at, length),)) for name, value, at, length in named if value
    )
