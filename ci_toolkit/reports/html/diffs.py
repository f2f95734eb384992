"""The lines in which two texts differ, with what changed within a line marked."""

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import Final

from ci_toolkit.compare import secrets
from ci_toolkit.compare.difference import Difference
from ci_toolkit.reports import sample
from ci_toolkit.reports.escape import block, html_text, visible

# What is compared lies between the first and the last line that differ, and is cut: difflib takes quadratic time.
_LINES_COMPARED: Final = 400
_LINES_SHOWN: Final = 80
_LINES_OF_PROGRAMS: Final = 400
_LINE_CHARACTERS: Final = 400
_CONTEXT: Final = 2
_BINARY: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_SIGN: Final = re.compile(r"[│ ]*([-+])")
_WORD: Final = re.compile(r"\w*$")
# Fewer characters in common do not help to see what changed.
_COMMON: Final = 3

# A sign, and the line as HTML.
Line = tuple[str, str]


def of(difference: Difference) -> str:
    """Return the lines of DIFFERENCE that differ, as HTML, "" where its contents are no texts or may be secrets."""
    before, after = sample.text(difference.before), sample.text(difference.after)
    if before is None or after is None or before == after or secrets.may_be_at(difference.path):
        return ""
    start, sides = _between(before.splitlines(), after.splitlines())
    if any(len(line) > _LINE_CHARACTERS for side in sides for line in side):
        lines = sample.lines(difference)
        start, sides = 0, tuple([line] for line in lines or ())
    text = "\n".join(line for side in sides for line in side)
    if not text or _BINARY.search(text) or secrets.may_be_in(text):
        return ""
    shown = list(_unified(start, *(side[:_LINES_COMPARED] for side in sides)))
    if len(shown) > _LINES_SHOWN or any(len(side) > _LINES_COMPARED for side in sides):
        shown = [*shown[:_LINES_SHOWN], ("", "…")]
    return _pre(shown)


def foreign(text: str) -> str:
    """Return what a program printed, as HTML; the lines of a diff in it get their colours."""
    lines = block(text, _LINES_OF_PROGRAMS).split("\n")
    return _pre((_sign(line), html_text(line)) for line in lines)


def _sign(line: str) -> str:
    """Return the sign of a line of a diff, which diffoscope writes behind the lines of its tree."""
    found = _SIGN.match(line)
    return found[1] if found else ""


def _pre(lines: Iterable[Line]) -> str:
    tags = {"-": "del", "+": "ins"}
    parts = (f"<{tags.get(sign, 'span')}>{line}</{tags.get(sign, 'span')}>" for sign, line in lines)
    return f'<pre class="diff">{"".join(parts)}</pre>'


def _between(before: Sequence[str], after: Sequence[str]) -> tuple[int, tuple[Sequence[str], ...]]:
    """Return what lies from the first differing line to the last, with context, and at which line it starts."""
    shorter = min(len(before), len(after))
    start = next((n for n in range(shorter) if before[n] != after[n]), shorter)
    end = next((n for n in range(shorter - start) if before[-1 - n] != after[-1 - n]), shorter - start)
    start, end = max(start - _CONTEXT, 0), max(end - _CONTEXT, 0)
    return start, tuple(side[start : len(side) - end] for side in (before, after))


def _unified(start: int, before: Sequence[str], after: Sequence[str]) -> Iterable[Line]:
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        if start + group[0][1]:
            yield "", f"@ line {start + group[0][1] + 1:,}"
        for kind, a, b, c, d in group:
            if kind == "equal":
                yield from (("", f"  {_shown(line)}") for line in before[a:b])
            else:
                yield from _replaced(before[a:b], after[c:d])


def _replaced(before: Sequence[str], after: Sequence[str]) -> Iterable[Line]:
    old, new = list(map(_shown, before)), list(map(_shown, after))
    if len(old) == len(new):
        pairs = [_marked(*pair) for pair in zip(before, after, strict=True)]
        old, new = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    yield from (("-", f"- {line}") for line in old)
    yield from (("+", f"+ {line}") for line in new)


def _marked(before: str, after: str) -> tuple[str, str]:
    """Return two lines as HTML with what differs between them marked, where they have something in common."""
    a, b = _visible(before), _visible(after)
    shorter = min(len(a), len(b))
    start = next((n for n in range(shorter) if a[n] != b[n]), shorter)
    end = next((n for n in range(shorter - start) if a[-1 - n] != b[-1 - n]), shorter - start)
    if start + end < _COMMON:
        return html_text(a), html_text(b)
    # Whole words are easier to read.
    start, end = _whole_words(a[:start]), _whole_words(a[len(a) - end :][::-1])
    return _highlight(a, start, end), _highlight(b, start, end)


def _whole_words(text: str) -> int:
    """Return how much of TEXT is left without the word that it ends in."""
    return len(_WORD.sub("", text))


def _highlight(line: str, start: int, end: int) -> str:
    head, middle, tail = line[:start], line[start : len(line) - end], line[len(line) - end :]
    marked = f"<mark>{html_text(middle)}</mark>" if middle else ""
    return f"{html_text(head)}{marked}{html_text(tail)}"


def _shown(line: str) -> str:
    return html_text(_visible(line))


def _visible(line: str) -> str:
    return visible(line.expandtabs(4), _LINE_CHARACTERS)
