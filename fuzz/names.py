"""Names as somebody would choose them who wants more from a report than to be read."""

from typing import Final

# Stands in all images, and is replaced in its place by names of the same length.
MARK: Final = "name-that-the-fuzzer-replaces-in-its-place"
# What no page may contain but as text.
TAG: Final = "zz-fuzz"

HOSTILE: Final = (
    f"<{TAG}>",
    f"<img src={TAG} onerror=alert(1)>",
    f"</details></code></pre><{TAG}>",
    f"`</details>`<{TAG}>",
    "a\n::error::x\n",
    "::set-output name=x::y",
    "\r\n##[command]x",
    "\x1b[31mred\x1b[2J\x1b]8;;x\x07",
    "\x9b31m\x08\x7f",
    "\u202egnp.exe\u2066\u200b\u2028",
    "[x](javascript:alert(1)) @admin #1",
    "|a|b|\n|-|-|\n# x",
    "../../../../etc/passwd",
    "\n\n---\n\n    x",
)


def replaced(length: int, number: int) -> bytes:
    """Return the hostile name of NUMBER in LENGTH bytes; the last one is no UTF-8."""
    number %= len(HOSTILE) + 1
    name = HOSTILE[number].encode() if number < len(HOSTILE) else b"\xff\xfe\xed\xa0\x80\xc0\xaf<b>" * 9
    return name[:length].ljust(length, b"x")
