"""An entry whose bytes are lines of text that were made of a part of a database."""

from collections.abc import Iterable, Iterator
from typing import Final

from ci_toolkit.images.archives.spool import spooled
from ci_toolkit.images.entry import Entry, Kind
from ci_toolkit.images.limits import Budget

_PIECE: Final = 1 << 18


def entry(path: str, lines: Iterable[str], budget: Budget) -> Entry:
    """Return LINES as an entry, which has no place of its own in the image. Raises BeyondLimitError."""
    data = spooled(_gathered(lines, budget), budget)
    return Entry(path=path, kind=Kind.SECTION, size=data.size, data=data)


def _gathered(lines: Iterable[str], budget: Budget) -> Iterator[bytes]:
    """Yield LINES in larger pieces: each is written to a file."""
    kept: list[str] = []
    size = 0
    for line in lines:
        budget.stream()
        kept.append(line)
        size += len(line)
        if size >= _PIECE:
            yield _encoded(kept)
            kept, size = [], 0
    yield _encoded(kept)


def _encoded(lines: list[str]) -> bytes:
    # Bytes that are no UTF-8 survive, and half a character of UTF-16 does not stop it.
    text = "".join(lines)
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")
