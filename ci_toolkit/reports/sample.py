"""The first line of a text that differs, before and after: what makes an unexplained difference plain to a reader."""

from itertools import zip_longest
from typing import Final

from ci_toolkit.compare import secrets
from ci_toolkit.compare.difference import Content, Difference, Value

LIMIT_CHARACTERS: Final = 160


def lines(difference: Difference) -> tuple[str, str] | None:
    """Return the first differing line of both sides, shortened around what differs.

    None where either side is no text, where only a part beyond what was kept differs, and where it may be a secret.
    """
    before, after = text(difference.before), text(difference.after)
    if before is None or after is None or secrets.may_be_at(difference.path):
        return None
    pairs = zip_longest(before.splitlines(), after.splitlines(), fillvalue="")
    first, second = next(((one, other) for one, other in pairs if one != other), ("", ""))
    if first == second or secrets.may_be_in(first + second):
        return None
    start = _start(first, second)
    return _window(first, start), _window(second, start)


def text(value: Value) -> str | None:
    """Return the text of what was kept of a content, None where it is none."""
    if not isinstance(value, Content) or b"\0" in value.head:
        return None
    try:
        return value.head.decode()
    except UnicodeDecodeError as error:
        # The head may end within a character.
        cut = value.whole is None and error.start >= len(value.head) - 3
        return value.head[: error.start].decode() if cut else None


def _start(first: str, second: str) -> int:
    """Where to begin showing: a little before the first character that differs."""
    if max(len(first), len(second)) <= LIMIT_CHARACTERS:
        return 0
    pairs = enumerate(zip(first, second, strict=False))
    differs = next((index for index, (one, other) in pairs if one != other), min(len(first), len(second)))
    return max(differs - LIMIT_CHARACTERS // 3, 0)


def _window(line: str, start: int) -> str:
    before = "…" if start else ""
    shown = before + line[start:]
    return shown if len(shown) <= LIMIT_CHARACTERS else f"{shown[: LIMIT_CHARACTERS - 1]}…"
