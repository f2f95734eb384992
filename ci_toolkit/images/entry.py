"""What a reader finds in an image: entries, facts of the container, regions that belong to no entry."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from ci_toolkit.images.data import Data


class Kind(StrEnum):
    """What an entry is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    CHARACTER = "character device"
    BLOCK = "block device"
    FIFO = "fifo"
    SOCKET = "socket"
    PARTITION = "partition"
    SECTION = "section"
    STREAM = "stream"
    DISK = "disk"


# The file type bits of st_mode, which ext4, cpio and stat(2) share.
KIND_OF_MODE: Final[Mapping[int, Kind]] = MappingProxyType(
    {
        0o100000: Kind.FILE,
        0o040000: Kind.DIRECTORY,
        0o120000: Kind.SYMLINK,
        0o020000: Kind.CHARACTER,
        0o060000: Kind.BLOCK,
        0o010000: Kind.FIFO,
        0o140000: Kind.SOCKET,
    }
)


# The name of the time when an inode was last changed, among an entry's further times.
INODE_CHANGED: Final = "changed"


class Fact(NamedTuple):
    """A named value of a container's header; `places` are the spans (offset, length) of the container that hold it."""

    name: str
    value: int | str | bytes | tuple[str, ...] | None
    places: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Bytes of a container that belong to no entry, under a name for people."""

    name: str
    data: Data


class Entry(NamedTuple):
    """One member: a file of a file system or an archive, a partition, a section, the payload of a compressed stream.

    There may be hundreds of thousands; a frozen dataclass takes three times as long to make.

    `path` is the name as the image has it, "" for the container's own root or payload. None means that the format does
    not store the property. `number` pairs entries whose name may change (partitions). `times` are further times in
    nanoseconds. `record` is the span (offset, length) of the container that holds the entry's metadata.
    """

    path: str
    kind: Kind
    size: int = 0
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    mtime_ns: int | None = None
    target: str | None = None
    device: tuple[int, int] | None = None
    xattrs: tuple[tuple[str, bytes], ...] = ()
    times: tuple[tuple[str, int], ...] = ()
    inode: int | None = None
    number: int | None = None
    facts: Collection[Fact] = ()
    record: tuple[int, int] | None = None
    data: Data | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """An opened format.

    `transparent` says that it is nothing but a shell round its entries, as a disk or a file system is: it is never
    listed itself. `placed` says that inode numbers and blocks are worth comparing. `remainder` names the bytes
    that belong to no entry, fact or region. `skipped` are entries that could not be read, with the reason.
    """

    format: str
    entries: tuple[Entry, ...]
    facts: tuple[Fact, ...] = ()
    regions: tuple[Region, ...] = ()
    remainder: str = "gap"
    transparent: bool = False
    placed: bool = False
    skipped: tuple[tuple[str, str], ...] = ()


def text(name: bytes) -> str:
    """Return a name of an image as text; bytes that are not UTF-8 survive as surrogates."""
    return name.decode("utf-8", "surrogateescape")
