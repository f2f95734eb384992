"""Contents that several entries share, as hard links do, read once."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, TypeVar

from ci_toolkit.compare.bytes import first_difference
from ci_toolkit.compare.contents import digest, keep
from ci_toolkit.compare.difference import Content
from ci_toolkit.compare.disks import held
from ci_toolkit.images.data import Data, Root, Run
from ci_toolkit.images.limits import KIB, Budget
from ci_toolkit.images.packed import is_packed_alike, origin, pieces_of

# Smaller ones are read again: to remember them would cost as much.
_SMALLEST: Final = 64 * KIB
# What is remembered stays open, if it is a file of decompressed bytes.
_REMEMBERED: Final = 32
# A pass over the pieces of a content costs as much as to read so many bytes for each.
_PIECE: Final = KIB
_FEW: Final = 64

Place = tuple[Root, tuple[Run, ...]]
_Key = TypeVar("_Key")
_Found = TypeVar("_Found")


class Once:
    """Compares and keeps contents within a budget; the last large ones are remembered by where they lie.

    `sha256` makes the digests of what is kept.
    """

    def __init__(self, budget: Budget, sha256: Callable[[Data], str] = digest) -> None:
        self._budget = budget
        self._sha256 = sha256
        self._firsts: OrderedDict[tuple[Place, Place], int | None] = OrderedDict()
        self._contents: OrderedDict[Place, Content] = OrderedDict()
        self._partitions: set[tuple[Place, Place]] = set()

    def pay(self, a: Data | None, b: Data | None) -> None:
        """Count the pieces of two contents: thousands of hard links may lead to one file of thousands of pieces.

        Raises BeyondLimitError.
        """
        pieces = pieces_of(a) + pieces_of(b)
        if pieces > _FEW:
            self._budget.read(pieces * _PIECE)

    def is_new(self, a: Data, b: Data) -> bool:
        """Tell whether two partitions come for the first time: hostile tables have hundreds of one place."""
        key = _place(a), _place(b)
        if key in self._partitions:
            return False
        self._partitions.add(key)
        return True

    def first(self, a: Data, b: Data) -> int | None:
        """Return the first offset at which two contents differ, None where they are equal. Raises UnreadableError."""
        if min(a.size, b.size) < _SMALLEST:
            return self._compared(a, b)
        key = _place(a), _place(b)
        if key in self._firsts:
            return self._firsts[key]
        found = self._compared(a, b)
        _remember(self._firsts, key, found)
        return found

    def keep(self, data: Data) -> Content:
        """Return what is kept of a content. Raises UnreadableError."""
        if data.size < _SMALLEST:
            return keep(data, self._budget, self._sha256)
        key = _place(data)
        found = self._contents.get(key)
        if found is None:
            found = keep(data, self._budget, self._sha256)
            _remember(self._contents, key, found)
        return found

    def _compared(self, a: Data, b: Data) -> int | None:
        # What is a hole on both sides is not read, and a virtual disk may be one large hole.
        self._budget.read(min(a.size, b.size, held(a) + held(b)))
        if is_packed_alike(a, b) and first_difference(origin(a), origin(b)) is None:
            return None
        return first_difference(a, b)


def _place(data: Data) -> Place:
    return data.root, data.runs


def _remember(known: OrderedDict[_Key, _Found], key: _Key, found: _Found) -> None:
    known[key] = found
    if len(known) > _REMEMBERED:
        known.popitem(last=False)
