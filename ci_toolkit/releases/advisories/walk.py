"""Read large JSON that somebody else wrote value by value: what is kept of it is what the reader keeps.

Debian's file has some 80 MB; as one value it would take many times that.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final

from ci_toolkit.errors import UnreadableError

# No distribution has longer versions.
LIMIT_VERSION: Final = 100
LIMIT_BYTES: Final = 128 << 20
# A file like Debian's, of 85 MB, has seven million.
_VALUES: Final = 24_000_000
_DEPTH: Final = 10
# The parser holds a whole text at once, however long: so none comes to it that is longer.
_TEXT_BYTES: Final = 1 << 20

_ESCAPED: Final = re.compile(rb"\\.", re.DOTALL)
_OPEN: Final = frozenset(("start_map", "start_array"))
_CLOSE: Final = frozenset(("end_map", "end_array"))

_Event = tuple[Sequence[str], str, Any]


def walk(file: BinaryIO, limit: int = LIMIT_BYTES) -> Iterator[_Event]:
    """Yield (path, event, value) for each value in FILE; `path` has the keys that lead there, "" in a list.

    An event is "string", "number", "boolean" or "null" for a plain value, and start_map, end_map, start_array and
    end_array for the others, which have no value. The same list is the path of all. Raises UnreadableError for what is
    damaged, or larger than LIMIT bytes.
    """
    from ijson import JSONError, basic_parse

    path: list[str] = []
    # A number with too many digits is a ValueError, and so is what is no UTF-8.
    try:
        for number, (event, value) in enumerate(basic_parse(_Bounded(file, limit), use_float=True)):
            if event == "map_key":
                path[-1] = value
            elif event in _OPEN:
                yield path, event, None
                path.append("")
                if len(path) > _DEPTH:
                    raise UnreadableError("its values lie too deep in one another")
            elif event in _CLOSE:
                path.pop()
                yield path, event, None
            else:
                yield path, event, value
            if number > _VALUES:
                raise UnreadableError(f"it has more than {_VALUES:,} values")
    except (JSONError, ValueError, OverflowError) as error:
        raise UnreadableError("it is no JSON, or not all of it") from error


class _Bounded:
    """A file that is read as far as it may be."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file = file
        self._limit = self._left = limit
        self._since_quote = 0
        self._open_escape = b""

    def read(self, size: int) -> bytes:
        """Return the next SIZE bytes. Raises UnreadableError where that is too much."""
        piece = self._file.read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise UnreadableError(f"it is larger than {self._limit:,} bytes")
        self._measure(piece)
        return piece

    def _measure(self, piece: bytes) -> None:
        """See how much there is since the last quotation mark that ended or began a text."""
        plain = _ESCAPED.sub(b"__", self._open_escape + piece)
        self._open_escape = plain[-1:] if plain.endswith(b"\\") else b""
        last = plain.rfind(b'"')
        self._since_quote = self._since_quote + len(plain) if last < 0 else len(plain) - last
        if self._since_quote > _TEXT_BYTES:
            raise UnreadableError(f"it has a text of more than {_TEXT_BYTES:,} bytes")
