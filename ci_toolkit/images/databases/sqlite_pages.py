"""The pages of a SQLite database: trees, what overflows their pages, free pages; each page belongs to one owner."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.limits import MIB, BeyondLimitError

TABLES: Final = "pages of tables"
INDEXES: Final = "pages of indexes"
FREE: Final = "free pages"
POINTERS: Final = "pages of the pointer map"
LOST: Final = "pages without use"
_OWNERS: Final = (LOST, TABLES, INDEXES, FREE, POINTERS)

_INTERIOR_INDEX: Final = 2
_INTERIOR_TABLE: Final = 5
_LEAF_INDEX: Final = 10
_LEAF_TABLE: Final = 13
_HEADER: Final = 100
_DEPTH_MAX: Final = 40
_PAGES_MAX: Final = 1 << 24
_PAYLOAD_MAX: Final = 64 * MIB
# SQLite locks bytes from here on, and leaves the page that they are in alone.
_LOCKED: Final = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One row of a table, or one key of an index; `rowid` is None for the latter."""

    rowid: int | None
    payload: bytes


class Pages:
    """The pages of one database and whose they are, as far as that is known."""

    def __init__(self, data: Data, size: int, usable: int) -> None:
        self.data = data
        self.size = size
        self.usable = usable
        self.count = data.size // size
        if self.count > _PAGES_MAX:
            raise BeyondLimitError(f"a SQLite database of {self.count} pages")
        # By number, of which the first is 1.
        self._owners = bytearray(self.count + 1)

    def claim(self, number: int, owner: str) -> bytes:
        """Return a page, which is OWNER's from now on. Raises UnreadableError for one that is somebody's already."""
        if not 1 <= number <= self.count:
            raise UnreadableError(f"page {number} was asked for, of {self.count}")
        if self._owners[number]:
            raise UnreadableError(f"page {number} is used twice")
        self._owners[number] = _OWNERS.index(owner)
        return self.data.read_at((number - 1) * self.size, self.size)

    def free(self, trunk: int) -> None:
        """Claim the free pages, which hang on a chain of trunks."""
        while trunk:
            raw = self.claim(trunk, FREE)
            count = int.from_bytes(raw[4:8], "big")
            if count > len(raw) // 4 - 2:
                raise UnreadableError(f"the free page {trunk} lists {count} others")
            for place in range(8, 8 + 4 * count, 4):
                self.claim(int.from_bytes(raw[place : place + 4], "big"), FREE)
            trunk = int.from_bytes(raw[:4], "big")

    def pointer_map(self) -> None:
        """Claim the pages that say who points to each page, in databases that can be shrunk."""
        step = self.usable // 5 + 1
        locked = _LOCKED // self.size + 1
        for number in range(2, self.count + 1, step):
            place = number + 1 if number == locked else number
            if place <= self.count and not self._owners[place]:
                self._owners[place] = _OWNERS.index(POINTERS)

    def regions(self) -> Iterator[tuple[str, Data]]:
        """Yield the pages of each owner, but not the header in front of the first."""
        spans: list[list[tuple[int, int, int]]] = [[] for _ in _OWNERS]
        ends = [0] * len(_OWNERS)
        position = _HEADER
        number = 1
        for owner, group in groupby(memoryview(self._owners)[1:]):
            number += sum(1 for _ in group)
            following = (number - 1) * self.size
            spans[owner].append((ends[owner], following - position, position))
            ends[owner] += following - position
            position = following
        for owner, pieces in enumerate(spans):
            if pieces:
                yield _OWNERS[owner], self.data.scattered(pieces, ends[owner])

    def cells(self, root: int, owner: str, *, payloads: bool) -> Iterator[Cell]:
        """Yield what the tree at page ROOT holds, in its order; with PAYLOADS, or only to claim its pages.

        Raises UnreadableError where the tree is damaged.
        """
        pending: list[Iterator[Cell | int]] = [self._page(root, owner, payloads)]
        while pending:
            found = next(pending[-1], None)
            if found is None:
                pending.pop()
            elif isinstance(found, Cell):
                yield found
            elif len(pending) >= _DEPTH_MAX:
                raise UnreadableError(f"the tree at page {root} is more than {_DEPTH_MAX} pages deep")
            else:
                pending.append(self._page(found, owner, payloads))

    def _page(self, number: int, owner: str, payloads: bool) -> Iterator[Cell | int]:
        """Yield the cells of one page, and the numbers of the pages that come between them."""
        raw = self.claim(number, owner)
        start = _HEADER if number == 1 else 0
        kind = raw[start]
        if kind not in (_INTERIOR_INDEX, _INTERIOR_TABLE, _LEAF_INDEX, _LEAF_TABLE):
            raise UnreadableError(f"page {number} is no part of a tree")
        interior = kind in (_INTERIOR_INDEX, _INTERIOR_TABLE)
        count = int.from_bytes(raw[start + 3 : start + 5], "big")
        first = start + (12 if interior else 8)
        if first + 2 * count > self.usable:
            raise UnreadableError(f"page {number} lists {count} cells")
        for place in range(first, first + 2 * count, 2):
            position = int.from_bytes(raw[place : place + 2], "big")
            if interior:
                yield int.from_bytes(raw[position : position + 4], "big")
                position += 4
            if kind != _INTERIOR_TABLE:
                yield self._cell(raw, position, kind == _LEAF_TABLE, owner, payloads)
        if interior:
            yield int.from_bytes(raw[start + 8 : start + 12], "big")

    def _cell(self, raw: bytes, position: int, is_row: bool, owner: str, payloads: bool) -> Cell:
        size, position = varint(raw, position)
        rowid = None
        if is_row:
            rowid, position = varint(raw, position)
            rowid -= (rowid >> 63) << 64
        local = self._local(size, is_row)
        payload = raw[position : position + local]
        if len(payload) < local:
            raise UnreadableError("a row lies beyond the end of its page")
        if local < size:
            following = int.from_bytes(raw[position + local : position + local + 4], "big")
            pieces = [payload, *self._overflow(following, size - local, owner)]
            if size > _PAYLOAD_MAX:
                raise UnreadableError(f"a row of {size} bytes")
            payload = b"".join(pieces) if payloads else b""
        return Cell(rowid=rowid, payload=payload)

    def _overflow(self, number: int, size: int, owner: str) -> Iterator[bytes]:
        while size > 0:
            raw = self.claim(number, owner)
            piece = raw[4 : min(self.usable, 4 + size)]
            yield piece
            size -= len(piece)
            number = int.from_bytes(raw[:4], "big")

    def _local(self, size: int, is_row: bool) -> int:
        """Return how many of SIZE bytes stay in the page itself."""
        least = (self.usable - 12) * 32 // 255 - 23
        most = self.usable - 35 if is_row else (self.usable - 12) * 64 // 255 - 23
        if size <= most:
            return size
        kept = least + (size - least) % (self.usable - 4)
        return kept if kept <= most else least


def varint(raw: bytes, position: int) -> tuple[int, int]:
    """Return the number of one to nine bytes at POSITION, and where it ends."""
    value = 0
    for place in range(position, position + 8):
        if place >= len(raw):
            raise UnreadableError("a number lies beyond the end of its page")
        value = value << 7 | raw[place] & 0x7F
        if raw[place] < 0x80:
            return value, place + 1
    if position + 8 >= len(raw):
        raise UnreadableError("a number lies beyond the end of its page")
    return value << 8 | raw[position + 8], position + 9
