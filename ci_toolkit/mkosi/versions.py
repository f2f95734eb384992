"""Which of two versions of a package is the newer one, by the order of deb-version(7).

rpm and pacman order in nearly the same way; that is enough to say "upgraded" or "downgraded". pacman's own order is in
alpm.py.
"""

import re
from itertools import zip_longest
from typing import Final

_PIECES: Final = re.compile(r"([^0-9]*)([0-9]*)")
# Of a version that somebody else wrote.
_LIMIT_CHARACTERS: Final = 256

# A word, as the weights of its characters and 0 for its end, and the number after it.
_Piece = tuple[tuple[int, ...], int]
_NOTHING: Final[_Piece] = ((0,), 0)


def is_newer(version: str, than: str) -> bool:
    """Tell whether VERSION comes after THAN."""
    for one, other in zip(_parts(version), _parts(than), strict=True):
        for piece, against in zip_longest(one, other, fillvalue=_NOTHING):
            if piece != against:
                return piece > against
    return False


def _parts(version: str) -> tuple[list[_Piece], ...]:
    """Cut VERSION into its epoch, the upstream version and the revision."""
    version = version[:_LIMIT_CHARACTERS]
    epoch, rest = version.split(":", 1) if ":" in version else ("", version)
    upstream, revision = rest.rsplit("-", 1) if "-" in rest else (rest, "")
    return _pieces(epoch), _pieces(upstream), _pieces(revision)


def _pieces(text: str) -> list[_Piece]:
    return [((*map(_weight, word), 0), int(number or "0")) for word, number in _PIECES.findall(text) if word or number]


def _weight(character: str) -> int:
    """Only "~" comes before the end of a word, which is 0; letters come before other characters."""
    if character == "~":
        return -1
    return ord(character) if character.isascii() and character.isalpha() else ord(character) + 256
