"""A directory tree of the machine itself, read without following links; nothing but plain files is ever opened."""

import os
from pathlib import Path
from sys import getsizeof
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import ClosedFile, whole
from ci_toolkit.images.entry import KIND_OF_MODE, Container, Entry, Kind
from ci_toolkit.images.limits import BeyondLimitError, Budget

_SPECIAL: Final = (Kind.CHARACTER, Kind.BLOCK)


def read(root: Path, budget: Budget) -> Container:
    """List the tree below ROOT, in the order of names; directories that cannot be listed are skipped with the reason.

    ROOT may be a link to the tree. Raises UnreadableError when ROOT itself cannot be listed, or holds too much.
    """
    tree = Tree(root, budget)
    tree.branch("")
    return tree.container()


class Tree:
    """The tree below ROOT, or those parts of it that were asked for: paths are counted from ROOT, "" is ROOT itself."""

    def __init__(self, root: Path, budget: Budget) -> None:
        # mkosi's output is a link to the latest version of an image: what is meant is the tree that it leads to.
        self.top = os.fspath(root.resolve())
        self._root = root
        self._budget = budget
        self._entries: list[Entry] = []
        self._skipped: list[tuple[str, str]] = []

    def container(self) -> Container:
        """Return what was listed, in the order in which it was asked for."""
        return Container(
            format="directory", entries=tuple(self._entries), transparent=True, skipped=tuple(self._skipped)
        )

    def place(self, path: str) -> str:
        """Return where PATH is on the machine."""
        return f"{self.top}/{path}" if path else self.top

    def add(self, path: str) -> None:
        """List PATH, and nothing below it. Raises UnreadableError as `branch` does."""
        self._add(path, recursive=False)

    def branch(self, path: str) -> None:
        """List PATH and all below it. Raises UnreadableError when ROOT itself cannot be, or when that is too much."""
        pending = [path]
        while pending:
            path = pending.pop()
            names = self._add(path, recursive=True)
            if names:
                names.sort(reverse=True)
                pending.extend([f"{path}/{name}" for name in names] if path else names)

    def _add(self, path: str, *, recursive: bool) -> list[str]:
        """Add an entry, or why there is none; return the names in it, if it is a directory and RECURSIVE is said."""
        try:
            # Names as strings: a Path for each of many thousand entries would take longer than all else.
            place = self.place(path)
            entry = _entry(place, path)
            names = os.listdir(place) if recursive and entry.kind is Kind.DIRECTORY else []  # noqa: PTH208  names
        except OSError as error:
            if not path:
                raise UnreadableError(
                    f"{self._root}: {error.strerror}", hint="Run as a user who may read the whole tree."
                ) from error
            self._skipped.append((path, f"{error.strerror}"))
            return []
        try:
            self._budget.member(path, _memory(entry, self.top))
        except BeyondLimitError as error:
            # A part of a tree cannot be compared: what it lacks would seem to be in the other one alone.
            raise UnreadableError(
                f"{self._root}: {error.message}", hint="Compare parts of the trees, or archives of them."
            ) from error
        self._entries.append(entry)
        return names


def xattrs(place: str) -> tuple[tuple[str, bytes], ...]:
    """Return the extended attributes of what is at PLACE, a link itself, in the order of their names."""
    try:
        names = os.listxattr(place, follow_symlinks=False)
        if not names:
            return ()
        return tuple((name, os.getxattr(place, name, follow_symlinks=False)) for name in sorted(names))
    except OSError:
        # Many file systems have none, and some belong to root alone.
        return ()


def _entry(place: str, path: str) -> Entry:
    found = os.lstat(place)
    kind = KIND_OF_MODE[found.st_mode & 0o170000]
    return Entry(
        path=path,
        kind=kind,
        size=found.st_size if kind is Kind.FILE else 0,
        mode=found.st_mode & 0o7777,
        uid=found.st_uid,
        gid=found.st_gid,
        mtime_ns=found.st_mtime_ns,
        target=os.readlink(place) if kind is Kind.SYMLINK else None,  # noqa: PTH115  a Path would tidy the target
        device=(os.major(found.st_rdev), os.minor(found.st_rdev)) if kind in _SPECIAL else None,
        xattrs=xattrs(place),
        data=whole(ClosedFile(place, found.st_size)) if kind is Kind.FILE else None,
    )


def _memory(entry: Entry, top: str) -> int:
    """Say how much is kept of an entry besides its name: the place that it is read from, and its attributes."""
    place = getsizeof(entry.path) + len(top) if entry.data is not None else 0
    return place + sum(getsizeof(name) + getsizeof(value) for name, value in entry.xattrs)
