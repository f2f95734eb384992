"""One file of an image, by its path in whichever of the image's file systems has it."""

import os
from pathlib import Path
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import PLAIN_FILE, Data, OpenFile, whole
from ci_toolkit.images.disks.kinds import DISKS
from ci_toolkit.images.entry import Container, Kind
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits
from ci_toolkit.images.read import COMPRESSIONS, identify

_SHELLS: Final = (Kind.PARTITION, Kind.DISK, Kind.STREAM)
_LOOKED_INTO: Final = frozenset({"tar", "cpio", *COMPRESSIONS, *(disk.name for disk in DISKS)})
# Partitions overlap in hostile tables, and each may hold such a table again.
_LIMIT_OPENED: Final = 128


def read(image: Path, path: str, limit: int) -> bytes | None:
    """Return what the file PATH ("etc/passwd") holds in IMAGE, a disk, a file system or an archive; None without one.

    Links are not followed. Raises UnreadableError for what is damaged, and for a file of more than LIMIT bytes.
    """
    try:
        fd = os.open(image, PLAIN_FILE)
    except OSError as error:
        raise UnreadableError(f"{image.name}: {error.strerror}") from error
    try:
        found = os.fstat(fd)
        held = found.st_blocks * 512
        search = _Search(path, limit, Budget(Limits().scaled(held)))
        return search.open(whole(OpenFile(fd, found.st_size, image.name, held)))
    except OSError as error:
        raise UnreadableError(f"{image.name}: {error.strerror}") from error
    finally:
        os.close(fd)


class _Search:
    """The search for one path, as far as images are followed."""

    def __init__(self, path: str, limit: int, budget: Budget) -> None:
        self._path = path
        self._limit = limit
        self._budget = budget
        self._opened = 0

    def open(self, data: Data) -> bytes | None:
        """Return the content of the file, which may lie in DATA."""
        known = identify(data) if data.size else None
        if known is None:
            return None
        self._opened += 1
        if self._opened > _LIMIT_OPENED:
            raise BeyondLimitError(f"more than {_LIMIT_OPENED} partitions and streams")
        container = known.read(data, self._budget)
        if not container.transparent and container.format not in _LOOKED_INTO:
            return None
        return self._look(container)

    def _look(self, container: Container) -> bytes | None:
        for entry in container.entries:
            if entry.data is None:
                continue
            if entry.kind in _SHELLS:
                found = self.open(entry.data)
                if found is not None:
                    return found
            elif entry.kind is Kind.FILE and entry.path.removeprefix("./").lstrip("/") == self._path:
                if entry.size > self._limit:
                    raise BeyondLimitError(f"{self._path} is larger than {self._limit:,} bytes")
                return entry.data.read_at(0, entry.size)
        return None
