"""The causes: all of them in one table, then each with its reason, its fix and its paths."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ci_toolkit.compare.finding import Finding
from ci_toolkit.reports import outline
from ci_toolkit.reports.describe import Details, shown_paths
from ci_toolkit.reports.escape import address, block, html, html_prose, html_text
from ci_toolkit.reports.html.elements import bullets, code, fold, table
from ci_toolkit.reports.html.marks import mark
from ci_toolkit.reports.outline import Group, counted

_OPEN: Final = 6
_PATHS: Final = 100
_SAMPLES: Final = 8
_ROWS: Final = 1_000

# Where the tree has a shown path.
Anchors = Mapping[str, int]


def overview(found: Sequence[Group]) -> str:
    """Return every cause with what mends it, in one table, for whoever reads no further."""
    if len(found) < 2:
        return ""
    rows = [
        (
            f'<td class="cause">{mark(number, group).badge} '
            f'<a href="#cause-{number}">{html_prose(group.finding.title)}</a></td>',
            f"<td>{_mends(group.finding.fix)}</td>",
            f'<td class="number">{group.finding.count:,}{_unit("path", group.finding.count)}</td>',
            f'<td class="number">{_bytes(group.finding)}</td>',
        )
        for number, group in enumerate(found, 1)
    ]
    return table(("cause", "what mends it", "paths", "bytes"), rows, numbers=(2, 3), name="overview")


def _bytes(finding: Finding) -> str:
    return f"{finding.bytes:,}{_unit('byte', finding.bytes)}" if finding.bytes else "–"


def _unit(noun: str, number: int) -> str:
    """What a number counts, for screens too narrow for the head of the table."""
    return f'<span class="unit"> {noun}{"" if number == 1 else "s"}</span>'


def all_fixes(found: Sequence[Group]) -> str:
    text = outline.joined_fix(found)
    return fold("All of these lines in one piece", f"<pre>{html_text(block(text))}</pre>") if text else ""


def _mends(fix: str) -> str:
    lines, left_out = outline.fix_in_short(fix)
    parts = [code(html(line)) for line in lines] or [html_prose(outline.advice_in_short(fix)) or "–"]
    return "<br>".join([*parts, *([f"and {counted(left_out, 'more line')}"] if left_out else [])])


def render(number: int, group: Group, titles: Mapping[str, str], details: Details, anchors: Anchors) -> str:
    """Return the card of the cause of NUMBER."""
    finding = group.finding
    source = address(finding.source)
    why = html_prose(outline.explanation(finding)) + (f' <a href="{html_text(source)}">source</a>' if source else "")
    parts = [
        f"<h2>{mark(number, group).badge} <span>{html_prose(finding.title)}</span>"
        f'<span class="extent"><code>{html(finding.cause)}</code> {outline.extent(finding)}</span></h2>',
        f"<p>{why}</p>",
        _fix(finding.fix),
        _paths(finding, details, anchors),
        *_samples(finding, details),
        *(_consequence(one, group, titles, details, anchors) for one in group.consequences),
    ]
    inside = "\n".join(part for part in parts if part)
    return f'<section class="card cause" id="cause-{number}">\n{inside}\n</section>'


def _fix(fix: str) -> str:
    lines, remarks = outline.fix_parts(fix)
    parts = [f"<pre>{html_text(block(lines))}</pre>"] if lines else []
    return "\n".join([*parts, *(f"<p>{html_prose(line)}</p>" for line in remarks[:_ROWS])])


def _paths(finding: Finding, details: Details, anchors: Anchors) -> str:
    shown, left_out = shown_paths(finding, _PATHS)
    lines = [_path(finding, path, details, anchors) for path in shown]
    lines += [f"<li>and {counted(left_out, 'more path')}</li>"] if left_out else []
    opened, folded = (lines[:_OPEN], lines[_OPEN:]) if len(lines) > _OPEN + 1 else (lines, [])
    more = fold(counted(len(folded) + max(left_out - 1, 0), "more path"), bullets(folded)) if folded else ""
    return bullets(opened) + more


def _path(finding: Finding, path: str, details: Details, anchors: Anchors) -> str:
    phrase = details.of(finding, path).phrase
    told = f' <span class="quiet">{html_prose(phrase)}</span>' if phrase else ""
    shown = code(html(path))
    if path in anchors:
        shown = f'<a class="path" href="#d-{anchors[path]}">{shown}</a>'
    return f"<li>{shown}{told}</li>"


def _samples(finding: Finding, details: Details) -> Iterable[str]:
    found = ((path, details.of(finding, path).sample) for path in finding.paths)
    for path, lines in [(path, lines) for path, lines in found if lines is not None][:_SAMPLES]:
        before, after = (html_text(block(line)) for line in lines)
        yield f"<p>{code(html(path))}</p>\n<pre><del>- {before}</del><ins>+ {after}</ins></pre>"


def _consequence(finding: Finding, group: Group, titles: Mapping[str, str], details: Details, anchors: Anchors) -> str:
    others = outline.other_causes(finding, group.finding, titles)
    also = f"; also because: {'; '.join(map(html_prose, others))}" if others else ""
    heading = f'<strong>{html_prose(finding.title)}</strong> <span class="quiet">{outline.extent(finding)}{also}</span>'
    return f'<div class="follows"><p>Only follows from it: {heading}</p>\n{_paths(finding, details, anchors)}</div>'
