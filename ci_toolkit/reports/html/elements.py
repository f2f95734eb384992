"""The pieces that every part of the page is made of. Their arguments are HTML already."""

from collections.abc import Iterable, Sequence


def card(text: str, needs: object = True, name: str = "") -> str:
    """A card around TEXT; nothing where there is no text, or what it NEEDS is empty."""
    anchor = f' id="{name}"' if name else ""
    return f'<section class="card"{anchor}>\n{text}\n</section>' if text and needs else ""


def code(shown: str) -> str:
    """SHOWN, a path or a line of a configuration, which narrow screens break after a slash rather than in a word."""
    return f"<code>{shown.replace('/', '/<wbr>')}</code>"


def fold(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary>\n{text}\n</details>"


def bullets(lines: Sequence[str]) -> str:
    return "<ul>\n" + "\n".join(lines) + "\n</ul>" if lines else ""


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] | None = None, name: str = ""
) -> str:
    """A table; columns of NUMBERS, and those called size or time, are aligned at the right."""
    right = {index for index, title in enumerate(head) if title in ("size", "time")} | set(numbers or ())
    cells = "".join(
        f'<th class="number">{title}</th>' if index in right else f"<th>{title}</th>"
        for index, title in enumerate(head)
    )
    lines = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    kind = f' class="{name}"' if name else ""
    return f"<table{kind}>\n{f'<thead><tr>{cells}</tr></thead>' if head else ''}\n<tbody>\n{lines}\n</tbody>\n</table>"
