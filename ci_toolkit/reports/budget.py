"""Fit a text into what a forge takes: whole sections are left out, never a part of one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Measure = Callable[[str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a page that can stand alone: every fold and fence in it is closed.

    Sections are given in the order to read them; the one with the lowest `rank` is the last to be left out, and 0
    never is. `name` is what the reader is told of where it is left out.
    """

    text: str
    rank: int
    name: str = ""


def size_in_bytes(text: str) -> int:
    """Return the length of TEXT in UTF-8."""
    return len(text.encode("utf-8", "backslashreplace"))


def fit(sections: Sequence[Section], budget: int, measure: Measure, cut: Callable[[Sequence[Section]], str]) -> str:
    """Join SECTIONS by empty lines within BUDGET; CUT makes the last line from those that are left out.

    They go from the highest rank down, and within a rank from the end. Where even the sections of rank 0 are too long,
    only the first of them stays, shortened to whole lines.
    """
    kept = list(range(len(sections)))
    text = _join(sections[index].text for index in kept)
    # The last of the highest rank goes first.
    order = sorted((index for index in kept if sections[index].rank), key=lambda index: (sections[index].rank, index))
    spare = measure(text) - budget
    while spare > 0 and order:
        while spare > 0 and order:
            index = order.pop()
            kept.remove(index)
            spare -= measure(sections[index].text) + 2
        left_out = [section for index, section in enumerate(sections) if index not in kept]
        text = _join([*(sections[index].text for index in kept), cut(left_out)])
        spare = measure(text) - budget
    return text if spare <= 0 else _shortened(sections[0].text, budget, measure)


def _join(texts: Iterable[str]) -> str:
    return "\n\n".join(texts) + "\n"


def _shortened(text: str, budget: int, measure: Measure) -> str:
    """Keep as many whole lines of TEXT, the headline, as fit; of the first line what fits."""
    lines = text.split("\n")
    while len(lines) > 1 and measure("\n".join(lines)) >= budget:
        lines.pop()
    while lines[0] and measure("\n".join(lines)) >= budget:
        lines = [lines[0][:-1]]
    return "\n".join(lines) + ("\n" if budget else "")
