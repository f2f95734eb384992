"""Every differing path as a tree to open, which a small script filters; without it, nothing is hidden."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ci_toolkit.compare.difference import Difference
from ci_toolkit.reports.describe import describe
from ci_toolkit.reports.escape import html, html_text, plain_prose
from ci_toolkit.reports.html import diffs
from ci_toolkit.reports.html.elements import card, code, fold
from ci_toolkit.reports.html.marks import Mark
from ci_toolkit.reports.outline import Group, counted

# Beyond this much HTML no more is listed, which is all that a browser likes to show.
_LIMIT_CHARACTERS: Final = 3_000_000
_DIFFS_LIMIT_CHARACTERS: Final = 700_000
# Deeper, a path is told in one piece: HTML parsers stop at 512 elements in each other.
_DEPTH: Final = 40
_PHRASES: Final = 8
# A tree that fits on a few screens is shown open.
_OPEN_MAX: Final = 40
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_NO_NUMBER: Final = 10**9


@dataclass(slots=True, kw_only=True)
class Node:
    """A step of a path; `members` are the indices of what differs in it itself; at `is_layer` a container begins."""

    name: str
    is_layer: bool = False
    members: list[int] = field(default_factory=list)
    children: dict[tuple[str, bool], "Node"] = field(default_factory=dict)


def render(differences: Sequence[Difference], marks: Sequence[Mark | None], found: Sequence[Group]) -> str:
    """Return the card with the tree of DIFFERENCES, "" where there are none."""
    if not differences:
        return ""
    root = Node(name="")
    for index, difference in enumerate(differences):
        _place(root, difference.path, index)
    writer = _Writer(differences, marks, is_open=len(differences) <= _OPEN_MAX)
    items = "".join(writer.own(root) + [writer.item(child) for child in _ordered(root)])
    left = (
        f'<p class="note">{counted(writer.left_out, "more difference")} in report.json</p>' if writer.left_out else ""
    )
    return card(
        f'<h2>Every difference</h2>\n{_filter(found)}\n<ul class="tree" id="tree">{items}</ul>\n{left}',
        name="differences",
    )


def _place(root: Node, path: Sequence[str], index: int) -> None:
    node = root
    for name, is_layer in _steps(path):
        node = node.children.setdefault((name, is_layer), Node(name=name, is_layer=is_layer))
    node.members.append(index)


def _steps(path: Sequence[str]) -> list[tuple[str, bool]]:
    steps = []
    for step in path:
        names = step.split("/") if "//" not in f"/{step}/" else [step]
        steps += [(name, place == 0) for place, name in enumerate(names)]
    if len(steps) <= _DEPTH:
        return steps
    rest = "/".join(name for name, _ in steps[_DEPTH - 1 :])
    return [*steps[: _DEPTH - 1], (rest, False)]


def _ordered(node: Node) -> list[Node]:
    """Return the children of NODE by name, partitions by number."""

    def key(child: Node) -> tuple[int, str]:
        number = _NUMBER.match(child.name)
        return int(number[0]) if number else _NO_NUMBER, child.name

    return sorted(node.children.values(), key=key)


class _Writer:
    """Writes nodes until there is no more room."""

    def __init__(self, differences: Sequence[Difference], marks: Sequence[Mark | None], *, is_open: bool) -> None:
        self.left_out = 0
        self._differences = differences
        self._marks = marks
        self._open = is_open
        self._room = _LIMIT_CHARACTERS
        self._room_for_diffs = _DIFFS_LIMIT_CHARACTERS

    def own(self, node: Node) -> list[str]:
        """Write what differs in NODE, the root, itself."""
        return [self._row(node, "<i>the image itself</i>", "")] if node.members else []

    def item(self, node: Node, depth: int = 0) -> str:
        """Write NODE with all that is below it; a chain of directories in which nothing else differs is one line."""
        names, is_layer = [node.name], node.is_layer
        while not node.members and len(node.children) == 1:
            (child,) = node.children.values()
            if child.is_layer:
                break
            node = child
            names.append(node.name)
        name = code(html("/".join(names)))
        if not node.children:
            return self._row(node, name, "", is_layer=is_layer)
        inside = "".join(self.item(child, depth + 1) for child in _ordered(node))
        return (
            self._row(node, name, f"<ul>{inside}</ul>", is_layer=is_layer, is_open=self._open or depth == 0)
            if inside
            else ""
        )

    def _row(self, node: Node, name: str, below: str, *, is_layer: bool = False, is_open: bool = False) -> str:
        if self._room <= 0:
            self.left_out += len(node.members)
            return below and f"<li><details><summary>{name}</summary>{below}</details></li>"
        causes = [self._marks[index] for index in node.members]
        numbers = " ".join(str(one.number) for one in causes if one is not None)
        data = f' data-c="{numbers}" id="d-{node.members[0]}"' if node.members else ""
        line = f"{name}{self._phrases(node)}"
        more = self._details(node) + below
        opened = " open" if is_open else ""
        inside = f"<details{opened}><summary>{line}</summary>{more}</details>" if more else line
        layer = ' class="layer"' if is_layer else ""
        row = f"<li{layer}{data}>{inside}</li>\n"
        self._room -= len(row) - len(below)
        return row

    def _phrases(self, node: Node) -> str:
        parts = []
        for index in node.members[:_PHRASES]:
            here, difference = self._marks[index], self._differences[index]
            badge = f" {here.badge}" if here is not None else ""
            phrase = "content follows" if difference.opened else describe(difference) or difference.field.value
            parts.append(f'{badge} <span class="quiet">{html_text(plain_prose(phrase))}</span>')
        more = len(node.members) - _PHRASES
        return "".join(parts) + (f' <span class="quiet">and {more:,} more</span>' if more > 0 else "")

    def _details(self, node: Node) -> str:
        if self._room_for_diffs <= 0:
            return ""
        parts = []
        for difference in (self._differences[index] for index in node.members):
            if not difference.opened and (text := diffs.of(difference)):
                parts.append(text)
            if difference.diffoscope is not None:
                parts.append(fold("What diffoscope says", diffs.foreign(difference.diffoscope)))
        text = "".join(parts)
        self._room_for_diffs -= len(text)
        return text


def _filter(found: Sequence[Group]) -> str:
    """The controls, which only the script shows."""
    options = "".join(
        f'<option value="{number}">{number}  {html_text(plain_prose(group.finding.title))}</option>'
        for number, group in enumerate(found, 1)
    )
    return (
        '<form class="filter" id="filter" hidden>'
        '<input type="search" id="text" placeholder="Part of a path" aria-label="Part of a path">'
        f'<select id="cause" aria-label="Cause"><option value="">All causes</option>{options}</select>'
        '<button type="button" id="open">Open all</button><button type="button" id="close">Close all</button>'
        '<output id="count" class="quiet"></output></form>'
    )
