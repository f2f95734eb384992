"""FAT12, FAT16 and FAT32: names, times and clusters of every file, as on EFI system partitions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Fact, Kind, Region
from ci_toolkit.images.filesystems import fat_boot
from ci_toolkit.images.filesystems.fat_boot import Boot, Table
from ci_toolkit.images.filesystems.fat_directory import Slot, slots
from ci_toolkit.images.limits import BeyondLimitError, Budget, LongNameError

recognise = fat_boot.recognise

# 65536 slots of 32 bytes are all a FAT directory may have.
_DIRECTORY_MAX: Final = 65536 * 32


def read(data: Data, budget: Budget) -> Container:
    """Read all directories; what is damaged is skipped with its reason.

    Raises UnreadableError when the boot sector cannot be believed or the image is cut.
    """
    system = _FileSystem(data, budget)
    entries = tuple(system.walk(budget))
    return Container(
        format="vfat",
        entries=entries,
        facts=_facts(system.boot, system.label),
        regions=_regions(data, system.boot, system.directories),
        remainder="free space",
        transparent=True,
        placed=True,
        skipped=tuple(system.skipped),
    )


@dataclass(frozen=True, slots=True)
class _Pending:
    path: str
    content: Data


class _FileSystem:
    """One opened file system and what the walk over it has gathered."""

    def __init__(self, data: Data, budget: Budget) -> None:
        self.data = data
        self.boot = fat_boot.read_boot(data)
        budget.attribute(self.boot.table_size)
        self.table = Table(data, self.boot)
        self.label: tuple[Slot, int] | None = None
        self.directories: list[Data] = []
        self.skipped: list[tuple[str, str]] = []

    def walk(self, budget: Budget) -> Iterator[Entry]:
        """Yield every name, directories in the order of their slots."""
        pending = [_Pending("", self._root())]
        seen: set[int] = set()
        while pending:
            directory = pending.pop()
            self.directories.append(directory.content)
            below: list[_Pending] = []
            for slot in slots(directory.content.read_at(0, _DIRECTORY_MAX), wide=self.boot.bits == 32):
                if slot.is_label:
                    if not directory.path and self.label is None:
                        self.label = slot, self._place(directory.content, slot.position)
                    continue
                path = f"{directory.path}/{slot.name}" if directory.path else slot.name
                try:
                    budget.member(path)
                    entry = self._entry(path, slot, directory.content)
                except LongNameError as error:
                    self.skipped.append((path[: budget.limits.path], error.message))
                    continue
                except BeyondLimitError:
                    raise
                except UnreadableError as error:
                    self.skipped.append((path, error.message))
                    continue
                yield entry
                if slot.is_directory and slot.cluster and entry.data is not None:
                    if slot.cluster in seen:
                        self.skipped.append((path, f"cluster {slot.cluster} is a directory in two places"))
                        continue
                    seen.add(slot.cluster)
                    below.append(_Pending(path, entry.data))
            pending.extend(reversed(below))

    def _root(self) -> Data:
        if self.boot.bits == 32:
            return self._content(self.boot.root_cluster, None)
        return self.data.window(self.boot.root_offset, self.boot.root_size)

    def _content(self, cluster: int, size: int | None) -> Data:
        """Return the bytes of a chain, cut to SIZE unless that is None. Raises UnreadableError."""
        runs = self.table.chain(cluster) if cluster else []
        unit = self.boot.cluster
        held = sum(count for _, count in runs) * unit
        if size is not None and held < size:
            raise UnreadableError(f"{size} bytes are said to lie in {held // unit} clusters")
        pieces = []
        position = 0
        for first, count in runs:
            pieces.append((position, count * unit, self.boot.data_offset + (first - 2) * unit))
            position += count * unit
        return self.data.scattered(pieces, held if size is None else size)

    def _entry(self, path: str, slot: Slot, directory: Data) -> Entry:
        return Entry(
            path=path,
            kind=Kind.DIRECTORY if slot.is_directory else Kind.FILE,
            size=slot.size,
            mtime_ns=slot.modified_ns,
            times=(("created", slot.created_ns), ("accessed", slot.accessed_ns)),
            facts=(Fact(name="attributes", value=slot.attributes), Fact(name="short_name", value=slot.short)),
            inode=slot.cluster or None,
            record=(self._place(directory, slot.position), 32),
            data=self._content(slot.cluster, None if slot.is_directory else slot.size),
        )

    def _place(self, directory: Data, position: int) -> int:
        """Return the byte of the file system at which POSITION of a directory lies."""
        offset = directory.located(position, 1)[0].offset
        start = self.data.runs[0].offset
        # A file system that is itself scattered over another one has no single place to name.
        return offset - start if offset is not None and start is not None and len(self.data.runs) == 1 else 0


def _facts(boot: Boot, label: tuple[Slot, int] | None) -> tuple[Fact, ...]:
    starts = (0, boot.backup) if boot.backup else (0,)

    def places(offset: int, length: int) -> tuple[tuple[int, int], ...]:
        return tuple((start + offset, length) for start in starts)

    serial = f"{boot.volume_id >> 16:04X}-{boot.volume_id & 0xFFFF:04X}"
    facts = [
        Fact(name="volume_id", value=serial, places=places(boot.extended + 3, 4)),
        Fact(name="boot_label", value=_text(boot.label), places=places(boot.extended + 7, 11)),
        Fact(name="system_id", value=_text(boot.system), places=places(3, 8)),
        Fact(name="fat_bits", value=boot.bits),
        Fact(name="sector_size", value=boot.sector),
        Fact(name="cluster_size", value=boot.cluster),
        Fact(name="size", value=boot.size),
    ]
    if label is not None:
        slot, place = label
        facts.append(Fact(name="label", value=slot.short, places=((place, 11),)))
        facts.append(Fact(name="label_time", value=slot.modified_ns // 10**9, places=((place + 22, 4),)))
    return tuple(facts)


def _regions(data: Data, boot: Boot, directories: list[Data]) -> tuple[Region, ...]:
    sectors = [("boot sector", 0), ("fs info", boot.info), ("boot sector", boot.backup)]
    named = [(name, start, boot.sector) for name, start in sectors if start or name == "boot sector"]
    named = [(name, start, length) for name, start, length in dict.fromkeys(named) if start + length <= boot.reserved]
    named += [("fat", boot.reserved + copy * boot.table_size, boot.table_size) for copy in range(boot.copies)]
    found = [Region(name=name, data=data.window(start, length)) for name, start, length in named]
    found += [Region(name="root directory", data=directory) for directory in directories[:1]]
    found += [Region(name="directory blocks", data=directory) for directory in directories[1:]]
    return tuple(found)


def _text(raw: bytes) -> str:
    return raw.decode("cp437").rstrip(" \0")
