"""Which entry of one image is to be compared with which of the other, and in which properties they differ."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from operator import attrgetter
from typing import Final

from ci_toolkit.compare.difference import Field, Value
from ci_toolkit.images.entry import INODE_CHANGED, Entry, Fact

# Entries of one name are paired in their order: the second with the second. There may be a million first ones.
Key = str | int | tuple[str | int, int]

NAMES_SHOWN: Final = 8
# Takes the place of an attribute's name, which would have a class before a dot.
XATTR_ORDER: Final = "order"

_PROPERTIES: Final[tuple[tuple[Field, Callable[[Entry], Value]], ...]] = (
    (Field.MODE, lambda entry: entry.mode),
    (Field.UID, lambda entry: entry.uid),
    (Field.GID, lambda entry: entry.gid),
    (Field.MTIME, lambda entry: entry.mtime_ns),
    (Field.TARGET, lambda entry: entry.target),
    (Field.DEVICE, lambda entry: entry.device),
)

_all: Final = attrgetter("mode", "uid", "gid", "mtime_ns", "target", "device")

# A property that differs: field, name of an attribute or fact, both values.
Property = tuple[Field, str | None, Value, Value]


def keyed(entries: Iterable[Entry]) -> dict[Key, Entry]:
    """Give every entry the key that it is paired by."""
    again: Counter[str | int] = Counter()
    found: dict[Key, Entry] = {}
    for entry in entries:
        name = entry.path if entry.number is None else entry.number
        if name in found:
            again[name] += 1
            found[name, again[name]] = entry
        else:
            found[name] = entry
    return found


def properties(a: Entry, b: Entry) -> Iterator[Property]:
    """Yield the metadata in which two entries of one kind differ."""
    # Nearly all entries are equal: one comparison tells.
    if _all(a) != _all(b):
        for field, get in _PROPERTIES:
            before, after = get(a), get(b)
            if before != after:
                yield field, None, before, after
    if a.times != b.times:
        yield from _times(dict(a.times), dict(b.times))
    if a.xattrs != b.xattrs:
        before_xattrs, after_xattrs = dict(a.xattrs), dict(b.xattrs)
        for name in sorted({*before_xattrs, *after_xattrs}):
            if before_xattrs.get(name) != after_xattrs.get(name):
                yield Field.XATTR, name, before_xattrs.get(name), after_xattrs.get(name)
        if before_xattrs.keys() == after_xattrs.keys() and tuple(before_xattrs) != tuple(after_xattrs):
            yield Field.XATTR, XATTR_ORDER, tuple(before_xattrs), tuple(after_xattrs)


def _times(before: dict[str, int], after: dict[str, int]) -> Iterator[Property]:
    """Yield further times; those of inodes, which mostly differ all, as one property."""
    names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    if len(names) > 1 and INODE_CHANGED in names and before.keys() == after.keys():
        yield Field.MTIME, ", ".join(names), tuple(before[name] for name in names), tuple(after[name] for name in names)
        return
    for name in names:
        yield Field.MTIME, name, before.get(name), after.get(name)


def facts(a: Collection[Fact], b: Collection[Fact]) -> Iterator[tuple[Fact, Fact]]:
    """Yield the facts whose values differ; one that a side lacks counts as None there."""
    # Nearly all are equal, and many are one and the same.
    if a == b:
        return
    before, after = {fact.name: fact for fact in a}, {fact.name: fact for fact in b}
    for name in (*before, *(name for name in after if name not in before)):
        one = before.get(name) or Fact(name=name, value=None)
        other = after.get(name) or Fact(name=name, value=None)
        if one.value != other.value:
            yield one, other


def order(a: dict[Key, Entry], b: dict[Key, Entry]) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return the first names that come in another order, of those that both sides have; None where there are none."""
    before, after = [key for key in a if key in b], [key for key in b if key in a]
    if before == after:
        return None
    start = next(i for i, (x, y) in enumerate(zip(before, after, strict=True)) if x != y)
    shown = slice(start, start + NAMES_SHOWN)
    return tuple(a[key].path for key in before[shown]), tuple(b[key].path for key in after[shown])
