"""What changed against each baseline: the size, the packages, and the files with the most bytes."""

from typing import TYPE_CHECKING, Final

from ci_toolkit.reports import glance, outline
from ci_toolkit.reports.escape import html
from ci_toolkit.reports.html.elements import card, code, fold, table
from ci_toolkit.reports.outline import counted

if TYPE_CHECKING:
    from ci_toolkit.reports.change import Change, Packages
    from ci_toolkit.reports.files import Files, Row

_ROWS: Final = 1_000


def render(change: "Change") -> str:
    """Return the card of CHANGE."""
    name = f" since <code>{html(change.name)}</code>" if change.name else ""
    base = f" against commit <code>{html(change.commit[:12])}</code>" if change.commit else ""
    share = glance.percent(change)
    size = glance.grown(change) + (f" ({share})" if share else "")
    packages = _packages(change.packages) if change.packages else ""
    files = _files(change.files) if change.files else ""
    return card(f"<h2>What changed{name}</h2>\n<p>The image: {size}{base}</p>\n{packages}\n{files}".rstrip("\n"))


def _packages(packages: "Packages") -> str:
    cells = [
        *((one.name, one.version, "removed") for one in packages.removed),
        *((one.name, one.before, one.after) for one in packages.moved),
        *((one.name, "–", one.version) for one in packages.added),
    ]
    rows = [tuple(f"<td><code>{html(cell)}</code></td>" for cell in row) for row in cells[:_ROWS]]
    more = _more(len(cells), "more package")
    return fold(f"Packages: {glance.moved(packages)}", table(("package", "before", "now"), rows) + more)


def _files(files: "Files") -> str:
    head = ("file", "before", "now", "change")
    rows = [_row(row) for row in files.rows[:_ROWS]]
    more = _more(files.all_rows, "smaller change")
    return fold(f"Files: {glance.changed(files)}", table(head, rows, numbers=(1, 2, 3)) + more)


def _row(row: "Row") -> tuple[str, ...]:
    count = f' <span class="quiet">{counted(row.count, "file")}</span>' if row.count > 1 else ""
    sizes = ["–" if size is None else outline.size(size) for size in (row.before, row.after)]
    numbers = (f'<td class="number">{cell}</td>' for cell in (*sizes, glance.by(row)))
    return (f"<td>{code(html(row.path))}{count}</td>", *numbers)


def _more(number: int, noun: str) -> str:
    return f'<p class="note">and {counted(number - _ROWS, noun)}</p>' if number > _ROWS else ""
