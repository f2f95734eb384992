"""Which files came, went, grew and shrank between two builds, by the lists of them that each left."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ci_toolkit.images.listing import Listed

# Of the rows, those with the most bytes; no reader wants more, and the sums are of all.
LIMIT_ROWS: Final = 1_000

_PARTITION: Final = re.compile(r"([0-9]+):[^/]*/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A file, or a directory (`path` ends with "/") that came or went with `count` files; sizes are in bytes.

    `before` is None for what came, `after` for what went.
    """

    path: str
    before: int | None
    after: int | None
    count: int = 1

    @property
    def grown(self) -> int:
        return (self.after or 0) - (self.before or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """`rows` are the first LIMIT_ROWS by how many bytes they are about; how many there are in all say the others.

    A file that kept its size is in none of them, whatever it holds.
    """

    rows: tuple[Row, ...] = ()
    all_rows: int = 0
    added: int = 0
    removed: int = 0
    grown: int = 0
    shrunk: int = 0

    def __bool__(self) -> bool:
        return bool(self.all_rows)


def between(before: "Iterable[Listed]", after: "Iterable[Listed]") -> Files:
    """Compare two lists of files. Partitions are paired by number: a label may have a version in it."""
    old, new = _by_place(before), _by_place(after)
    came = [new[key] for key in new.keys() - old.keys()]
    went = [old[key] for key in old.keys() - new.keys()]
    changed = [
        Row(path=new[key].path, before=old[key].size, after=new[key].size)
        for key in old.keys() & new.keys()
        if old[key].size != new[key].size
    ]
    rows = [
        *(Row(path=path, before=None, after=size, count=count) for path, size, count in _together(came, old)),
        *(Row(path=path, before=size, after=None, count=count) for path, size, count in _together(went, new)),
        *changed,
    ]
    rows.sort(key=lambda row: (-abs(row.grown), row.path, row.before is None))
    return Files(
        rows=tuple(rows[:LIMIT_ROWS]),
        all_rows=len(rows),
        added=len(came),
        removed=len(went),
        grown=sum(row.grown > 0 for row in changed),
        shrunk=sum(row.grown < 0 for row in changed),
    )


def _by_place(files: "Iterable[Listed]") -> "dict[str, Listed]":
    return {_place(one.path): one for one in files}


def _place(path: str) -> str:
    return _PARTITION.sub(r"\1:/", path, count=1) if _PARTITION.match(path) else path


def _together(files: "Iterable[Listed]", others: "Mapping[str, Listed]") -> Iterator[tuple[str, int, int]]:
    """Yield (path, bytes, files) of FILES: those in a directory that holds none of OTHERS are one row."""
    shared = _directories(others)
    rows: defaultdict[str, list[Listed]] = defaultdict(list)
    for one in files:
        place = _place(one.path)
        end = place.find("/") + 1
        while end and place[:end] in shared:
            end = place.find("/", end) + 1
        rows[place[:end] or place].append(one)
    for place, found in rows.items():
        first = found[0].path
        # As many names from the front, under the label that the partition has there.
        directory = "".join(f"{name}/" for name in first.split("/")[: place.count("/")])
        yield directory if len(found) > 1 else first, sum(one.size for one in found), len(found)


def _directories(paths: Iterable[str]) -> set[str]:
    """Return the directories that PATHS lie in, each with a slash at its end."""
    found: set[str] = set()
    for path in paths:
        end = path.rfind("/") + 1
        while end and path[:end] not in found:
            found.add(path[:end])
            end = path.rfind("/", 0, end - 1) + 1
    return found
