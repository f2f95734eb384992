"""The comment that people read: the verdict on top, each cause with the lines that mend it, depth folded away."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from ci_toolkit.compare.comparison import Side
from ci_toolkit.compare.difference import display
from ci_toolkit.compare.finding import Finding
from ci_toolkit.reports import glance, outline, products, table
from ci_toolkit.reports.blocks import fold, rows
from ci_toolkit.reports.budget import Measure, Section, fit
from ci_toolkit.reports.describe import Details, shown_paths
from ci_toolkit.reports.escape import FENCE_LIMIT_LINES, NAME_LIMIT_CHARACTERS, address, code, fenced, prose
from ci_toolkit.reports.outline import Group, counted
from ci_toolkit.reports.report import Failure, Report

if TYPE_CHECKING:
    from ci_toolkit.mkosi.build import Build
    from ci_toolkit.reports.change import Change

BUDGET_CHARACTERS: Final = 60_000

# How many paths of a finding are folded away: the first number with which everything fits is taken.
_FOLDED: Final = (300, 100, 40, 15, 0)
_OPEN: Final = 4
_ROWS: Final = 24
_SAMPLES: Final = 5
_LOOKS: Final = 5
_NOTES: Final = 8
_SHORT: Final = 400
_CELL: Final = 160
_RANK_HEAD, _RANK_OVERVIEW, _RANK_NOTES, _RANK_FINDING, _RANK_CHANGE, _RANK_SKIPPED, _RANK_FACTS, _RANK_DEEP = range(8)


def render(report: Report, budget: int = BUDGET_CHARACTERS, measure: Measure = len) -> str:
    """Return REPORT as Markdown for GitHub, GitLab and Gitea, of at most BUDGET as MEASURE counts (characters)."""
    details = Details(report.comparison.differences if report.comparison else (), report.findings)
    sections: list[Section] = []
    for folded in _FOLDED:
        if folded and _least(report, folded) > budget:
            continue
        sections = _sections(report, details, folded)
        # What is left out first is no reason to fold fewer paths.
        if sum(measure(section.text) + 2 for section in sections if section.rank < _RANK_DEEP) <= budget:
            break
    return fit(sections, budget, measure, lambda left_out: _cut(report, left_out))


def _least(report: Report, folded: int) -> int:
    """Return how many characters the FOLDED first paths of all findings take at least."""
    return sum(min(len(path), NAME_LIMIT_CHARACTERS) for one in report.findings for path in one.paths[:folded])


def _sections(report: Report, details: Details, folded: int) -> list[Section]:
    titles = {finding.cause: finding.title for finding in report.findings}
    found = outline.groups(report.findings)
    numbers = {index: f"{index}. " for index in range(1, len(found) + 1)} if len(found) > 1 else {}
    return [
        Section(text=_head(report), rank=_RANK_HEAD),
        *_optional("" if report.failure else table.images([report]), _RANK_HEAD, "table"),
        *_optional(_failure(report.failure), _RANK_HEAD, "reason"),
        *_optional(products.starts(report), _RANK_OVERVIEW, "table of starts"),
        *_optional(products.formats(report), _RANK_OVERVIEW, "table of formats"),
        *_optional(_notes(report), _RANK_NOTES, "list of notes"),
        *(section for change in report.changes for section in _changed(change)),
        *_optional(_overview(found), _RANK_OVERVIEW, "overview"),
        *_optional(_all_fixes(found), _RANK_FACTS, "fixes in one piece"),
        *(
            Section(
                text=_group(group, numbers.get(index, ""), titles, details, folded),
                rank=_RANK_FINDING,
                name="cause",
            )
            for index, group in enumerate(found, 1)
        ),
        *_optional(_diffoscope(report), _RANK_DEEP, "words of diffoscope"),
        *_optional(_sides(report), _RANK_HEAD, "table"),
        *_optional(_others(report.builds), _RANK_NOTES, "other files"),
        *_optional(table.files(report), _RANK_CHANGE, "list of files"),
        *_optional(_varied(report), _RANK_NOTES, "list of what varied"),
        *_optional(_skipped(report), _RANK_SKIPPED, "list of what was not looked into"),
        *_optional(_surroundings(report), _RANK_FACTS, "surroundings of the builds"),
        *_optional(_facts(report), _RANK_FACTS, "list of tools"),
    ]


def _optional(text: str, rank: int, name: str) -> list[Section]:
    return [Section(text=text, rank=rank, name=name)] if text else []


def _head(report: Report) -> str:
    mark = "✅" if outline.good(report) else "❌"
    parts = [
        None if report.builds else code(table.label(report)),
        outline.coverage(report),
        *_links(report),
        _bases(report),
    ]
    below = " · ".join(part for part in parts if part)
    first = f"Not built: {prose(_sentence(report.failure), _SHORT)}" if report.failure else glance.line(report)
    return f"### {mark} {first}" + (f"\n\n{below}" if below else "")


def _changed(change: "Change") -> Iterable[Section]:
    """What changed in packages and files, below the name of what it is against, if it has one."""
    lead = f"Since {code(change.name)}:\n\n" if change.name else ""
    lists = ((table.packages(change), "list of packages"), (table.changed_files(change), "list of changed files"))
    for text, name in lists:
        if text:
            yield Section(text=lead + text, rank=_RANK_CHANGE, name=name)
            lead = ""


def _bases(report: Report) -> str:
    named = [
        " ".join([*([code(one.name)] if one.name else []), *([code(one.commit[:12])] if one.commit else [])])
        for one in report.changes
    ]
    found = [one for one in named if one]
    return f"compared with {', '.join(found)}" if found else ""


def _sentence(failure: Failure) -> str:
    return failure.message.partition("\n")[0]


def _failure(failure: Failure | None) -> str:
    """mkosi's last words, the end of them where they are many, and what to try next."""
    if failure is None:
        return ""
    words = failure.message.splitlines()[1:][-FENCE_LIMIT_LINES:]
    parts = [fenced("\n".join(words)) if words else "", prose(failure.hint or "")]
    return "\n\n".join(part for part in parts if part)


