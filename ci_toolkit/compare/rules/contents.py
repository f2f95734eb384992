"""Questions about the two contents of a difference: as bytes, as text, as lines."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import TypeVar

from ci_toolkit.compare.difference import Content, Difference

# More lines than this are no longer a text with a few stamps in it, and would take long to look at.
LINES_COMPARED = 20_000

_Told = TypeVar("_Told")


def remembered(ask: Callable[[Difference], _Told]) -> Callable[[Difference], _Told]:
    """Remember the last answer: most rules ask in turn about the same difference, and to hash that takes longer."""
    known: tuple[Difference, _Told] | None = None

    def asked(difference: Difference) -> _Told:
        nonlocal known
        if known is None or known[0] is not difference:
            known = difference, ask(difference)
        return known[1]

    return wraps(ask)(asked)


def both(difference: Difference) -> tuple[Content, Content] | None:
    """Return both contents, or None where one side has none."""
    before, after = difference.before, difference.after
    return (before, after) if isinstance(before, Content) and isinstance(after, Content) else None


@remembered
def whole(difference: Difference) -> tuple[bytes, bytes] | None:
    """Return both contents as bytes, or None where one is missing or was kept in part."""
    contents = both(difference)
    if contents is None or contents[0].whole is None or contents[1].whole is None:
        return None
    return contents[0].head, contents[1].head


def starts(difference: Difference, *magics: bytes) -> bool:
    """Tell whether both contents begin with the same one of MAGICS."""
    contents = both(difference)
    if contents is None:
        return False
    before, after = contents[0].head, contents[1].head
    return any(before.startswith(magic) and after.startswith(magic) for magic in magics)


@remembered
def texts(difference: Difference) -> tuple[str, str] | None:
    """Return both contents, or both targets of a symbolic link, as text.

    None where they are not whole, not UTF-8 or hold a zero byte.
    """
    if isinstance(difference.before, str) and isinstance(difference.after, str):
        return difference.before, difference.after
    pair = whole(difference)
    if pair is None or any(b"\0" in content for content in pair):
        return None
    try:
        return pair[0].decode(), pair[1].decode()
    except UnicodeDecodeError:
        return None


@remembered
def changed_lines(difference: Difference) -> tuple[tuple[str, str], ...] | None:
    """Return the pairs of lines that differ, or None where the two are no texts of equally many lines."""
    pair = texts(difference)
    if pair is None:
        return None
    before, after = pair[0].split("\n"), pair[1].split("\n")
    if len(before) != len(after) or len(before) > LINES_COMPARED:
        return None
    return tuple((a, b) for a, b in zip(before, after, strict=True) if a != b)


def differs_only_at(difference: Difference, allowed: Iterable[range]) -> bool:
    """Tell whether contents of equal size differ at offsets within ALLOWED and nowhere else.

    Where only heads were kept, the number of differing bytes that the comparison counted must be found in them.
    """
    contents = both(difference)
    if contents is None or contents[0].size != contents[1].size:
        return False
    before, after = contents[0].head, contents[1].head
    spans = tuple(allowed)
    changed = _changed(before, after)
    if whole(difference) is None and difference.bytes != len(changed):
        return False
    return bool(changed) and all(any(offset in span for span in spans) for offset in changed)


def _changed(before: bytes, after: bytes) -> tuple[int, ...]:
    """Offsets at which two byte strings differ; blocks that are equal are passed over as one."""
    block = 4096
    return tuple(
        offset
        for start in range(0, min(len(before), len(after)), block)
        if before[start : start + block] != after[start : start + block]
        for offset in range(start, min(start + block, len(before), len(after)))
        if before[offset] != after[offset]
    )
