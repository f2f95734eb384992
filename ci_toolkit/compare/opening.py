"""Two contents, opened if both are containers of one format; what came before is told again, not opened again."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from ci_toolkit.compare import disks
from ci_toolkit.compare.bytes import Changes, first_difference
from ci_toolkit.compare.ledger import Ledger, Mark, Steps
from ci_toolkit.compare.streams import without_common_parts
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.archives import spool_pair
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container
from ci_toolkit.images.format import Format, Same
from ci_toolkit.images.limits import KIB, BeyondLimitError, Budget
from ci_toolkit.images.read import COMPRESSIONS, identify

# Unified kernel images for several kernels hold the same initrd, one after the other.
_REMEMBERED: Final = 2
_SMALLEST: Final = 256 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Two compressed contents that were compared below `path`, and what the ledger has of them."""

    a: Data
    b: Data
    path: Steps
    begin: Mark
    end: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Two containers of one kind, read from `a` and `b`; those of which everything was `told` before are empty."""

    one: Container
    other: Container
    a: Data
    b: Data
    told: Told | None = None


class Opener:
    """Opens pairs of contents within one budget."""

    def __init__(self, budget: Budget, ledger: Ledger) -> None:
        self._budget = budget
        self._ledger = ledger
        self._told: deque[Told] = deque(maxlen=_REMEMBERED)

    def open(self, path: Steps, depth: int, a: Data, b: Data, changes: Changes | None) -> Opened | None:
        """Open both contents, or say why not, if they are containers of one format; CHANGES are those of the images."""
        try:
            first = identify(a)
            second = identify(b) if first is not None else None
            if first is None or second is None:
                return None
            names = {first.name, second.name}
            if len(names) > 1 and not names <= COMPRESSIONS:
                return None
            if depth > self._budget.limits.depth:
                raise BeyondLimitError(f"containers lie more than {self._budget.limits.depth} deep in each other")
            # Partitions overlap in hostile tables, and each may hold such a table again.
            self._budget.read(disks.held(a) + disks.held(b))
            if first.name not in COMPRESSIONS:
                one, other = first.read_both(a, b, _same(first, a, b, changes), self._budget)
                return Opened(one=one, other=other, a=a, b=b)
            return self._unpacked(first, second, a, b)
        except UnreadableError as error:
            self._ledger.skip(path, error.message)
            return None

    def walk(self, path: Steps, opened: Opened, walk: Callable[[], None]) -> None:
        """Call WALK to compare what is inside, or tell it again below PATH."""
        told = opened.told
        if told is not None:
            self._ledger.repeat(told.begin, told.end, told.path, path)
            return
        begin = self._ledger.mark()
        walk()
        if opened.one.format in COMPRESSIONS and min(opened.a.size, opened.b.size) >= _SMALLEST:
            self._told.append(Told(a=opened.a, b=opened.b, path=path, begin=begin, end=self._ledger.mark()))

    def _unpacked(self, one: Format, other: Format, a: Data, b: Data) -> Opened:
        if one.name == other.name == "zstd":
            a, b = without_common_parts(a, b, self._budget, first_difference)
        for told in self._told:
            if self._is_same(a, told.a) and self._is_same(b, told.b):
                empty = Container(format=one.name, entries=()), Container(format=other.name, entries=())
                return Opened(one=empty[0], other=empty[1], a=a, b=b, told=told)
        if one is other and one.pair:
            before, after = one.read_both(a, b, None, self._budget)
            return Opened(one=before, other=after, a=a, b=b)
        # Decompressors let other threads run.
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(one.read, a, self._budget)
            second = pool.submit(other.read, b, self._budget)
            return Opened(one=first.result(), other=second.result(), a=a, b=b)

    def _is_same(self, a: Data, b: Data) -> bool:
        if a.size != b.size:
            return False
        self._budget.read(a.size + b.size)
        return first_difference(a, b) is None


def _same(known: Format, a: Data, b: Data, changes: Changes | None) -> Same | None:
    """Return what tells of a span whether A and B have the same bytes in it, if a reader of KNOWN asks for it."""
    if not known.pair:
        return None  # to find it out may mean to wait
    return changes.same(a, b) if changes is not None else spool_pair.same(a, b)
