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
    entries: list[Entry] = []
    skipped: list[tuple[str, str]] = []
    # mkosi's output is a link to the latest version of an image: what is meant is the tree that it leads to.
    top = os.fspath(root.resolve())
    pending = [""]
    while pending:
        path = pending.pop()
        try:
            # Names as strings: a Path for each of many thousand entries would take longer than all else.
            entry = _entry(f"{top}/{path}" if path else top, path)
            names = os.listdir(f"{top}/{path}") if entry.kind is Kind.DIRECTORY else []  # noqa: PTH208  names, not paths
        except OSError as error:
            if not path:
                raise UnreadableError(
                    f"{root}: {error.strerror}", hint="Run as a user who may read the whole tree."
                ) from error
            skipped.append((path, f"{error.strerror}"))
            continue
        try:
            budget.member(path, _memory(entry, top))
        except BeyondLimitError as error:
            # A part of a tree cannot be compared: what it lacks would seem to be in the other one alone.
            raise UnreadableError(
                f"{root}: {error.message}", hint="Compare parts of the trees, or archives of them."
            ) from error
        entries.append(entry)
        if names:
            names.sort(reverse=True)
            pending.extend([f"{path}/{name}" for name in names] if path else names)
    return Container(format="directory", entries=tuple(entries), transparent=True, skipped=tuple(skipped))


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
        xattrs=_xattrs(place),
        data=whole(ClosedFile(place, found.st_size)) if kind is Kind.FILE else None,
    )


def _memory(entry: Entry, top: str) -> int:
    """Say how much is kept of an entry besides its name: the place that it is read from, and its attributes."""
    place = getsizeof(entry.path) + len(top) if entry.data is not None else 0
    return place + sum(getsizeof(name) + getsizeof(value) for name, value in entry.xattrs)


def _xattrs(place: str) -> tuple[tuple[str, bytes], ...]:
    try:
        names = os.listxattr(place, follow_symlinks=False)
        if not names:
            return ()
        return tuple((name, os.getxattr(place, name, follow_symlinks=False)) for name in sorted(names))
    except OSError:
        # Many file systems have none, and some belong to root alone.
        return ()
