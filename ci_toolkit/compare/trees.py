"""Two directory trees of the machine, gone through at once: of what is equal in both, nothing is kept."""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from ci_toolkit.images.data import PLAIN_FILE
from ci_toolkit.images.directory import Tree, xattrs
from ci_toolkit.images.entry import Container
from ci_toolkit.images.limits import KIB, BeyondLimitError, Budget

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Small enough to stay in the processor's cache.
_AT_ONCE: Final = 128 * KIB

_Names = dict[str, "os.DirEntry[str]"]


def unequal(a: Path, b: Path, budget: Budget) -> tuple[Container, Container]:
    """Return two trees without those entries that are equal in all that is compared, in the order of names.

    What could not be compared here is in both. Raises UnreadableError as `directory.read` does.
    """
    return _Pair(Tree(a, budget), Tree(b, budget), budget).containers()


class _Pair:
    """Two trees; what is seen to differ is listed in each."""

    def __init__(self, one: Tree, other: Tree, budget: Budget) -> None:
        self._one = one
        self._other = other
        self._budget = budget
        # Used again and again: fresh memory would cost more than to compare.
        self._buffers = bytearray(_AT_ONCE), bytearray(_AT_ONCE)

    def containers(self) -> tuple[Container, Container]:
        # What is still to be looked at, the next one last: a path, and the trees that it is unequal in, if any.
        pending: list[tuple[str, tuple[Tree, ...]]] = [("", ())]
        while pending:
            path, trees = pending.pop()
            for tree in trees:
                tree.branch(path)
            if not trees:
                pending.extend(reversed(list(self._step(path))))
        return self._one.container(), self._other.container()

    def _step(self, path: str) -> Iterator[tuple[str, tuple[Tree, ...]]]:
        """Compare two directories themselves; yield those in both of them, and what is not equal in them, by names."""
        both = self._one, self._other
        with ExitStack() as stack:
            try:
                fds = [_opened(tree.place(path), stack) for tree in both]
                names = [_names(fd) for fd in fds]
                same = _key(os.fstat(fds[0])) == _key(os.fstat(fds[1])) and self._same_xattrs(path)
            except OSError:
                yield path, both  # there the reason is found
                return
            if not same:
                self._one.add(path)
                self._other.add(path)
            prefix = f"{path}/" if path else ""
            for name in sorted({**names[0], **names[1]}):
                x, y = names[0].get(name), names[1].get(name)
                if x is None or y is None:
                    yield prefix + name, both[:1] if y is None else both[1:]
                elif _is_directory(x) and _is_directory(y):
                    yield prefix + name, ()
                elif not self._is_equal(prefix + name, x, y, fds):
                    yield prefix + name, both

    def _is_equal(self, path: str, x: "os.DirEntry[str]", y: "os.DirEntry[str]", fds: list[int]) -> bool:
        """Tell whether two entries of FDS, no directories, are equal for certain."""
        try:
            one, other = x.stat(follow_symlinks=False), y.stat(follow_symlinks=False)
            if _key(one) != _key(other):
                return False
            if stat.S_ISREG(one.st_mode):
                return one.st_size == other.st_size and self._same_file(path, x.name, one.st_size, fds)
            if stat.S_ISLNK(one.st_mode) and os.readlink(x.name, dir_fd=fds[0]) != os.readlink(x.name, dir_fd=fds[1]):
                return False
            return self._same_xattrs(path)
        except (OSError, BeyondLimitError):
            return False

    def _same_file(self, path: str, name: str, size: int, fds: list[int]) -> bool:
        one = os.open(name, PLAIN_FILE, dir_fd=fds[0])
        try:
            other = os.open(name, PLAIN_FILE, dir_fd=fds[1])
            try:
                if not self._same_bytes(one, other, size):
                    return False
                # Open files are asked at less cost, and nearly all have none.
                return not (_has_xattrs(one) or _has_xattrs(other)) or self._same_xattrs(path)
            finally:
                os.close(other)
        finally:
            os.close(one)

    def _same_bytes(self, one: int, other: int, size: int) -> bool:
        """Tell whether SIZE bytes are equal, and account for them if so: those that differ are read again."""
        if size <= _AT_ONCE:
            content = os.read(one, size)
            if len(content) < size or content != os.read(other, size):
                return False
        else:
            x, y = self._buffers
            for left in range(size, 0, -_AT_ONCE):
                length = os.readv(one, (x,))
                # At the end, the rest is what was equal before.
                if length < min(left, _AT_ONCE) or length != os.readv(other, (y,)) or x != y:
                    return False
        self._budget.read(size)
        return True

    def _same_xattrs(self, path: str) -> bool:
        return xattrs(self._one.place(path)) == xattrs(self._other.place(path))


def _key(found: os.stat_result) -> tuple[int, ...]:
    """Return what is compared of an entry besides its content; only a device has a number."""
    return found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns, found.st_rdev


def _opened(place: str, stack: ExitStack) -> int:
    fd = os.open(place, _DIRECTORY)
    stack.callback(os.close, fd)
    return fd


def _names(fd: int) -> _Names:
    with os.scandir(fd) as found:
        return {entry.name: entry for entry in found}


def _is_directory(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _has_xattrs(fd: int) -> bool:
    try:
        return bool(os.listxattr(fd))
    except OSError:
        return False
