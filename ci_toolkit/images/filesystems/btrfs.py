"""btrfs on one device: every name of every subvolume with its inode, where its content lies, and the trees round it."""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import KIND_OF_MODE, Container, Entry, Fact, Kind, text
from ci_toolkit.images.filesystems import btrfs_items, btrfs_superblock
from ci_toolkit.images.filesystems.btrfs_contents import Contents
from ci_toolkit.images.filesystems.btrfs_items import Name
from ci_toolkit.images.filesystems.btrfs_regions import Survey
from ci_toolkit.images.filesystems.btrfs_trees import CHUNK_TREE_UUID_AT, Item, Trees
from ci_toolkit.images.filesystems.tree import Below, walk
from ci_toolkit.images.limits import Budget

recognise = btrfs_superblock.recognise

_ROOT_TREE: Final = 1
_CHUNK_TREE: Final = 3
_FS_TREE: Final = 5
_DIRECTORY_OF_ROOTS: Final = 6
_LOG_TREE: Final = (1 << 64) - 6
_FIRST: Final = 256
_DIR_ITEM: Final = 84
_TARGET_MAX: Final = 4096
_ATTRIBUTE_COST: Final = 64

# (number of the tree, number of the inode)
Place = tuple[int, int]


def read(data: Data, budget: Budget) -> Container:
    """Read all names and inodes, those of subvolumes included; what is damaged is skipped with its reason.

    Raises UnreadableError when the superblock, the chunks or the tree of roots cannot be believed, or the image is cut.
    """
    system = _FileSystem(data, budget)
    entries = tuple(system.walk())
    contents = system.contents
    return Container(
        format="btrfs",
        entries=entries,
        facts=system.facts(),
        regions=system.survey.regions(
            (
                ("reserved extents", contents.reserved),
                ("ends of files", contents.slack),
                ("second copies of data", contents.mirrors),
            )
        ),
        remainder="free space",
        transparent=True,
        placed=True,
        skipped=(*system.survey.skipped, *system.skipped),
    )


