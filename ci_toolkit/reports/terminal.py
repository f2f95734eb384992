"""A report for the terminal: the same order as the comment, as wide as the window, coloured where that is wanted."""

import io
from collections.abc import Iterable, Sequence
from typing import Final

from rich import box
from rich.console import Console as Screen
from rich.console import Group as Lines
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ci_toolkit.compare.difference import display
from ci_toolkit.compare.finding import Finding
from ci_toolkit.reports import escape, outline
from ci_toolkit.reports.describe import Details, shown_paths
from ci_toolkit.reports.outline import Group, counted
from ci_toolkit.reports.report import Report

WIDTH: Final = 100
_NARROWEST: Final = 40
_PATHS: Final = 5
_CONSEQUENCES: Final = 2
_ADVICE: Final = 160
_ROWS: Final = 24
_LOOKS: Final = 5
_LOOK_LINES: Final = 12
_BULLET: Final = "•"
# What else stands beside a digest in the table.
_BESIDE_DIGEST: Final = 56

# The terminal's own sixteen colours: the reader's scheme has chosen them to be read on its background.
_GOOD, _BAD, _TITLE, _FIX, _QUIET, _NOTE = "bold green", "bold red", "bold", "cyan", "bright_black", "yellow"


def render(report: Report, *, width: int = WIDTH, colour: bool = False) -> str:
    """Return REPORT as lines of at most WIDTH columns; without COLOUR no escape sequence is in it."""
    file = io.StringIO()
    screen = Screen(
        file=file,
        width=max(width, _NARROWEST),
        force_terminal=colour,
        color_system="standard" if colour else None,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    details = Details(report.comparison.differences if report.comparison else (), report.findings)
    for part in _parts(report, details, screen.width):
        screen.print(part)
    return escape.inert("".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines()))


def _parts(report: Report, details: Details, width: int) -> Iterable[RenderableType]:
    good = outline.good(report)
    yield Text(f"{'✓' if good else '✗'} {outline.headline(report)}", style=_GOOD if good else _BAD)
    about = [escape.name(report.title), outline.coverage(report)]
    yield Padding(Text(" · ".join(part for part in about if part)), (0, 0, 0, 2))
    titles = {finding.cause: finding.title for finding in report.findings}
    found = outline.groups(report.findings)
    yield from _spaced(_overview(found), _notes(report))
    for number, group in enumerate(found, 1):
        yield Text()
        yield _group(number, group, titles, details)
    yield from _spaced(
        _diffoscope(report), _inputs(report, width), _variations(report), _skipped(report), _facts(report)
    )


def _spaced(*parts: RenderableType | None) -> Iterable[RenderableType]:
    for part in parts:
        if part is not None:
            yield Text()
            yield part


def _overview(found: Sequence[Group]) -> RenderableType | None:
    """Every cause with what mends it, for whoever reads no further."""
    if len(found) < 2:
        return None
    rows: list[tuple[RenderableType, Text]] = []
    for number, group in enumerate(found[:_ROWS], 1):
        rows.append((Text(f"{number}", style=_QUIET), Text(escape.plain_prose(group.finding.title), style=_TITLE)))
        lines, left_out = outline.fix_in_short(group.finding.fix)
        advice = escape.plain_prose(outline.advice_in_short(group.finding.fix))
        rows += [("", Text(escape.name(line), style=_FIX)) for line in lines]
        rows += [("", Text(escape.shorten(advice, _ADVICE), style=_FIX))] if advice else []
        rows += [("", Text(f"and {counted(left_out, 'more line')}", style=_QUIET))] if left_out else []
    more = [Text(f"and {counted(len(found) - _ROWS, 'more cause')}", style=_QUIET)] if len(found) > _ROWS else []
    return Padding(Lines(_grid(*rows), *more), (0, 0, 0, 2))


def _inputs(report: Report, width: int) -> RenderableType | None:
    """The table of builds, or of the two images that were given."""
    table = _table()
    if report.builds:
        for index, build in enumerate(report.builds[:_ROWS]):
            main = outline.main_artefact(build)
            size = main.size if main else sum(artefact.size for artefact in build.artefacts)
            digest = _digest(main.sha256, width) if main else counted(len(build.artefacts), "file")
            label, time = f"{outline.ordinal(index)} build", outline.duration(build.seconds)
            table.add_row(label, escape.name(build.image), outline.size(size), time, digest)
    elif report.comparison is not None:
        for index, side in enumerate((report.comparison.a, report.comparison.b)):
            kind, digest = escape.name(side.format), _digest(side.sha256 or "–", width)
            table.add_row(outline.ordinal(index), escape.name(side.name), outline.size(side.size), kind, digest)
    else:
        return None
    return Lines(table, *_others(report))


def _digest(digest: str, width: int) -> str:
    """A digest whole or plainly not whole; the headline has it where both are one."""
    return digest if width >= len(digest) + _BESIDE_DIGEST else f"{digest[:16]}…"


def _others(report: Report) -> Iterable[RenderableType]:
    names = [name for name in outline.differing_artefacts(report.builds) if name != report.builds[0].image]
    if names and all(outline.main_artefact(build) for build in report.builds):
        shown = ", ".join(escape.name(name) for name in names[:_PATHS])
        more = f" and {len(names) - _PATHS} more" if len(names) > _PATHS else ""
        yield Padding(Text(f"also differing: {shown}{more}"), (0, 0, 0, 2))


