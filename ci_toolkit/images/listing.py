"""Every file of an image with its size: from two such lists it is told what came, what went, and what grew."""

import os
import re
import stat
from pathlib import Path
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import directory
from ci_toolkit.images.data import Data, OpenFile, whole
from ci_toolkit.images.disks.kinds import DISKS
from ci_toolkit.images.entry import Container, Kind, text
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits
from ci_toolkit.images.read import COMPRESSIONS, identify

# More than any image has that people download; a larger list is no help either.
LIMIT_FILES: Final = 250_000

_SHELLS: Final = (Kind.PARTITION, Kind.DISK, Kind.STREAM)
_OCI: Final = "oci"
# What is looked into besides partition tables and file systems; not programs, for instance.
_LOOKED_INTO: Final = frozenset({"tar", "cpio", "zip", _OCI, *COMPRESSIONS, *(disk.name for disk in DISKS)})
_LAYER: Final = re.compile(r"(.* )?layer [0-9]+")
# Partitions overlap in hostile tables, and each may hold such a table again.
_LIMIT_OPENED: Final = 128


class Listed(NamedTuple):
    """A file, or what stands in a directory beside files. `size` is in bytes, 0 for all but files.

    `path` begins with the partition or the layer of a container image, where there are such ("2:root/etc/passwd").
    """

    path: str
    kind: Kind
    size: int


def read(image: Path) -> tuple[Listed, ...] | None:
    """Return what is in IMAGE but its directories, each path once and in order; None for what has no files in it.

    Disks, file systems, archives and container images are looked into, and directories, but no file that lies in one of
    these. Raises UnreadableError for what is damaged, or holds more than images are followed or LIMIT_FILES.
    """
    try:
        fd = os.open(image, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UnreadableError(f"{image.name}: {error.strerror}") from error
    try:
        found = os.fstat(fd)
        if stat.S_ISDIR(found.st_mode):
            listing = _Listing(Budget(Limits()))
            listing.tree(image)
        elif stat.S_ISREG(found.st_mode):
            held = found.st_blocks * 512
            listing = _Listing(Budget(Limits().scaled(held)))
            listing.open(whole(OpenFile(fd, found.st_size, image.name, held)), "")
        else:
            raise UnreadableError(f"{image.name} is neither a file nor a directory")
    finally:
        os.close(fd)
    return tuple(sorted(listing.files.values())) or None


class _Listing:
    """The files found so far, by their paths."""

    def __init__(self, budget: Budget) -> None:
        self.files: dict[str, Listed] = {}
        self._budget = budget
        self._opened = 0

    def tree(self, image: Path) -> None:
        """Add what is in the directory IMAGE."""
        found = directory.read(image, self._budget)
        if (image / "oci-layout").exists():
            from ci_toolkit.images.archives import oci

            found = oci.arranged(found, self._budget) if oci.is_layout(found) else found
        self._add(found, "")

    def open(self, data: Data, prefix: str) -> None:
        """Add the files in DATA, each with PREFIX before its path; nothing where it holds no files."""
        known = identify(data) if data.size else None
        if known is None:
            return
        self._opened += 1
        if self._opened > _LIMIT_OPENED:
            raise BeyondLimitError(f"more than {_LIMIT_OPENED} partitions and streams")
        container = known.read(data, self._budget)
        if container.transparent or container.format in _LOOKED_INTO:
            self._add(container, prefix)

    def _add(self, container: Container, prefix: str) -> None:
        for entry in container.entries:
            path = f"{prefix}{_plain(entry.path)}"
            is_layer = container.format == _OCI and _LAYER.fullmatch(entry.path) is not None
            if (entry.kind in _SHELLS or is_layer) and entry.data is not None:
                # A label may have slashes; of what lies below, the first one ends it.
                name = _plain(entry.path).replace("/", "_")
                self.open(entry.data, f"{prefix}{name}/" if name else prefix)
            elif entry.kind is not Kind.DIRECTORY and entry.path:
                self.files[path] = Listed(path, entry.kind, entry.size if entry.kind is Kind.FILE else 0)
        if len(self.files) > LIMIT_FILES:
            raise BeyondLimitError(f"more than {LIMIT_FILES:,} files")


def raw(path: str) -> bytes:
    """Return the bytes of PATH, a name of an image."""
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # of a file system with names of 16-bit units
        return path.encode("utf-8", "surrogatepass")


def _plain(path: str) -> str:
    """Return PATH as it comes back from a stored list, without what archives put in front of it."""
    plain = path.removeprefix("./").lstrip("/")
    return plain if plain.isascii() else text(raw(plain))