class _FileSystem:
    """One opened file system and what the walk over it has gathered."""

    def __init__(self, data: Data, budget: Budget) -> None:
        self.superblock = btrfs_superblock.read_superblock(data)
        self.trees = Trees(data, self.superblock)
        self.contents = Contents(data, self.superblock, self.trees, budget)
        self.skipped: list[tuple[str, str]] = []
        self._budget = budget
        self._linked: dict[tuple[int, int], Entry] = {}
        self._roots: dict[int, Item] = {}
        for item in self.trees.walk(self.superblock.root):
            if item.key[1] == btrfs_items.ROOT_ITEM:
                budget.attribute(len(item.raw))
                self._roots[item.key[0]] = item
        self.survey = Survey(data, self.superblock, self.trees)
        self.survey.tree(_CHUNK_TREE, self.superblock.chunk_root)
        self.survey.tree(_ROOT_TREE, self.superblock.root)
        if self.superblock.log_root:
            self.survey.tree(_LOG_TREE, self.superblock.log_root)
        self.survey.old_blocks()

    def walk(self) -> Iterator[Entry]:
        """Yield the root and every name below it, subvolumes where they are mounted, in the order of their making."""
        return walk((_FS_TREE, _FIRST), self._visit, self._budget, self.skipped)

    def _visit(self, path: str, place: Place) -> tuple[Entry, Below[Place] | None]:
        self.trees.allow()
        tree, number = place
        entry = self._entry(path, tree, number)
        if entry.kind is not Kind.DIRECTORY:
            return entry, None
        return entry, Below(f"{number} of tree {tree}", self._below(path, tree, number))

    def facts(self) -> tuple[Fact, ...]:
        node = self.trees.node(self.superblock.chunk_root)
        uuid = str(UUID(bytes=node.raw[CHUNK_TREE_UUID_AT : CHUNK_TREE_UUID_AT + 16]))
        return (
            *btrfs_superblock.facts(self.superblock, self.survey.uuids),
            Fact(name="chunk_tree_uuid", value=uuid, places=tuple(self.survey.uuids["chunk_tree_uuid"])),
            *self._root_facts(_FS_TREE, "fs_tree"),
            *self._default(),
        )

    def _default(self) -> Iterator[Fact]:
        """Yield which subvolume is mounted when none is named."""
        kinds = (_DIRECTORY_OF_ROOTS, _DIR_ITEM, 0), (_DIRECTORY_OF_ROOTS, _DIR_ITEM, (1 << 64) - 1)
        for item in self.trees.find(self.superblock.root, *kinds):
            for name in btrfs_items.read_names(item.raw):
                if name.name == b"default":
                    places = tuple((copy, 8) for copy in self.trees.chunks.copies(item.address, 8))
                    yield Fact(name="default_subvolume", value=name.number, places=places)

    def _root_facts(self, tree: int, name: str) -> tuple[Fact, ...]:
        item = self._roots.get(tree)
        if item is None:
            return ()
        starts = self.trees.chunks.copies(item.address, len(item.raw))
        uuids = self.survey.subvolume_uuids.get(btrfs_items.root_uuid(item.raw), ())
        return btrfs_items.root_facts(item.raw, name, starts, tuple(uuids))

    def _root(self, tree: int) -> int:
        item = self._roots.get(tree)
        if item is None:
            raise UnreadableError(f"tree {tree} does not exist")
        return btrfs_items.root_of(item.raw)

    def _entry(self, path: str, tree: int, number: int) -> Entry:
        known = self._linked.get((tree, number))
        if known is not None:
            return known._replace(path=path)
        root = self._root(tree)
        item = self.trees.one(root, number, btrfs_items.INODE_ITEM)
        if item is None:
            raise UnreadableError(f"inode {number} of tree {tree} does not exist")
        inode = btrfs_items.read_inode(item.raw)
        kind = KIND_OF_MODE.get(inode.mode & 0o170000)
        if kind is None:
            raise UnreadableError(f"inode {number} of tree {tree} has no type")
        place = self.trees.chunks.copies(item.address, len(item.raw))[0]
        data = None
        target = None
        if kind is Kind.SYMLINK:
            if inode.size > _TARGET_MAX:
                raise UnreadableError(f"a symbolic link of {inode.size} bytes")
            self._budget.attribute(inode.size)
            target = text(self.contents.content(root, number, inode.size).read_at(0, inode.size))
        elif kind is Kind.FILE:
            data = self.contents.content(root, number, inode.size)
        entry = Entry(
            path=path,
            kind=kind,
            size=inode.size,
            mode=inode.mode & 0o7777,
            uid=inode.uid,
            gid=inode.gid,
            mtime_ns=inode.modified_ns,
            target=target,
            device=inode.device if kind in (Kind.CHARACTER, Kind.BLOCK) else None,
            xattrs=tuple(sorted(self._attributes(root, number))),
            times=(
                ("created", inode.created_ns), ("changed", inode.changed_ns), ("accessed", inode.accessed_ns),
            ),
            inode=number,
            facts=self._entry_facts(tree, number, inode.flags, place),
            record=(place, btrfs_items.INODE_SIZE),
            data=data,
        )  # fmt: skip
        if inode.links > 1 and kind is not Kind.DIRECTORY:
            self._linked[tree, number] = entry
        return entry

    def _entry_facts(self, tree: int, number: int, flags: int, place: int) -> tuple[Fact, ...]:
        own = (Fact(name="inode_flags", value=flags, places=((place + btrfs_items.FLAGS_AT, 8),)),) if flags else ()
        if tree != _FS_TREE and number == _FIRST:
            return (*own, Fact(name="subvolume_number", value=tree), *self._root_facts(tree, "subvolume"))
        return own

    def _attributes(self, root: int, number: int) -> Iterator[tuple[str, bytes]]:
        kind = btrfs_items.XATTR_ITEM
        for item in self.trees.find(root, (number, kind, 0), (number, kind, (1 << 64) - 1)):
            for found in btrfs_items.read_names(item.raw):
                self._budget.attribute(len(found.name) + len(found.value) + _ATTRIBUTE_COST)
                yield text(found.name), found.value

    def _below(self, path: str, tree: int, number: int) -> Iterator[tuple[str, Place]]:
        """Yield the places in a directory one by one: a hostile one has more than there is memory for."""
        kind = btrfs_items.DIR_INDEX
        try:
            for item in self.trees.find(self._root(tree), (number, kind, 0), (number, kind, (1 << 64) - 1)):
                for found in btrfs_items.read_names(item.raw):
                    name = text(found.name)
                    below = f"{path}/{name}" if path else name
                    if _is_impossible(found):
                        self.skipped.append((below, "no file can have such a name"))
                    elif found.kind == btrfs_items.ROOT_ITEM:
                        yield below, (found.number, _FIRST)
                    else:
                        yield below, (tree, found.number)
        except UnreadableError as error:
            self.skipped.append((path, error.message))


def _is_impossible(name: Name) -> bool:
    return name.name in (b"", b".", b"..") or b"/" in name.name or b"\0" in name.name
