"""What a comparison has found so far, no more of it than the limits allow."""

import json
from dataclasses import replace
from typing import Final, NamedTuple

from ci_toolkit.compare.bytes import Changes
from ci_toolkit.compare.comparison import Skipped
from ci_toolkit.compare.difference import Difference, Field, Value
from ci_toolkit.compare.parts import Disk, outline
from ci_toolkit.compare.spans import Span
from ci_toolkit.images.data import ClosedFile, Data, Root
from ci_toolkit.images.entry import Container

# How many spans one difference may have, as long as there are not too many differences.
_SPANS: Final = 16
_SPANS_WANTED: Final = 10_000
_ROOTS_KEPT: Final = 128
# Characters of paths and values, as JSON writes them. Honest names are short, hostile ones come to gigabytes.
_TEXT: Final = 32 << 20
_TEXT_SKIPPED: Final = 8 << 20

Steps = tuple[str, ...]


class Mark(NamedTuple):
    """How many differences and how many skipped entries there are."""

    found: int
    skipped: int


class Ledger:
    """Differences in the order of the walk, and what was skipped; at most `limit` of either.

    Times have a limit of their own, `times`: where nothing sets them, all those of each file differ, which is not to
    crowd out contents. What paths and values come to is limited too.

    With `keep_contents`, `contents` has both sides of those differences that are of a content, by index; they can be
    read as long as the images are open. What would keep too many unpacked streams is left out.
    """

    def __init__(self, limit: int, times: int, *, keep_contents: bool = False) -> None:
        self.found: list[Difference] = []
        self.skipped: list[Skipped] = []
        self.contents: dict[int, tuple[Data, Data]] = {}
        self._roots: set[Root] = set()
        self.truncated = False
        self.disks: tuple[Disk, Disk] | None = None
        self._changes: Changes | None = None
        self._limit = limit
        self._times_limit = times
        self._times = 0
        self._is_cut = False
        self._text = _TEXT
        self._text_skipped = _TEXT_SKIPPED
        self._keep_contents = keep_contents

    def map(self, one: tuple[Container, Data], other: tuple[Container, Data], changes: Changes) -> None:
        """Take two containers, if they are the outermost disks, for those on which further differences have places."""
        if self.disks is None:
            disks = outline(*one), outline(*other)
            if disks[0] is not None and disks[1] is not None:
                self.disks, self._changes = (disks[0], disks[1]), changes
                changes.recent(1)  # of what was claimed before, no difference to come is made

    def add(self, difference: Difference, content: tuple[Data, Data] | None = None) -> int | None:
        """Add DIFFERENCE; return its index, None if no more are listed."""
        if self.is_full(difference.field):
            return None
        self._times += difference.field is Field.MTIME
        self._text -= _length(difference.path) + _length(difference.before) + _length(difference.after)
        if content is not None and self._keep_contents:
            self._keep(content)
        spans = self._recent(len(self.found))
        self.found.append(replace(difference, spans=spans) if spans else difference)
        return len(self.found) - 1

    def claimed(self, index: int, count: int) -> None:
        """Enter that COUNT bytes were claimed for a difference after it was added."""
        found = self.found[index]
        self.found[index] = replace(found, bytes=count, spans=(*found.spans, *self._recent(index)))

    def _recent(self, index: int) -> tuple[Span, ...]:
        """Return where the bytes lie that were claimed for the difference at INDEX."""
        return self._changes.recent(_SPANS if index < _SPANS_WANTED else 1) if self._changes else ()

    def _keep(self, content: tuple[Data, Data]) -> None:
        """Keep CONTENT of the next difference, unless too many files without a name would stay open for it."""
        roots = {data.root for data in content if not isinstance(data.root, ClosedFile)} | self._roots
        if len(roots) <= _ROOTS_KEPT:
            self._roots = roots
            self.contents[len(self.found)] = content

    def skip(self, path: Steps, reason: str) -> None:
        if len(self.skipped) < self._limit and self._text_skipped > 0:
            self._text_skipped -= _length(path) + _length(reason)
            self.skipped.append(Skipped(path=path, reason=reason))
        else:
            self.truncated = True

    def mark(self) -> Mark:
        return Mark(len(self.found), len(self.skipped))

    def repeat(self, begin: Mark, end: Mark, place: Steps, path: Steps) -> None:
        """Enter again, below PATH, what was found and skipped between two marks below PLACE."""
        for index in range(begin.found, end.found):
            known = self.found[index]
            self.add(
                replace(known, path=(*path, *known.path[len(place) :]), bytes=0, spans=()), self.contents.get(index)
            )
        for known_skip in self.skipped[begin.skipped : end.skipped]:
            self.skip((*path, *known_skip.path[len(place) :]), known_skip.reason)

    def is_cut(self) -> bool:
        """Tell whether a difference other than a time was turned away, so that nothing else can be listed either."""
        return self._is_cut

    def is_full(self, field: Field) -> bool:
        """Tell whether no more differences of FIELD are listed, and remember that there was one more."""
        is_time = field is Field.MTIME
        full = self._times >= self._times_limit if is_time else len(self.found) - self._times >= self._limit
        full |= self._text <= 0
        self.truncated |= full
        self._is_cut |= full and not is_time
        return full


def _length(value: Value) -> int:
    """Return about how many characters JSON takes for a path or a value; contents are written by their digests."""
    if isinstance(value, str):
        # A control character takes six, and one that is not in the first plane twelve.
        return len(value) if value.isascii() and value.isprintable() else len(json.dumps(value))
    if isinstance(value, bytes):
        return 2 * len(value)
    return sum(map(_length, value)) if isinstance(value, tuple) else 0
