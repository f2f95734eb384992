"""Where a difference lies: its name as seen from the image's root, and whether that is inside an initrd."""

import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from functools import cache, lru_cache
from typing import Final

from ci_toolkit.compare.difference import Difference, Field

# Where partitions of these labels are mounted; names inside them are shown from the image's root.
_MOUNTED: Final = {
    "usr": "usr/",
    "var": "var/",
    "var-tmp": "var/tmp/",
    "home": "home/",
    "srv": "srv/",
    "boot": "boot/",
    "xbootldr": "boot/",
}
_PARTITION: Final = re.compile(r"^\d+:(.+)$")
_INITRD: Final = re.compile(r"^(?:.*/)?(?:\.initrd|initrd|initramfs)[^/]*$")

# What a container tells of one member is shown at that member's path; all else at the container's own.
_OF_ENTRIES: Final = {
    "gpt": frozenset(("partition_type", "partition_guid", "first_lba", "last_lba", "flags", "label")),
    "mbr": frozenset(("partition_type", "flags", "first_lba", "sectors")),
    "pe": frozenset(("virtual_size", "virtual_address")),
    "elf": frozenset(("section_type", "section_flags", "virtual_size", "virtual_address")),
    "cpio": frozenset(("link_count",)),
    "tar": frozenset(("user_name", "group_name", "hard_link")),
    "oci": frozenset(("user_name", "group_name", "hard_link")),
    "vfat": frozenset(("attributes", "short_name")),
    "zip": frozenset(
        (
            "made_by",
            "made_on",
            "flags",
            "level",
            "method",
            "internal_attributes",
            "attributes",
            "comment",
            "extra_fields",
            "local_extra_fields",
        )
    ),
}
# Formats whose members are files of the image, or of an image in it; those of all others are parts of one file.
_TREES: Final = frozenset(
    (
        "ext4",
        "vfat",
        "btrfs",
        "xfs",
        "f2fs",
        "squashfs",
        "erofs",
        "iso9660",
        "cpio",
        "tar",
        "oci",
        "directory",
        "gpt",
        "mbr",
        "",
    )
)
# Properties of a container that are told at its own path.
_INSIDE: Final = (Field.HEADER, Field.ORDER, Field.LAYOUT, Field.REGION)
# Properties of a file system's root directory, which has the path of the file system.
_OF_ROOT: Final = (Field.MODE, Field.UID, Field.GID, Field.MTIME, Field.XATTR)


def containers(difference: Difference) -> tuple[tuple[str, ...], ...]:
    """The paths that DIFFERENCE lies inside of, outermost first; a fact of a container lies inside that container."""
    # The image itself is nobody's entry, whatever a fact of it is called.
    of_entry = difference.path and difference.name in _OF_ENTRIES.get(difference.container, ())
    own = (difference.field in _INSIDE and not of_entry) or _is_root(difference)
    return tuple(difference.path[:length] for length in range(len(difference.path) + own))


def _is_root(difference: Difference) -> bool:
    """Tell whether this is of the root directory of the image itself or of a partition."""
    at_root = not difference.path or _PARTITION.match(difference.path[-1]) is not None
    return at_root and difference.field in _OF_ROOT and difference.container not in ("gpt", "mbr")


@lru_cache(maxsize=64)  # all rules ask in turn about the same difference
def name(path: tuple[str, ...]) -> str:
    """Return the innermost name of PATH without a leading slash, from the root of the image that holds it."""
    if not path:
        return ""
    inner = re.sub(r"^(?:\.?/)+", "", path[-1])
    outer = _PARTITION.match(path[-2]) if len(path) > 1 else None
    label = outer.group(1).lower() if outer else ""
    prefix = next((_MOUNTED[word] for word in (label, label.partition("-")[0]) if word in _MOUNTED), "")
    return inner if inner.startswith(prefix) else prefix + inner


def file(difference: Difference) -> tuple[str, ...]:
    """Return the path of the file that DIFFERENCE lies in, where its last step is a part of that file: a section, a
    table, a record; else its own path."""
    is_part = difference.container not in _TREES and difference.field not in _INSIDE
    return difference.path[:-1] if is_part and len(difference.path) > 1 else difference.path


def in_initrd(path: tuple[str, ...]) -> bool:
    """Tell whether PATH goes through an initrd inside another image; an initrd that was built alone is the image."""
    return any(_INITRD.match(step) for step in path[:-1])


def matches(path: tuple[str, ...], *globs: str) -> bool:
    """Tell whether the innermost name of PATH is one of GLOBS, in which "*" goes across slashes too."""
    return _any_of(globs)(name(path))


def within(globs: Iterable[str]) -> Callable[[tuple[str, ...]], bool]:
    """Return what tells whether a path is at, or inside of, a place that one of GLOBS names as `matches` has them."""
    is_one = _any_of(tuple(dict.fromkeys(globs)))

    @lru_cache(maxsize=64)  # paths in a row go through the same containers
    def is_at(path: tuple[str, ...]) -> bool:
        return is_one(name(path))

    return lambda path: any(is_at(path[:length]) for length in range(1, len(path) + 1))


@cache  # as many as there are rules
def _any_of(globs: tuple[str, ...]) -> Callable[[str], bool]:
    """Return what tells whether a name is one of GLOBS: nearly all are whole names, beginnings or ends."""
    names = frozenset(glob for glob in globs if _is_plain(glob))
    starts = [glob for glob in globs if glob.endswith("*") and _is_plain(glob[:-1])]
    ends = [glob for glob in globs if glob.startswith("*") and _is_plain(glob[1:])]
    others = [translate(glob) for glob in globs if glob not in (*names, *starts, *ends)]
    beginnings, endings = tuple(glob[:-1] for glob in starts), tuple(glob[1:] for glob in ends)
    # To compile a pattern takes longer than to look for it in all the names of a report.
    pattern = re.compile("|".join(others)) if others else None

    def is_one(found: str) -> bool:
        return (
            found in names
            or found.startswith(beginnings)
            or found.endswith(endings)
            or (pattern is not None and pattern.match(found) is not None)
        )

    return is_one


def _is_plain(part: str) -> bool:
    return not set("*?[").intersection(part)
