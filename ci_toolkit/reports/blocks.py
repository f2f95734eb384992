"""The pieces of Markdown that stand in more than one document. Their arguments are Markdown already."""

from collections.abc import Iterable, Sequence


def fold(summary: str, text: str) -> str:
    """TEXT folded away below SUMMARY, which is HTML."""
    # Markdown inside of a fold is read as such only between empty lines.
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n\n</details>"


def rows(head: Sequence[str], cells: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table; the columns RIGHT are aligned there."""
    rule = ["--:" if index in right else "---" for index in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *cells))
