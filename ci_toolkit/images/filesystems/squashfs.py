"""squashfs 4.0: every name with its inode, the blocks of its content, and the tables round them."""

from collections.abc import Iterator
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Kind, Region, text
from ci_toolkit.images.filesystems import compressors, squashfs_superblock
from ci_toolkit.images.filesystems.squashfs_inodes import NONE, Inode, Inodes
from ci_toolkit.images.filesystems.squashfs_superblock import NOTHING, Superblock
from ci_toolkit.images.filesystems.squashfs_tables import Metadata, Tables, data_block
from ci_toolkit.images.filesystems.tree import Below, walk
from ci_toolkit.images.limits import Budget
from ci_toolkit.images.packed import Block, Blocks, Piece, content

recognise = squashfs_superblock.recognise

# About the memory that one block of a file takes.
_PIECE: Final = 128


def read(data: Data, budget: Budget) -> Container:
    """Read all names and inodes; what is damaged is skipped with its reason.

    Raises UnreadableError when the superblock or a table cannot be believed, or the image is cut.
    """
    system = _FileSystem(data, budget)
    entries = tuple(system.walk())
    return Container(
        format="squashfs",
        entries=entries,
        facts=squashfs_superblock.facts(system.superblock),
        regions=_regions(data, system.superblock, system.tables),
        remainder="unused space",
        transparent=True,
        placed=True,
        skipped=tuple(system.skipped),
    )


class _FileSystem:
    """One opened file system and what the walk over it has gathered."""

    def __init__(self, data: Data, budget: Budget) -> None:
        self.superblock = squashfs_superblock.read_superblock(data)
        self.blocks = Blocks(data, _unpack, budget)
        metadata = Metadata(self.blocks, self.superblock)
        self.tables = Tables(self.blocks, self.superblock, metadata, budget)
        self.inodes = Inodes(metadata, self.superblock, budget)
        self.skipped: list[tuple[str, str]] = []
        self._budget = budget
        self._linked: dict[int, Entry] = {}

    def walk(self) -> Iterator[Entry]:
        """Yield the root and every name below it, directories in the order of their names' places."""
        return walk(self.superblock.root, self._visit, self._budget, self.skipped)

    def _visit(self, path: str, reference: int) -> tuple[Entry, Below[int] | None]:
        known = self._linked.get(reference)
        if known is not None:
            return known._replace(path=path), None
        inode = self.inodes.get(reference)
        self._budget.attribute(len(inode.target or b""))
        entry = Entry(
            path=path,
            kind=inode.kind,
            size=inode.size,
            mode=inode.mode,
            uid=self.tables.id(inode.uid),
            gid=self.tables.id(inode.gid),
            mtime_ns=inode.mtime * 1_000_000_000,
            target=None if inode.target is None else text(inode.target),
            device=inode.device,
            xattrs=() if inode.xattrs == NONE else self.tables.attributes(inode.xattrs),
            inode=inode.number,
            record=inode.place,
            data=self._content(inode) if inode.kind is Kind.FILE else None,
        )
        if inode.links > 1 and inode.kind is not Kind.DIRECTORY:
            self._linked[reference] = entry
        return entry, Below(inode.number, self._below(path, inode)) if inode.kind is Kind.DIRECTORY else None

    def _below(self, path: str, inode: Inode) -> Iterator[tuple[str, int]]:
        """Yield (path, reference) one by one: a hostile directory names more than there is memory for."""
        try:
            for name, reference in self.inodes.names(inode):
                yield f"{path}/{name}" if path else name, reference
        except UnreadableError as error:
            self.skipped.append((path, error.message))

    def _content(self, inode: Inode) -> Data:
        pieces = []
        block_size = self.superblock.block_size
        position = inode.start
        start = 0
        for size in inode.sizes:
            length = min(block_size, inode.size - start)
            if size:
                self._budget.attribute(_PIECE)
                block = data_block(self.superblock, position, size, length)
                pieces.append(Piece(start, length, block))
                position += block.size
            start += length
        if inode.fragment != NONE and start < inode.size:
            pieces.append(Piece(start, inode.size - start, self.tables.fragment(inode.fragment), inode.within))
        return content(self.blocks, pieces, inode.size)


def _unpack(block: Block, raw: bytes) -> bytes:
    return compressors.unpack(block.method, raw, block.length)


def _regions(data: Data, superblock: Superblock, tables: Tables) -> tuple[Region, ...]:
    """Name the bytes that no file holds. Each table goes from its first block to where the next one begins."""
    starts = [
        (superblock.inode_table, "inode table"),
        (superblock.directory_table, "directory table"),
        (tables.fragments.start, "fragment table"),
        (tables.exports.start if tables.exports else NOTHING, "export table"),
        (tables.ids.start, "id table"),
        (tables.xattr_start, "xattr table"),
    ]
    head = squashfs_superblock.SIZE
    if superblock.options:
        head += 2 + len(superblock.options)
    found = [
        Region(name="superblock", data=data.window(0, head)),
        Region(name="padding", data=data.window(superblock.size, data.size - superblock.size)),
    ]
    inside = sorted((start, name) for start, name in starts if head <= start <= superblock.size)
    ends = [start for start, _ in inside[1:]] + [superblock.size]
    return *found, *(
        Region(name=name, data=data.window(start, end - start))
        for (start, name), end in zip(inside, ends, strict=True)
    )  # fmt: skip
