"""The number and the colour by which a reader finds a cause again: in the overview, in the picture, in the tree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ci_toolkit.compare.difference import Difference, display
from ci_toolkit.reports.outline import Group, is_unknown

# As many colours as can be told apart; further causes share a grey one, and have their number.
COLOURS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A cause's number on the page and the class of its colour; `follows` where something only follows from it."""

    number: int
    colour: str
    follows: bool = False

    @property
    def badge(self) -> str:
        return f'<b class="{"n f" if self.follows else "n"} {self.colour}">{self.number}</b>'


def mark(number: int, group: Group, *, follows: bool = False) -> Mark:
    colour = "cx" if is_unknown(group.finding) else f"c{number if number <= COLOURS else 0}"
    return Mark(number=number, colour=colour, follows=follows)


def of_differences(found: Sequence[Group], differences: Sequence[Difference]) -> list[Mark | None]:
    """Return the mark of each of DIFFERENCES; of those that no finding names, by the paths of the findings.

    A stored report may name differences that it does not hold, and older ones name none.
    """
    marks: list[Mark | None] = [None] * len(differences)
    by_path: dict[str, Mark] = {}
    for number, group in enumerate(found, 1):
        for finding in (group.finding, *group.consequences):
            here = mark(number, group, follows=finding is not group.finding)
            for index in finding.members:
                if index < len(marks) and marks[index] is None:
                    marks[index] = here
            for path in finding.paths:
                by_path.setdefault(path, here)
    if None in marks:
        for index, difference in enumerate(differences):
            if marks[index] is None:
                marks[index] = by_path.get(display(difference.path))
    return marks