def _overview(found: Sequence[Group]) -> str:
    """Every cause with what mends it, in one table, for whoever reads no further."""
    if len(found) < 2:
        return ""
    cells = [
        (str(number), prose(group.finding.title, _CELL), _mends(group.finding.fix), f"{group.finding.count:,}")
        for number, group in enumerate(found[:_ROWS], 1)
    ]
    text = rows(("", "cause", "what mends it", "paths"), cells, right=(3,))
    return f"{text}\n\nand {counted(len(found) - _ROWS, 'more cause')}" if len(found) > _ROWS else text


def _mends(fix: str) -> str:
    lines, left_out = outline.fix_in_short(fix)
    parts = [code(line) for line in lines] or [prose(outline.advice_in_short(fix), _CELL) or "–"]
    return "<br>".join([*parts, *([f"and {counted(left_out, 'more line')}"] if left_out else [])])


def _links(report: Report) -> Iterable[str]:
    job = report.job
    if job is not None and job.commit:
        yield f"commit {code(job.commit[:12])}"
    if job is not None and address(job.run_url):
        yield f"[the job]({address(job.run_url)})"
    if whole := address(report.artifact_url):
        yield f"[the whole report]({whole})"
    elif job is not None and job.artifacts_url:
        yield f"[{'its log' if report.failure else 'its files, with the HTML report'}]({job.artifacts_url})"


def _sides(report: Report) -> str:
    if report.builds or report.comparison is None:
        return ""
    sides = (report.comparison.a, report.comparison.b)
    cells = [
        (f"{outline.ordinal(index)}: {code(side.name)}", prose(side.format), outline.size(side.size), _digest(side))
        for index, side in enumerate(sides)
    ]
    return rows(("", "format", "size", "SHA-256"), cells, right=(2,))


def _digest(side: Side) -> str:
    return code(side.sha256) if side.sha256 else "–"


def _others(builds: "Sequence[Build]") -> str:
    """Tell of the artefacts beside the image."""
    if len(builds) < 2 or any(outline.main_artefact(build) is None for build in builds):
        return ""
    differing = [name for name in outline.differing_artefacts(builds) if name != builds[0].image]
    others = {artefact.name for build in builds for artefact in build.artefacts} - {builds[0].image}
    same = len(others) - len(differing)
    parts = []
    if differing:
        names = ", ".join(code(name) for name in differing[:_OPEN])
        more = f" and {len(differing) - _OPEN} more" if len(differing) > _OPEN else ""
        parts.append(f"Beside the image {names}{more} differ{'s' if len(differing) == 1 else ''}.")
    if same:
        parts.append(f"{counted(same, 'other artefact')} came out the same.")
    return " ".join(parts)


def _varied(report: Report) -> str:
    varied = [variation for variation in report.variations if variation.skipped is None]
    kept = [variation for variation in report.variations if variation.skipped is not None]
    lines = []
    if varied:
        lines.append(f"**Varied between the builds:** {', '.join(prose(one.name) for one in varied[:_ROWS])}")
    if kept:
        reasons = "; ".join(f"{prose(one.name)} ({prose(one.skipped or '', _SHORT)})" for one in kept[:_ROWS])
        lines.append(f"**Not varied:** {reasons}")
    return "  \n".join(lines)


def _notes(report: Report) -> str:
    return "\n\n".join(f"⚠️ {prose(note, _SHORT)}" for note in report.notes[:_NOTES])


def _group(group: Group, number: str, titles: dict[str, str], details: Details, folded: int) -> str:
    finding = group.finding
    parts = [
        f"#### {number}{prose(finding.title)}",
        f"{code(finding.cause)} · {outline.extent(finding)}",
        _why(finding),
        _fix(finding.fix),
        _paths(finding, details, folded),
        *_samples(finding, details),
        _consequences(group, titles, details, folded),
    ]
    return "\n\n".join(part for part in parts if part)