def _variations(report: Report) -> RenderableType | None:
    if not report.variations:
        return None
    table = _table()
    for one in report.variations[:_ROWS]:
        if one.skipped is None:
            table.add_row("varied", escape.name(one.name), f"{escape.name(one.first)} → {escape.name(one.second)}")
        else:
            table.add_row("not varied", escape.name(one.name), escape.plain_prose(one.skipped), style=_NOTE)
    return table


def _notes(report: Report) -> RenderableType | None:
    if not report.notes:
        return None
    return Lines(*(Text(f"! {escape.plain_prose(note)}", style=_NOTE) for note in report.notes[:_ROWS]))


def _group(number: int, group: Group, titles: dict[str, str], details: Details) -> RenderableType:
    finding = group.finding
    heading = Text(f"{number}  ", style=_QUIET).append(escape.plain_prose(finding.title), style=_TITLE)
    parts: list[RenderableType] = [
        Text(escape.plain_prose(outline.explanation(finding))),
        *_fix(finding.fix),
        *_paths(finding, details, _PATHS),
        *(line for one in group.consequences for line in _consequence(one, group, titles, details)),
    ]
    extent = Text(f"   {escape.name(finding.cause)} · {outline.extent(finding)}", style=_QUIET)
    return Lines(heading, extent, Padding(Lines(*parts), (0, 0, 0, 3)))


def _fix(fix: str) -> Iterable[RenderableType]:
    """The lines to copy, marked at their left."""
    lines, remarks = outline.fix_parts(fix)
    if lines:
        rows = ((Text("│", style=_QUIET), Text(line, style=_FIX)) for line in escape.block(lines).split("\n"))
        yield _grid(*rows)
    for remark in remarks[:_ROWS]:
        yield Text(escape.plain_prose(remark), style="" if lines else _FIX)


def _paths(finding: Finding, details: Details, limit: int) -> Iterable[RenderableType]:
    shown, left_out = shown_paths(finding, limit)
    for path in shown:
        detail = details.of(finding, path)
        line = Text(escape.name(path))
        if detail.phrase:
            line.append(f"  {escape.plain_prose(detail.phrase)}", style=_QUIET)
        yield _grid((_BULLET, line))
        for sign, text, style in zip("-+", detail.sample or (), ("red", "green"), strict=False):
            yield _grid((f"    {sign}", Text(escape.block(text), style=style)))
    if left_out:
        yield _grid((_BULLET, Text(f"and {counted(left_out, 'more path')}", style=_QUIET)))


def _grid(*rows: tuple[RenderableType, Text]) -> Table:
    """Rows of a mark and a text that stays to the right of it where it is broken."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for row in rows:
        grid.add_row(*row)
    return grid


def _consequence(finding: Finding, group: Group, titles: dict[str, str], details: Details) -> Iterable[RenderableType]:
    others = outline.other_causes(finding, group.finding, titles)
    also = f"; also because: {'; '.join(map(escape.plain_prose, others[:_PATHS]))}" if others else ""
    heading = Text(f"{escape.plain_prose(finding.title)}: {outline.extent(finding)}{also}", style=_QUIET)
    yield _grid((Text("↳", style=_QUIET), heading))
    yield Padding(Lines(*_paths(finding, details, _CONSEQUENCES)), (0, 0, 0, 2))


def _diffoscope(report: Report) -> RenderableType | None:
    """The first lines of what diffoscope says of each file."""
    said = outline.said_by_diffoscope(report)
    if not said:
        return None
    parts: list[RenderableType] = []
    for path, text in said[:_LOOKS]:
        lines = text.splitlines()
        parts.append(_grid((_BULLET, Text(escape.name(path)))))
        shown = Text(escape.block("\n".join(lines[:_LOOK_LINES])), style=_QUIET)
        more = (
            [Text(f"and {counted(len(lines) - _LOOK_LINES, 'more line')}", style=_QUIET)]
            if len(lines) > _LOOK_LINES
            else []
        )
        parts.append(Padding(Lines(shown, *more), (0, 0, 0, 4)))
    if len(said) > _LOOKS:
        parts.append(_grid((_BULLET, Text(f"and {counted(len(said) - _LOOKS, 'more file')}", style=_QUIET))))
    return Lines(
        Text("What diffoscope says of what is not explained", style=_TITLE), Padding(Lines(*parts), (0, 0, 0, 2))
    )


def _skipped(report: Report) -> RenderableType | None:
    skipped = report.comparison.skipped if report.comparison else ()
    if not skipped:
        return None
    rows = [
        (_BULLET, Text(f"{escape.name(display(one.path))}  ").append(escape.plain_prose(one.reason), style=_QUIET))
        for one in skipped[:_PATHS]
    ]
    if len(skipped) > _PATHS:
        rows.append((_BULLET, Text(f"and {len(skipped) - _PATHS:,} more", style=_QUIET)))
    heading = Text(f"Not looked into (the bytes were compared): {counted(len(skipped), 'place')}")
    return Lines(heading, Padding(_grid(*rows), (0, 0, 0, 2)))


def _facts(report: Report) -> RenderableType | None:
    if not report.facts:
        return None
    table = _table()
    for name, value in report.facts[:100]:
        table.add_row(escape.name(name), escape.name(value), style=_QUIET)
    return table


def _table() -> Table:
    return Table(box=box.SIMPLE, show_header=False, show_edge=False, pad_edge=False, padding=(0, 1), expand=False)
