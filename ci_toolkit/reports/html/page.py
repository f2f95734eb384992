"""A report as one HTML page that needs nothing else: no file beside it, no request to anywhere."""

import hashlib
from base64 import b64encode
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ci_toolkit.compare.comparison import Side
from ci_toolkit.compare.difference import display
from ci_toolkit.mkosi.build import Build
from ci_toolkit.reports import outline, products
from ci_toolkit.reports.describe import Details
from ci_toolkit.reports.escape import address, html, html_prose, html_text
from ci_toolkit.reports.html import causes, changes, marks, picture, tree
from ci_toolkit.reports.html.elements import bullets, card, code, fold, table
from ci_toolkit.reports.html.script import SCRIPT
from ci_toolkit.reports.html.style import CSS
from ci_toolkit.reports.outline import counted
from ci_toolkit.reports.report import Report

if TYPE_CHECKING:
    from ci_toolkit.boot.outcome import Check

_ROWS: Final = 1_000
_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
<script>{script}</script>
</body>
</html>
"""


def render(report: Report) -> str:
    """Return REPORT as a whole page."""
    differences = report.comparison.differences if report.comparison else ()
    details = Details(differences, report.findings)
    titles = {finding.cause: finding.title for finding in report.findings}
    found = outline.groups(report.findings)
    listed = tree.render(differences, marks.of_differences(found, differences), found)
    anchors = {display(one.path): index for index, one in reversed([*enumerate(differences)])}
    parts = [
        _verdict(report),
        card(causes.overview(found) + causes.all_fixes(found)),
        *_notes(report),
        *map(changes.render, report.changes),
        picture.render(report.comparison, found),
        *(causes.render(number, group, titles, details, anchors) for number, group in enumerate(found, 1)),
        listed,
        card(_starts(report) + _formats(report)),
        card(_inputs(report) + _varied(report)),
        _skipped(report),
        _facts(report),
    ]
    return _PAGE.format(
        policy=_policy(),
        title=f"{html(report.title)}: {outline.outcome(report)}",
        style=CSS,
        body="\n".join(part for part in parts if part),
        script=SCRIPT,
    )


def _policy() -> str:
    """Nothing may be loaded, and nothing run but our own script, whatever a name should manage to become."""
    hashes = [b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (CSS, SCRIPT)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _verdict(report: Report) -> str:
    good = outline.good(report)
    about = [f"<code>{html(report.title)}</code>", outline.coverage(report), *_links(report)]
    return (
        f'<section class="card verdict{" good" if good else ""}">\n'
        f"<h1>{'✓' if good else '✗'} {html_prose(outline.headline(report))}</h1>\n"
        f'<p class="quiet">{" · ".join(part for part in about if part)}</p>\n</section>'
    )


def _links(report: Report) -> Iterable[str]:
    if report.job is not None and report.job.commit:
        yield f"commit <code>{html(report.job.commit[:12])}</code>"
    for url, words in ((report.job.run_url if report.job else None, "the job"), (report.artifact_url, "the artifact")):
        if link := address(url):
            yield f'<a href="{html_text(link)}">{words}</a>'


def _varied(report: Report) -> str:
    varied = [one for one in report.variations if one.skipped is None]
    if not report.variations:
        return ""
    chips = "".join(f"<span>{html(one.name)}</span>" for one in varied[:_ROWS])
    rows = [
        (f"<th>{html(one.name)}</th>", f"<td>{html(one.first)}</td>", f"<td>{html(one.second)}</td>")
        if one.skipped is None
        else (f"<th>{html(one.name)}</th>", f'<td colspan="2" class="note">not varied: {html_prose(one.skipped)}</td>')
        for one in report.variations[:_ROWS]
    ]
    values = table(("", "first build", "second build"), rows)
    kept = len(report.variations) - len(varied)
    unvaried = f'<span class="note">{kept} could not be varied</span>' if kept else ""
    return f'<p class="chips">Varied between the builds: {chips}{unvaried}</p>\n{fold("Their values", values)}\n'


def _notes(report: Report) -> Iterable[str]:
    for note in report.notes[:_ROWS]:
        yield f'<p class="note">⚠ {html_prose(note)}</p>'


def _starts(report: Report) -> str:
    if not report.boots:
        return ""
    rows = [
        (
            f"<th>{html(outline.firmware(boot))}</th>",
            f'<td class="number">{products.came_up(boot)}</td>',
            f"<td>{_units(boot.failed_units)}</td>",
            f"<td>{'<br>'.join([products.checks(boot) or '–', *map(_check, boot.checks[:_ROWS])])}</td>",
            f"<td>{html_prose(boot.reason or boot.startup or '')}</td>",
        )
        for boot in report.boots[:_ROWS]
    ]
    return table(("started with", "came up after", "failed units", "checks", ""), rows, numbers=(1,))


def _units(names: tuple[str, ...] | None) -> str:
    if names is None:
        return "not known"
    return "<br>".join(f"<code>{html(name)}</code>" for name in names[:_ROWS]) or "none"


def _check(check: "Check") -> str:
    told = "passed" if check.passed else products.how_ended(check)
    return f"<code>{html(check.name)}</code> {html_prose(told)}"


def _formats(report: Report) -> str:
    rows: list[tuple[str, ...]] = []
    for one in report.formats[:_ROWS]:
        if one.reason:
            rows.append((f"<th>{html(one.format)}</th>", f'<td colspan="3" class="note">{html_prose(one.reason)}</td>'))
        for file in one.files[:_ROWS]:
            rows.append(
                (
                    f"<th>{html(one.format)}</th>",
                    f"<td><code>{html(file.name)}</code></td>",
                    f"<td><code>{html(file.sha256)}</code></td>",
                    f'<td class="number">{outline.size(file.size)}</td>',
                )
            )
    return table(("format", "file", "SHA-256", "size"), rows) if rows else ""


def _inputs(report: Report) -> str:
    if report.builds:
        head = ("", f"SHA-256 of <code>{html(report.builds[0].image)}</code>", "size", "time")
        return table(head, [_build(index, build) for index, build in enumerate(report.builds)]) + _artefacts(report)
    if report.comparison is None:
        return ""
    sides = enumerate((report.comparison.a, report.comparison.b))
    return table(("", "image", "format", "SHA-256", "size"), [_side(index, side) for index, side in sides])


def _build(index: int, build: Build) -> tuple[str, ...]:
    main = outline.main_artefact(build)
    size = main.size if main else sum(artefact.size for artefact in build.artefacts)
    digest = f"<code>{html(main.sha256)}</code>" if main else counted(len(build.artefacts), "file")
    return (
        f"<th>{outline.ordinal(index)} build</th>",
        f"<td>{digest}</td>",
        f'<td class="number">{outline.size(size)}</td>',
        f'<td class="number">{outline.duration(build.seconds)}</td>',
    )


def _side(index: int, side: Side) -> tuple[str, ...]:
    return (
        f"<th>{outline.ordinal(index)}</th>",
        f"<td>{code(html(side.name))}</td>",
        f"<td>{html(side.format)}</td>",
        f"<td>{f'<code>{html(side.sha256)}</code>' if side.sha256 else '–'}</td>",
        f'<td class="number">{outline.size(side.size)}</td>',
    )


def _artefacts(report: Report) -> str:
    """Every other artefact, with what each build made of it."""
    builds = report.builds
    names = sorted({one.name for build in builds for one in build.artefacts} - {builds[0].image})
    if not names:
        return ""
    digests = [{one.name: one.sha256 for one in build.artefacts} for build in builds]
    differing = set(outline.differing_artefacts(builds))
    rows = [
        (
            f"<th><code>{html(name)}</code></th>",
            *(f"<td><code>{html(have.get(name, 'missing'))}</code></td>" for have in digests),
        )
        for name in sorted(names, key=lambda name: (name not in differing, name))[:_ROWS]
    ]
    differ = len(differing - {builds[0].image})
    told = f", {differ:,} of them differing" if differ else ""
    head = ("", *(f"{outline.ordinal(index)} build" for index in range(len(builds))))
    return fold(f"{counted(len(names), 'other artefact')}{told}", table(head, rows))


def _skipped(report: Report) -> str:
    skipped = report.comparison.skipped if report.comparison else ()
    lines = [f"<li><code>{html(display(one.path))}</code> {html_prose(one.reason)}</li>" for one in skipped[:_ROWS]]
    heading = f"{counted(len(skipped), 'place')} not looked into (the bytes were compared)"
    return card(fold(heading, bullets(lines)), lines)


def _facts(report: Report) -> str:
    rows = [(f"<th>{html(name)}</th>", f"<td>{html(value)}</td>") for name, value in report.facts[:_ROWS]]
    return card(fold("What it was built with", table((), rows)), rows)
