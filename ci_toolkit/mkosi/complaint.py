"""Find, in all that mkosi and the programs below it said, the line that tells why."""

import re
from collections.abc import Sequence
from typing import Final

# How a complaint begins: of apt, pacman and git, dnf, mkosi's own options, an exception of Python.
_COMPLAINS: Final = re.compile(r"(E|[Ee]rror|ERROR|fatal|mkosi: error|[\w.]+(Error|Exception)): \S")

# What makes everything after it fail in other words: apt then speaks of a file that it could not fetch.
_FULL: Final = re.compile("No space left on device|Disk quota exceeded")

# A complaint further up was one that mkosi got over.
LAST: Final = 15


def find(lines: Sequence[str]) -> str | None:
    """Return the first line at the end of LINES that complains, since the later ones follow from it.

    A full disk counts wherever it stands; what only says that mkosi complains is left out.
    """
    full = (line for line in lines if _FULL.search(line))
    found = next(full, None) or next((line for line in lines[-LAST:] if _COMPLAINS.match(line)), None)
    return found.strip().removeprefix("mkosi: error: ") if found else None
