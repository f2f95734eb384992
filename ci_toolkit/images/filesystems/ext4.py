"""ext2, ext3 and ext4: every name with its inode, the runs of its content, and the bookkeeping round them."""

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data, joined, stored
from ci_toolkit.images.entry import KIND_OF_MODE, Container, Entry, Kind, text
from ci_toolkit.images.filesystems import ext4_regions, ext4_superblock
from ci_toolkit.images.filesystems.ext4_blocks import BlockMap, Piece
from ci_toolkit.images.filesystems.ext4_inodes import FLAG_EXTENTS, FLAG_INLINE_DATA, Inode, InodeTable
from ci_toolkit.images.filesystems.ext4_xattrs import INLINE_DATA
from ci_toolkit.images.filesystems.tree import Below, walk
from ci_toolkit.images.limits import Budget

recognise = ext4_superblock.recognise

ROOT: Final = 2
_NAME: Final = struct.Struct("<IHBB")
# A directory larger than this would be a hostile one.
_DIRECTORY_MAX: Final = 1 << 25
_ATTRIBUTE_MAX: Final = 1 << 16
FAST_LINK: Final = 60


def read(data: Data, budget: Budget) -> Container:
    """Read all names and inodes; what is damaged is skipped with its reason.

    Raises UnreadableError when the superblock or the group descriptors cannot be believed, or the image is cut.
    """
    system = FileSystem(data, budget)
    return system.container(system.walk(system.visit))


