"""The files of a disk's root file system, taken out by our own readers: nothing is mounted, and nobody need be root."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.formats.source import Disk
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Kind
from ci_toolkit.images.limits import MIB
from ci_toolkit.images.read import identify

# Those that can hold a root with its owners and links.
_ROOTS: Final = frozenset(("ext4", "btrfs", "xfs", "f2fs", "erofs", "squashfs"))
_RELEASES: Final = frozenset(("usr/lib/os-release", "etc/os-release"))
_USR: Final = "usr"
_USR_RELEASE: Final = "lib/os-release"
_HINT: Final = "Only file systems that are neither encrypted nor made at boot can be taken out of an image."

# Files with holes, or compressed ones, may come to so much more than the disk holds: any size can be claimed.
_MOST: Final = 256 * MIB
_TIMES: Final = 64

# e_machine of ELF, and what Go, hence every registry, calls it.
_ARCHITECTURES: Final = {
    3: "386", 21: "ppc64le", 22: "s390x", 40: "arm", 62: "amd64", 183: "arm64", 243: "riscv64", 258: "loong64",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tree:
    """All names in the order of their bytes, the root "" first; `links` are further names of files, with the first."""

    entries: tuple[Entry, ...]
    links: dict[str, str]

    @property
    def size(self) -> int:
        """How many bytes the files have, each counted once."""
        return sum(entry.size for entry in self.entries if entry.kind is Kind.FILE and entry.path not in self.links)

    def has(self, *paths: str) -> str | None:
        """Return the first of PATHS that is there."""
        names = {entry.path for entry in self.entries}
        return next((path for path in paths if path in names), None)

    def newest(self) -> int:
        """Return the latest time of a file, in whole seconds since 1970: the epoch, where the build had one."""
        return max((entry.mtime_ns or 0) for entry in self.entries) // 10**9

    def architecture(self) -> str:
        """Return the architecture of the programs, by Go's name for it. Raises UnreadableError where there are none."""
        for entry in self.entries:
            if entry.kind is Kind.FILE and entry.path.startswith(("usr/bin/", "bin/")) and entry.data is not None:
                head = entry.data.read_at(0, 20)
                if head[:4] == b"\x7fELF" and len(head) == 20:
                    machine = int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")
                    return _ARCHITECTURES.get(machine, f"unknown-{machine}")
        raise UnreadableError(
            "no program is found in /usr/bin: for which architecture the image is cannot be told",
            hint="Convert it to tar.zst, which says nothing of it.",
        )


def root(disk: Disk) -> Tree:
    """Return the root file system of DISK, with /usr where that has a partition. Raises UnreadableError."""
    if disk.table is None:
        contents = [("the image", disk.data)]
    else:
        contents = [(entry.path, entry.data) for entry in disk.table.entries if entry.data is not None]
    opened: list[Container] = []
    seen: list[str] = []
    for name, data in contents:
        kind, container = _opened(disk, name, data)
        seen.append(f"{name} ({kind})")
        opened += [container] if container is not None else []
    found = _joined(opened)
    if found is None:
        told = ", ".join(seen) or "it has no partition"
        raise UnreadableError(f"no root file system with an os-release is found in {disk.name}: {told}", hint=_HINT)
    tree = _sorted(found)
    if tree.size > _MOST + _TIMES * disk.held:
        raise UnreadableError(
            f"the files of {disk.name} come to {tree.size} bytes, though it holds only {disk.held}",
            hint="They are mostly holes, which an archive does not have. Leave such files out of the image.",
        )
    return tree


def _opened(disk: Disk, name: str, data: Data) -> tuple[str, Container | None]:
    """Return what DATA is, and its files, if it can hold a root. Raises UnreadableError where these are damaged."""
    known = identify(data)
    if known is None or known.name not in _ROOTS:
        return known.name if known is not None else "no file system", None
    container = known.read(data, disk.budget)
    if container.skipped:
        path, reason = container.skipped[0]
        raise UnreadableError(f"{disk.name}, {name}: {path!r} cannot be read: {reason}", hint="Build the image again.")
    return known.name, container


def _joined(containers: list[Container]) -> list[Entry] | None:
    """Return the entries of the first root, and below it those of /usr, where it has a file system of its own."""
    paths = [{entry.path for entry in container.entries} for container in containers]
    for container, names in zip(containers, paths, strict=True):
        if names & _RELEASES and f"{_USR}/bin" in names:
            return _kept(container)
    usr = next((one for one, names in zip(containers, paths, strict=True) if _USR_RELEASE in names), None)
    bare = next((one for one, names in zip(containers, paths, strict=True) if {_USR, "etc"} <= names), None)
    if usr is None or bare is None:
        return None
    below = [entry._replace(path=f"{_USR}/{entry.path}" if entry.path else _USR) for entry in _kept(usr)]
    return [entry for entry in _kept(bare) if entry.path != _USR] + below


def _kept(container: Container) -> list[Entry]:
    """Return what is a file of the system: no socket, which no archive can hold, and not mke2fs's lost+found."""
    full = any(entry.path.startswith("lost+found/") for entry in container.entries)
    return [
        entry
        for entry in container.entries
        if entry.kind is not Kind.SOCKET and (full or entry.path != "lost+found" or container.format != "ext4")
    ]


def _sorted(entries: list[Entry]) -> Tree:
    entries.sort(key=lambda entry: entry.path.encode("utf-8", "surrogateescape"))
    return Tree(entries=tuple(entries), links=dict(_links(entries)))


def _links(entries: list[Entry]) -> Iterator[tuple[str, str]]:
    """Yield each further name of a file, with its first. The readers give all of them the same data."""
    first: dict[int, str] = {}
    for entry in entries:
        if entry.kind is Kind.FILE and entry.inode is not None and entry.data is not None:
            known = first.setdefault(id(entry.data), entry.path)
            if known != entry.path:
                yield entry.path, known
