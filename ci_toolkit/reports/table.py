"""The table by image: what each is, what changed, and whether it came out twice; with what is folded below it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ci_toolkit.reports import glance, outline
from ci_toolkit.reports.blocks import fold, rows
from ci_toolkit.reports.escape import code
from ci_toolkit.reports.outline import counted
from ci_toolkit.reports.report import Report

if TYPE_CHECKING:
    from ci_toolkit.mkosi.build import Build
    from ci_toolkit.reports.change import Change, Packages

_ROWS: Final = 100
_PACKAGES: Final = 200
_FILES: Final = 40
_CHANGED: Final = 40
_DIGEST_CHARACTERS: Final = 12
# Column, whether it is aligned at the right; what nobody has something in is left out.
_HEAD: Final = (
    ("image", False),
    ("SHA-256", False),
    ("size", True),
    ("change", True),
    ("packages", False),
    ("reproducible", False),
    ("time", True),
)


def images(reports: Sequence[Report]) -> str:
    """Return one row for each of REPORTS; "" where none built anything."""
    if not any(report.builds or report.failure for report in reports):
        return ""
    cells = [_row(report) for report in reports[:_ROWS]]
    shown = [index for index in range(len(_HEAD)) if any(row[index] for row in cells)]
    head = [_HEAD[index][0] for index in shown]
    right = [place for place, index in enumerate(shown) if _HEAD[index][1]]
    text = rows(head, ([row[index] or "–" for index in shown] for row in cells), right)
    return f"{text}\n\nand {counted(len(reports) - _ROWS, 'more image')}" if len(reports) > _ROWS else text


def label(report: Report) -> str:
    """Return what names the image of REPORT, not yet safe to show."""
    return f"{report.title}, {report.variant}" if report.variant else report.title


def _row(report: Report) -> tuple[str, ...]:
    builds = report.builds
    return (
        code(label(report)),
        "<br>".join(dict.fromkeys(map(_short_digest, builds[:2]))),
        _solid(outline.size(outline.built_size(builds[0]))) if builds else "",
        "<br>".join(f"{_since(change, ': ')}{_solid(_change(change))}" for change in report.changes),
        _packages(report),
        glance.causes(report),
        _solid(glance.elapsed(builds)),
    )


def _solid(text: str) -> str:
    """TEXT, a number with its unit, that no narrow table breaks."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _short_digest(build: "Build") -> str:
    main = outline.main_artefact(build)
    return f"{code(main.sha256[:_DIGEST_CHARACTERS])}…" if main else counted(len(build.artefacts), "file")


def _since(change: "Change", after: str) -> str:
    """Return the name of what CHANGE is against, with AFTER it; "" where it has none."""
    return f"{code(change.name)}{after}" if change.name else ""


def _change(change: "Change") -> str:
    share = glance.percent(change)
    return f"{glance.grown(change)} ({share})" if share else glance.grown(change)


def _packages(report: Report) -> str:
    """The number, and what moved: beside it, or a line for each baseline that has a name."""
    number = glance.packages(report)
    known = [change for change in report.changes if change.packages is not None]
    moved = [
        f"{_since(change, ': ')}{glance.moved_in_short(change.packages)}"
        for change in known
        if change.packages is not None
    ]
    if not moved:
        return number
    return f"{number} ({moved[0]})" if len(moved) == 1 and not known[0].name else "<br>".join([number, *moved])


def packages(change: "Change") -> str:
    """Return which packages came, went and got another version, folded; "" where none did or nobody knows."""
    if not change.packages:
        return ""
    cells = _package_rows(change.packages)
    text = rows(("package", "before", "now"), cells[:_PACKAGES])
    more = f"\n\nand {counted(len(cells) - _PACKAGES, 'more package')}" if len(cells) > _PACKAGES else ""
    return fold(f"Packages: {glance.moved(change.packages)}", text + more)


def changed_files(change: "Change") -> str:
    """Return which files came, went, grew and shrank, folded, the most bytes first; "" as for `packages`."""
    if not change.files:
        return ""
    cells = [
        (
            code(row.path) + (f" ({counted(row.count, 'file')})" if row.count > 1 else ""),
            "–" if row.before is None else outline.size(row.before),
            "–" if row.after is None else outline.size(row.after),
            glance.by(row),
        )
        for row in change.files.rows[:_CHANGED]
    ]
    left = change.files.all_rows - len(cells)
    text = rows(("file", "before", "now", "change"), cells, right=(1, 2, 3))
    more = f"\n\nand {counted(left, 'smaller change')}" if left > 0 else ""
    return fold(f"Files: {glance.changed(change.files)}", text + more)


def _package_rows(packages: "Packages") -> list[tuple[str, str, str]]:
    """What is the least likely to be meant comes first."""
    removed = [(code(one.name), code(one.version), "removed") for one in packages.removed]
    down = [(code(one.name), code(one.before), f"{code(one.after)} ↓") for one in packages.moved if one.down]
    added = [(code(one.name), "–", code(one.version)) for one in packages.added]
    up = [(code(one.name), code(one.before), code(one.after)) for one in packages.moved if not one.down]
    return [*removed, *down, *added, *up]


def files(report: Report) -> str:
    """Return all files with their whole digests, folded; both digests of those that came out differently."""
    if not report.builds:
        return ""
    first, *others = report.builds[:2]
    digests = {artefact.name: artefact.sha256 for artefact in others[0].artefacts} if others else {}
    cells = []
    found = [*first.artefacts, *(file for one in report.formats for file in one.files)]
    for artefact in found[:_FILES]:
        second = digests.get(artefact.name, artefact.sha256)
        shown = "<br>".join(code(digest) for digest in dict.fromkeys((artefact.sha256, second)))
        cells.append((code(artefact.name), outline.size(artefact.size), shown))
    text = rows(("", "size", "SHA-256"), cells, right=(1,))
    left = len(found) - _FILES
    return fold("Files and their digests", f"{text}\n\nand {counted(left, 'more file')}" if left > 0 else text)
