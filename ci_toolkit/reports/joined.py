"""Several reports in one comment, as a matrix of jobs makes them: one table, and each report folded below it."""

from collections.abc import Sequence
from typing import Final

from ci_toolkit.reports import escape, glance, markdown, outline, table
from ci_toolkit.reports.blocks import fold
from ci_toolkit.reports.budget import Measure, Section, fit
from ci_toolkit.reports.outline import counted
from ci_toolkit.reports.report import Report

_LEAST_CHARACTERS: Final = 2_500
_GOOD_CHARACTERS: Final = 4_000
_RANK_HEAD, _RANK_BAD, _RANK_GOOD = range(3)


def render(reports: Sequence[Report], budget: int = markdown.BUDGET_CHARACTERS, measure: Measure = len) -> str:
    """Return REPORTS, at least one, as one text of at most BUDGET as MEASURE counts. One alone is as it always is."""
    if len(reports) == 1:
        return markdown.render(reports[0], budget, measure)
    # Stable: those of one kind stay in the order in which they were given.
    ordered = sorted(reports, key=outline.good)
    head, images = _head(ordered), table.images(ordered)
    room = budget - measure(head) - measure(images) - 200
    bad = glance.failing(reports)
    good_share = min(_GOOD_CHARACTERS, room // len(reports))
    bad_share = max((room - good_share * (len(reports) - bad)) // max(bad, 1), _LEAST_CHARACTERS)
    sections = [Section(text=head, rank=_RANK_HEAD), Section(text=images, rank=_RANK_HEAD)]
    for report in ordered:
        good = outline.good(report)
        text = _folded(report, good_share if good else bad_share, measure)
        sections.append(Section(text=text, rank=_RANK_GOOD if good else _RANK_BAD, name="image"))
    return fit([one for one in sections if one.text], budget, measure, _cut)


def _head(reports: Sequence[Report]) -> str:
    mark = "❌" if glance.failing(reports) else "✅"
    commits = list(dict.fromkeys(report.job.commit for report in reports if report.job and report.job.commit))
    below = f"\n\ncommit {escape.code(commits[0][:12])}" if len(commits) == 1 else ""
    return f"### {mark} {glance.joined(reports)}{below}"


def _folded(report: Report, share: int, measure: Measure) -> str:
    mark = "✅" if outline.good(report) else "❌"
    # In <code> no forge looks for mentions and references.
    summary = f"{mark} <code>{escape.html(table.label(report))}</code>"
    around = measure(fold(summary, ""))
    return fold(summary, markdown.render(report, max(share - around, 0), measure).rstrip("\n"))


def _cut(left_out: Sequence[Section]) -> str:
    return f"*Cut for length: the details of {counted(len(left_out), 'image')}. All of it is with the jobs.*"
