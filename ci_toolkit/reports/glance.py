"""A report at a glance: the first line, the cells of a table, a commit status. Nothing in it is foreign."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, assert_never

from ci_toolkit.errors import ExitCode
from ci_toolkit.reports import outline
from ci_toolkit.reports.outline import Outcome, counted
from ci_toolkit.reports.report import Report

if TYPE_CHECKING:
    from ci_toolkit.mkosi.build import Build
    from ci_toolkit.reports.change import Change, Packages
    from ci_toolkit.reports.files import Files, Row

_NOT_BUILT: Final[Mapping[int, str]] = {
    ExitCode.USAGE: "Not built: the call or a setting is wrong",
    ExitCode.HOST: "Not built: nothing on this machine can run the build",
    ExitCode.BUILD: "Not built: mkosi failed",
}


def line(report: Report) -> str:
    """Return verdict, sizes and time."""
    parts = (verdict(report), sizes(report), elapsed(report.builds))
    return " · ".join(part for part in parts if part)


def verdict(report: Report) -> str:
    """Return the verdict in a few words; for its digest there is the table."""
    return outline.but(_verdict(report), report)


def _verdict(report: Report) -> str:
    told = outline.outcome(report)
    match told:
        case Outcome.BUILT | Outcome.REPRODUCIBLE | Outcome.IDENTICAL:
            return told.value.capitalize()
        case Outcome.NOT_REPRODUCIBLE | Outcome.DIFFERENT:
            return f"{told.value.capitalize()}: {outline.summary(report)}"
        case Outcome.FAILED:
            code = report.failure.exit_code if report.failure else 0
            return _NOT_BUILT.get(code, f"Not built: exit code {code}")
        case _:
            assert_never(told)


def causes(report: Report) -> str:
    """Return whether the image is reproducible, for a cell."""
    told = outline.outcome(report)
    match told:
        case Outcome.REPRODUCIBLE | Outcome.IDENTICAL:
            return "✅ yes"
        case Outcome.BUILT:
            return "built once"
        case Outcome.FAILED:
            return "❌ not built"
        case Outcome.NOT_REPRODUCIBLE | Outcome.DIFFERENT:
            return f"❌ {', '.join(outline.counted_causes(report)) or 'no cause was found'}"
        case _:
            assert_never(told)


def sizes(report: Report) -> str:
    """Return the size of the image, and its change against the first baseline; both of two given images that differ."""
    if report.builds:
        found = outline.size(outline.built_size(report.builds[0]))
        return f"{found} ({grown(report.changes[0])})" if report.changes else found
    if report.comparison is None:
        return ""
    return " and ".join(dict.fromkeys(outline.size(side.size) for side in (report.comparison.a, report.comparison.b)))


def grown(change: "Change") -> str:
    """Return by how much the image grew: "+1.2 MB", "−3 bytes", "the same size"."""
    if not change.grown:
        return "the same bits" if change.same_bits else "the same size"
    return f"{'+' if change.grown > 0 else '−'}{outline.size(abs(change.grown))}"


def percent(change: "Change") -> str:
    """Return the same in percent, "" where it is none or of nothing."""
    if not change.grown or math.isinf(change.percent):
        return ""
    amount = abs(change.percent)
    shown = f"{amount:,.1f} %" if amount >= 0.1 else "less than 0.1 %"
    return f"{'+' if change.grown > 0 else '−'}{shown}" if amount >= 0.1 else shown


def moved(packages: "Packages") -> str:
    """Return how many packages came, went and got another version."""
    words = ("added", "removed", "upgraded", "downgraded")
    counts = zip(_counts(packages), words, strict=True)
    return ", ".join(f"{number:,} {word}" for number, word in counts if number) or "the same"


def moved_in_short(packages: "Packages") -> str:
    """Return the same in signs: "+1 −2 ↑14 ↓1"."""
    signs = zip(_counts(packages), "+−↑↓", strict=True)
    return " ".join(f"{sign}{number:,}" for number, sign in signs if number) or "the same"


def changed(files: "Files") -> str:
    """Return how many files came, went, grew and shrank."""
    counts = (files.added, files.removed, files.grown, files.shrunk)
    words = zip(counts, ("added", "removed", "larger", "smaller"), strict=True)
    return ", ".join(f"{number:,} {word}" for number, word in words if number) or "the same"


def by(row: "Row") -> str:
    """Return how many bytes more or fewer: "+1.2 MB", "−3 bytes", "–"."""
    return f"{'+' if row.grown > 0 else '−'}{outline.size(abs(row.grown))}" if row.grown else "–"


def _counts(packages: "Packages") -> tuple[int, int, int, int]:
    down = sum(one.down for one in packages.moved)
    return len(packages.added), len(packages.removed), len(packages.moved) - down, down


def elapsed(builds: "Sequence[Build]") -> str:
    """Return how long all builds took together; those that ran at once are not counted twice."""
    if not builds:
        return ""
    if all(build.started for build in builds):
        seconds = max(build.started + build.seconds for build in builds) - min(build.started for build in builds)
        longest = sum(build.seconds for build in builds)
        return outline.duration(min(seconds, longest))
    return outline.duration(sum(build.seconds for build in builds))


def packages(report: Report) -> str:
    """Return how many packages are installed, "" where nobody listed them."""
    found = report.builds[0].packages if report.builds else None
    return "" if found is None else f"{len(found):,}"


def failing(reports: Sequence[Report]) -> int:
    """Return how many of REPORTS are not good."""
    return sum(not outline.good(report) for report in reports)


def joined(reports: Sequence[Report]) -> str:
    """Return the first line for several reports."""
    number, bad = len(reports), failing(reports)
    if bad:
        rest = "is not as it should be" if bad == 1 else "are not as they should be"
        words = f"{bad} of {counted(number, 'image')} {rest}"
    elif all(outline.outcome(report) is Outcome.REPRODUCIBLE for report in reports):
        words = f"All {counted(number, 'image')} are reproducible"
    else:
        words = f"All {counted(number, 'image')} are as they should be"
    total = sum(outline.built_size(report.builds[0]) for report in reports if report.builds)
    return f"{words} · {outline.size(total)}" if total else words