class FileSystem:
    """One opened file system and what the walk over it has gathered."""

    def __init__(self, data: Data, budget: Budget) -> None:
        self.data = data
        self._budget = budget
        self.superblock = ext4_superblock.read_superblock(data)
        budget.attribute(self.superblock.groups * self.superblock.descriptor_size)
        self.groups = ext4_regions.read_groups(data, self.superblock)
        self.inodes = InodeTable(data, self.superblock, [group.inode_table for group in self.groups])
        self.maps = BlockMap(data, self.superblock)
        self.directories: list[Data] = []
        self.attribute_blocks: dict[int, bytes] = {}
        self.apart: list[Data] = []
        self.skipped: list[tuple[str, str]] = []
        self.linked: dict[int, Entry] = {}
        # The directories that the walk has gone down into.
        self.entered: set[int] = set()

    def walk(self, visit: Callable[[str, int], tuple[Entry, Below[int] | None]]) -> Iterator[Entry]:
        """Yield what VISIT makes of the root and every name below, directories in the order of their names' places."""
        return walk(ROOT, visit, self._budget, self.skipped, self.entered)

    def container(self, entries: Iterable[Entry]) -> Container:
        """Return the container of ENTRIES, with what the walk over them has gathered."""
        listed = tuple(entries)
        return Container(
            format="ext4",
            entries=listed,
            facts=ext4_superblock.facts(self.superblock),
            regions=ext4_regions.regions(
                self.data, self.superblock, self.groups, self.directories, self.special_files(), self.map_blocks()
            ),
            remainder="free space",
            transparent=True,
            placed=True,
            skipped=tuple(self.skipped),
        )

    def visit(self, path: str, number: int) -> tuple[Entry, Below[int] | None]:
        """Return the entry of inode NUMBER at PATH, and what is below it. Raises UnreadableError."""
        entry = self._entry(path, self.inodes.get(number))
        if entry.target or entry.xattrs:
            self._budget.attribute(len(entry.target or "") + sum(len(value) for _, value in entry.xattrs))
        if entry.kind is not Kind.DIRECTORY or entry.data is None:
            return entry, None
        return entry, Below(number, self.below(path, entry.data))

    def special_files(self) -> tuple[tuple[str, Data], ...]:
        """What lies in blocks of its own and is no entry's content.

        Journal, resize inode, quota and orphan file, to which no name leads, and long targets and attributes.
        """
        wanted = {3: "quota", 4: "quota", 5: "boot loader", 7: "resize inode", self.superblock.journal: "journal"}
        wanted[self.superblock.orphan_file] = "orphan file"
        found = []
        for number, name in wanted.items():
            try:
                inode = self.inodes.get(number) if number else None
                if inode is not None and inode.mode & 0o170000 == 0o100000 and inode.size:
                    found.append((name, self.content(inode)))
            except UnreadableError:
                continue
        found.append(("metadata blocks", joined(self.apart)))
        return tuple((name, data) for name, data in found if data.root is self.data.root)

    def map_blocks(self) -> tuple[int, ...]:
        return (*self.maps.map_blocks, *self.attribute_blocks)

    def content(self, inode: Inode, inline: bytes = b"") -> Data:
        """Return the bytes of INODE, holes included. Raises UnreadableError."""
        if inode.flags & FLAG_INLINE_DATA:
            held = (inode.content + inline)[: inode.size]
            # A file that begins with a hole may be longer than what is stored of it.
            return stored(held).scattered(((0, len(held), 0),), inode.size)
        size = self.superblock.block_size
        pieces: list[Piece]
        if inode.flags & FLAG_EXTENTS:
            pieces = self.maps.extents(inode.content)
        else:
            pieces = self.maps.indirect(inode.content, -(-inode.size // size))
        if len(pieces) == 1 and pieces[0][0] == 0 and pieces[0][1] * size >= inode.size:
            return self.data.window(pieces[0][2] * size, inode.size)
        return self.data.scattered(
            ((start * size, length * size, block * size) for start, length, block in pieces), inode.size
        )

    def _entry(self, path: str, inode: Inode) -> Entry:
        known = self.linked.get(inode.number)
        if known is not None:
            return known._replace(path=path)
        kind = KIND_OF_MODE.get(inode.mode & 0o170000)
        if kind is None:
            raise UnreadableError(f"inode {inode.number} has no type")
        xattrs = self.inodes.attributes(inode, self._attribute_block(inode), self._large_value)
        inline = xattrs.pop(INLINE_DATA, b"")
        data = None
        target = None
        if kind is Kind.SYMLINK:
            target = self.target(inode, inline)
        elif kind in (Kind.FILE, Kind.DIRECTORY):
            data = self.content(inode, inline)
        entry = self.described(path, inode, kind, data, target, tuple(xattrs.items()))  # as stored
        if inode.links > 1 and kind is not Kind.DIRECTORY:
            self.linked[inode.number] = entry
        return entry

    def described(
        self,
        path: str,
        inode: Inode,
        kind: Kind,
        data: Data | None,
        target: str | None = None,
        xattrs: tuple[tuple[str, bytes], ...] = (),
    ) -> Entry:
        """Return the entry of INODE with what was read of it."""
        return Entry(
            path=path,
            kind=kind,
            size=inode.size,
            mode=inode.mode & 0o7777,
            uid=inode.uid,
            gid=inode.gid,
            mtime_ns=inode.mtime_ns,
            target=target,
            device=_device(inode.content) if kind in (Kind.CHARACTER, Kind.BLOCK) else None,
            xattrs=xattrs,
            times=inode.times,
            inode=inode.number,
            record=(inode.place, self.superblock.inode_size),
            data=data,
        )

    def below(self, path: str, data: Data) -> Iterator[tuple[str, int]]:
        """Yield (path, inode) of what a directory names one by one: a hostile one names more than memory holds."""
        self.directories.append(data)
        try:
            for names in self.named(path, data):
                yield from names
        except UnreadableError as error:
            self.skipped.append((path, error.message))

    def named(self, path: str, data: Data) -> Iterator[list[tuple[str, int]]]:
        """Yield (path, inode) of what the directory at PATH names, block by block, in the order stored.

        Index blocks of hashed directories look empty here. Raises UnreadableError after what is not damaged.
        """
        if data.size > _DIRECTORY_MAX:
            raise UnreadableError(f"a directory of {data.size} bytes")
        prefix = f"{path}/" if path else ""
        for block in self._directory_blocks(data):
            names: list[tuple[str, int]] = []
            try:
                _add_names(block, prefix, names)
            except UnreadableError:
                yield names
                raise
            yield names

    def _directory_blocks(self, data: Data) -> Iterator[bytes]:
        if data.runs and data.root is not self.data.root:
            # Inline directories begin with the parent's inode number instead of "." and "..".
            raw = data.read_at(0, data.size)
            yield raw[4:60]
            yield raw[60:]
            return
        block_size = self.superblock.block_size
        for start in range(0, data.size, block_size):
            yield data.read_at(start, block_size)

    def target(self, inode: Inode, inline: bytes = b"") -> str:
        """Return where a symbolic link leads. Raises UnreadableError."""
        if inode.size < FAST_LINK and not inode.flags & (FLAG_EXTENTS | FLAG_INLINE_DATA):
            return text(inode.content[: inode.size])
        if inode.size > self.superblock.block_size:
            raise UnreadableError(f"a symbolic link of {inode.size} bytes")
        return text(self._apart(inode, inline).read_at(0, inode.size))

    def _attribute_block(self, inode: Inode) -> bytes | None:
        block = inode.attribute_block
        if not block:
            return None
        if block not in self.attribute_blocks:
            size = self.superblock.block_size
            if (block + 1) * size > self.data.size:
                raise UnreadableError(f"attribute block {block} lies beyond the end of the file system")
            self.attribute_blocks[block] = self.data.read_at(block * size, size)
        return self.attribute_blocks[block]

    def _large_value(self, number: int, size: int) -> bytes:
        if size > _ATTRIBUTE_MAX:
            raise UnreadableError(f"an extended attribute of {size} bytes")
        return self._apart(self.inodes.get(number)).read_at(0, size)

    def _apart(self, inode: Inode, inline: bytes = b"") -> Data:
        data = self.content(inode, inline)
        if data.root is self.data.root:
            self.apart.append(data)
        return data


def _add_names(part: bytes, prefix: str, names: list[tuple[str, int]]) -> None:
    """Add (path, inode) of what a block of a directory names. Raises UnreadableError."""
    start, end = 0, len(part)
    while start + 8 <= end:
        inode, length, name_length, _ = _NAME.unpack_from(part, start)
        if length in (0, 0xFFFF) and end > 0xFFFF:
            length = end - start
        if length < 8 or length % 4 or start + length > end or name_length + 8 > length:
            raise UnreadableError("a directory block is damaged")
        if inode and name_length:
            name = part[start + 8 : start + 8 + name_length]
            if b"/" in name or b"\0" in name:
                raise UnreadableError("a name in a directory holds a slash or a zero byte")
            if name not in (b".", b".."):
                names.append((prefix + text(name), inode))
        start += length


def _device(content: bytes) -> tuple[int, int]:
    """Decode the old 8:8 form in the first word, or the new 12:20 form in the second."""
    old, new = struct.unpack_from("<II", content)
    if old:
        return old >> 8 & 0xFF, old & 0xFF
    return (new & 0xFFF00) >> 8, (new & 0xFF) | (new >> 12 & 0xFFF00)