def _why(finding: Finding) -> str:
    source = address(finding.source)
    return prose(outline.explanation(finding)) + (f" ([source]({source}))" if source else "")


def _fix(fix: str) -> str:
    lines, remarks = outline.fix_parts(fix)
    return "\n\n".join([*([fenced(lines, "ini")] if lines else []), *map(prose, remarks)])


def _paths(finding: Finding, details: Details, folded: int) -> str:
    """The first paths in the open, more of them folded away."""
    shown, left_out = shown_paths(finding, _OPEN + folded)
    lines = [_path(finding, path, details) for path in shown]
    opened, hidden = lines[:_OPEN], lines[_OPEN:]
    if len(hidden) == 1:
        opened, hidden = lines, []
    text = "\n".join(opened)
    if hidden:
        rest = "\n".join([*hidden, *_more(left_out)])
        return f"{text}\n\n{fold(counted(len(hidden) + left_out, 'more path'), rest)}"
    return "\n".join([*opened, *_more(left_out)])


def _more(left_out: int) -> list[str]:
    return [f"- and {counted(left_out, 'more path')}"] if left_out else []


def _path(finding: Finding, path: str, details: Details) -> str:
    phrase = details.of(finding, path).phrase
    return f"- {code(path)}" + (f" {prose(phrase)}" if phrase else "")


def _samples(finding: Finding, details: Details) -> Iterable[str]:
    """What a text said before and after, where no cause is known."""
    found = ((path, details.of(finding, path).sample) for path in finding.paths[:100])
    for path, lines in [(path, lines) for path, lines in found if lines is not None][:_SAMPLES]:
        shown = fenced("- {}\n+ {}".format(*lines), "diff")
        yield f"{code(path)}:\n\n{shown}"


def _consequences(group: Group, titles: dict[str, str], details: Details, folded: int) -> str:
    """What only follows from the group's cause: folded, since mending the cause mends it."""
    if not group.consequences:
        return ""
    parts = []
    for finding in group.consequences:
        others = outline.other_causes(finding, group.finding, titles)
        also = f" (also because: {'; '.join(prose(title) for title in others[:_OPEN])})" if others else ""
        heading = f"**{prose(finding.title)}**: {outline.extent(finding)}{also}"
        shown, left_out = shown_paths(finding, folded or 1)
        lines = [_path(finding, path, details) for path in shown]
        parts.append("\n".join([heading, "", *lines, *_more(left_out)]))
    number = sum(finding.count for finding in group.consequences)
    return fold(f"{counted(number, 'path')} only follow{'s' if number == 1 else ''} from it", "\n\n".join(parts))


def _diffoscope(report: Report) -> str:
    """What diffoscope says of files that no rule explains, folded away; a fence shortens each."""
    said = outline.said_by_diffoscope(report)
    if not said:
        return ""
    parts = [f"{code(path)}:\n\n{fenced(text, 'diff')}" for path, text in said[:_LOOKS]]
    parts += [f"and {counted(len(said) - _LOOKS, 'more file')}"] if len(said) > _LOOKS else []
    return fold(f"What diffoscope says of {counted(len(said), 'file')} that no rule explains", "\n\n".join(parts))


def _all_fixes(found: Sequence[Group]) -> str:
    text = outline.joined_fix(found)
    return fold("All of these lines in one piece", fenced(text, "ini")) if text else ""


def _skipped(report: Report) -> str:
    skipped = report.comparison.skipped if report.comparison else ()
    if not skipped:
        return ""
    lines = [f"- {code(display(one.path))}: {prose(one.reason)}" for one in skipped[:_ROWS]]
    if len(skipped) > _ROWS:
        lines.append(f"- and {len(skipped) - _ROWS:,} more")
    return fold(f"{counted(len(skipped), 'place')} not looked into (their bytes were compared)", "\n".join(lines))


def _surroundings(report: Report) -> str:
    varied = [variation for variation in report.variations if variation.skipped is None]
    if not varied:
        return ""
    cells = [(prose(one.name), code(one.first), code(one.second)) for one in varied[:_ROWS]]
    return fold("The builds' surroundings", rows(("", "first build", "second build"), cells))


def _facts(report: Report) -> str:
    if not report.facts:
        return ""
    cells = [(prose(name), code(value)) for name, value in report.facts[:100]]
    return fold("What it was built with", rows(("", ""), cells))


def _cut(report: Report, left_out: Sequence[Section]) -> str:
    """Tell what is not shown, and where it is."""
    causes = sum(section.name == "cause" for section in left_out)
    names = [counted(causes, "cause")] if causes else []
    names += [f"the {section.name}" for section in left_out if section.name != "cause"]
    whole = address(report.artifact_url) or (report.job and report.job.artifacts_url)
    where = f"[in the whole report]({whole})" if whole else "in `report.json`, which the job left"
    return f"*Cut for length: {', '.join(names)}. All of it is {where}.*"
