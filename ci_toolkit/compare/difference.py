"""One difference between two images: where, which property, and both values, typed."""

from dataclasses import dataclass
from enum import StrEnum


class Field(StrEnum):
    """The property that differs."""

    PRESENCE = "presence"  # the entry is in one image only: None on the other side, a kind's name on this one
    KIND = "kind"  # file against directory, ...
    MODE = "mode"  # int, permission bits 0o7777
    UID = "uid"
    GID = "gid"
    MTIME = "mtime"  # int, nanoseconds since the epoch
    TARGET = "target"  # str, of a symbolic link
    DEVICE = "device"  # tuple (major, minor)
    XATTR = "xattr"  # bytes or None; `name` is the attribute's
    CONTENT = "content"  # Content, of a file; an opened container has its members' differences below it
    HEADER = "header"  # a named fact of the container itself: `name` says which (uuid, hash_seed, disk_guid, ...)
    ORDER = "order"  # same members in another order: tuple of str, the first names that differ
    LAYOUT = "layout"  # int, how many inodes or blocks lie elsewhere, nothing else
    REGION = "region"  # Content, bytes that belong to no entry: boot code, a gap, file-system bookkeeping


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is kept of one side's bytes: `head` is the first 256 KiB, the whole content when `size` fits in it."""

    size: int
    sha256: str
    head: bytes

    @property
    def whole(self) -> bytes | None:
        """The content, or None where only its head was kept."""
        return self.head if len(self.head) == self.size else None


Value = None | bool | int | str | bytes | tuple[int, ...] | tuple[str, ...] | Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One property of one place that differs.

    `path` has one step per layer, outermost first: ("1:esp", "EFI/Linux/linux.efi", ".initrd", "etc/shadow"); inside a
    layer names are as the image has them, bytes that are not UTF-8 kept by surrogateescape. `container` is the format
    of the innermost layer ("gpt", "ext4", "vfat", "cpio", "pe", ...). `opened` is true for a CONTENT difference whose
    inside was compared too, so it may only follow from those below it. `bytes` counts differing bytes of the image
    that this difference accounts for, 0 where they are counted elsewhere; `spans` are about where on the disk these lie
    (offset, length), and are only for the finding to take up. `first_offset` is relative to the content. `diffoscope`
    is what that program says of the two contents, foreign text as all else, where it was asked.
    """

    path: tuple[str, ...]
    field: Field
    name: str | None = None
    container: str
    before: Value
    after: Value
    opened: bool = False
    bytes: int = 0
    first_offset: int | None = None
    spans: tuple[tuple[int, int], ...] = ()
    diffoscope: str | None = None


def display(path: tuple[str, ...]) -> str:
    """Return PATH as people read it: layers joined by " › ". Not yet safe for a terminal or a page."""
    return " › ".join(path) or "(the image itself)"
