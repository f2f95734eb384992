"""Make foreign text harmless: visible on one line, and inert in Markdown, in HTML and in the log of a CI system.

Names, log lines and values come out of images that others wrote. In Markdown they stand in code spans, the one place
where GitHub, GitLab and Gitea look for no link, mention, reference, emoji or HTML. Sentences are ours, or are taken
from a stored report, which anybody may have written: their words stand as they are only where nothing could read a
meaning into them, and any other word becomes a code span.
"""

import html as entities
import re
from collections.abc import Iterator
from typing import Final

from ci_toolkit.ci import variables
from ci_toolkit.console import printable

NAME_LIMIT_CHARACTERS: Final = 240
SENTENCE_LIMIT_CHARACTERS: Final = 2_000
FENCE_LIMIT_LINES: Final = 60

# Shown as nothing at all although they are no control characters: fillers, and selectors of a variant.
_BLANKS: Final = frozenset(
    (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
)
# GitHub's runner obeys "##[name]" anywhere in a line, Azure's "##vso[name]": not only at its start.
_COMMAND: Final = re.compile(r"##(?=\w*\[)")
_TOKENS: Final = re.compile(r"\s+|`[^`]+`|[^\s`]+|`")
_PLAIN: Final = re.compile(r"""[\w/.,;:'"()?!%+=→…–—·-]+""")
# What a forge makes something of: links, references (GH-1, !1, %1), quick actions of GitLab, emoji, commits, emphasis;
# and what a runner would obey at the start of a line ("::name::").
_RISKY: Final = re.compile(
    r"://|::|www\.|^/|GH-\d|[!%]\w|%[\"']|:[\w+-]+:|(?<![^\W_])_|_(?![^\W_])"
    r"|(?<![0-9A-Za-z])(?=[0-9a-f]*[0-9])[0-9a-f]{7,}(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_DOTTED: Final = re.compile(r"\w\.\w")
_NUMBERS: Final = re.compile(r"[(]?\d+([.,]\d+)*[.,;:)]*")
# What would else be taken for an emoji; none has a name of two digits.
_TIME: Final = re.compile(r"\d\d:\d\d:\d\d(\.\d+)?[.,;)]*")
_BLOCK_START: Final = re.compile(r"[-+=]+|\d+[.)]")


def visible(text: str, limit: int = NAME_LIMIT_CHARACTERS) -> str:
    """Return TEXT on one line of at most LIMIT characters, all that hides shown as an escape."""
    if len(text) > 4 * limit:
        text = f"{text[: 2 * limit]}{text[-2 * limit :]}"
    shown = "".join(map(_shown, printable(text)))
    return shorten(_COMMAND.sub(r"#\\x23", shown), limit)


def shorten(text: str, limit: int) -> str:
    """Return TEXT with its middle left out where it is longer than LIMIT characters."""
    if len(text) <= limit:
        return text
    tail = limit // 3
    return f"{text[: limit - tail - 1]}…{text[-tail:]}"


def name(text: str, limit: int = NAME_LIMIT_CHARACTERS) -> str:
    """Return TEXT, a name or a value, as `visible` does; blanks at its ends are shown as escapes too."""
    shown = visible(text, limit)
    inner = shown.strip(" ")
    if not inner:
        return r"\x20" * len(shown) or "(empty)"
    before = len(shown) - len(shown.lstrip(" "))
    after = len(shown) - len(shown.rstrip(" "))
    return r"\x20" * before + inner + r"\x20" * after


def code(text: str) -> str:
    """Return TEXT as a code span of Markdown, which may stand in a table too."""
    # A table is cut at every pipe, even inside a code span, and implementations disagree about backslashes before it.
    shown = name(text).replace("|", r"\x7c")
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if "`" in (shown[0], shown[-1]) else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def prose(text: str, limit: int = SENTENCE_LIMIT_CHARACTERS) -> str:
    """Return TEXT, sentences, as Markdown; `words` in backticks and any that a forge could act on are code spans."""
    return "".join(code(word) if is_code else word for is_code, word in _words(text, limit))


def html(text: str) -> str:
    """Return TEXT, a name or a value, as HTML text that may stand in an attribute too."""
    return entities.escape(name(text))


def html_text(text: str) -> str:
    """Return TEXT, which is visible already, as HTML text that may stand in an attribute too."""
    return entities.escape(text)


def html_prose(text: str) -> str:
    """Return TEXT, sentences, as HTML; the words that `prose` puts into code spans stand in <code>."""
    return "".join(f"<code>{html(word)}</code>" if is_code else entities.escape(word) for is_code, word in _words(text))


def plain_prose(text: str) -> str:
    """Return TEXT, sentences, on one line, without their backticks."""
    return visible(" ".join(text.replace("`", "").split()), SENTENCE_LIMIT_CHARACTERS)


def block(text: str, limit: int = FENCE_LIMIT_LINES) -> str:
    """Return LIMIT lines of TEXT, each made visible, so that none begins with a command of a CI system."""
    given = text.split("\n")
    lines = [visible(line.expandtabs(4), SENTENCE_LIMIT_CHARACTERS) for line in given[:limit]]
    if len(given) > limit:
        lines.append("…")
    return inert("\n".join(lines))


def inert(text: str) -> str:
    """Return TEXT, whole lines, with none that a runner would take for a workflow command ("::name::")."""
    return re.sub(r"^(\s*):(?=:)", r"\1\\x3a", text, flags=re.MULTILINE)


def fenced(text: str, language: str = "") -> str:
    """Return the lines of TEXT as a fenced code block of Markdown."""
    # Three backticks never stand in it: GitLab looks for quick actions outside of "```" alone.
    inside = block(text).replace("```", r"\x60" * 3)
    return f"```{language}\n{inside}\n```"


def address(text: str | None) -> str | None:
    """Return TEXT if it is an http(s) address that is safe as a link, else None."""
    return variables.address(text) if text is not None and len(text) <= 1_000 else None


def _shown(character: str) -> str:
    point = ord(character)
    if character.isprintable() and point not in _BLANKS:
        return character
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def _words(text: str, limit: int = SENTENCE_LIMIT_CHARACTERS) -> Iterator[tuple[bool, str]]:
    """Cut TEXT into (is code, words or blanks)."""
    shown = visible(" ".join(text.split()), limit)
    after_code = False
    for index, match in enumerate(_TOKENS.finditer(shown)):
        for is_code, part in _parts(match.group(), first=index == 0):
            if is_code and after_code:
                yield False, " "  # the backticks of two code spans would become one run
            yield is_code, part
            after_code = is_code


def _parts(token: str, *, first: bool) -> Iterator[tuple[bool, str]]:
    """Cut TOKEN, a word, blanks or a span in backticks: the punctuation around a word that becomes code stays out."""
    if token.isspace() or _is_plain(token, first=first):
        yield False, token
        return
    if len(token) > 2 and token[0] == token[-1] == "`":
        yield True, token[1:-1]
        return
    core = token.lstrip("(").rstrip(".,;:)") or token
    before, _, after = token.partition(core)
    yield from ((is_code, part) for is_code, part in ((False, before), (True, core), (False, after)) if part)


def _is_plain(word: str, *, first: bool) -> bool:
    if _TIME.fullmatch(word):
        return True
    if not _PLAIN.fullmatch(word) or _RISKY.search(word) or (first and _BLOCK_START.fullmatch(word)):
        return False
    return _NUMBERS.fullmatch(word) is not None or not _DOTTED.search(word)
