"""A named cause, and a finding: that cause with everything it explains."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why two builds differ. `identifier` is public and stable; `source` is a URL or "" where the cause is our own."""

    identifier: str
    title: str
    explanation: str
    fix: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A cause and what it explains.

    `paths` are shown forms (see difference.display), sorted, at most PATHS_SHOWN of them; `count` counts all;
    `bytes` is the number of differing bytes accounted for, `spans` (offset, length) are about where on the disk these
    lie, at most SPANS_SHOWN of them; `members` are the indices of its differences. `consequence_of` names the causes
    that this one only follows from, empty for a cause in its own right. `fix` may be more exact than the cause's own.
    """

    cause: str
    title: str
    explanation: str
    fix: str
    source: str
    paths: tuple[str, ...]
    count: int
    bytes: int
    consequence_of: tuple[str, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()
    members: tuple[int, ...] = ()


PATHS_SHOWN = 1000
SPANS_SHOWN = 256
