"""A report as OpenMetrics text: sizes, seconds and differences, for GitLab's `reports: metrics` and others.

https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from collections.abc import Iterator
from typing import Final

from ci_toolkit.compare.comparison import Verdict
from ci_toolkit.reports.report import Report

_ARTEFACTS: Final = 100
_LABEL_CHARACTERS: Final = 200


def render(report: Report) -> str:
    """Return the numbers of REPORT, a line each; of the files of an image the first hundred."""
    return "\n".join([*_lines(report), "# EOF", ""])


def _lines(report: Report) -> Iterator[str]:
    if report.builds:
        first = report.builds[0]
        yield "# TYPE ci_toolkit_artifact_size_bytes gauge"
        yield "# UNIT ci_toolkit_artifact_size_bytes bytes"
        for artefact in first.artefacts[:_ARTEFACTS]:
            yield f"ci_toolkit_artifact_size_bytes{{{_label('file', artefact.name)}}} {artefact.size}"
        yield "# TYPE ci_toolkit_build_seconds gauge"
        yield "# UNIT ci_toolkit_build_seconds seconds"
        for number, build in enumerate(report.builds, start=1):
            yield f'ci_toolkit_build_seconds{{build="{number}"}} {build.seconds:.3f}'
    made = [one for one in report.formats if not one.reason]
    if made:
        yield "# TYPE ci_toolkit_format_size_bytes gauge"
        yield "# UNIT ci_toolkit_format_size_bytes bytes"
        for one in made[:_ARTEFACTS]:
            yield f"ci_toolkit_format_size_bytes{{{_label('format', one.format)}}} {one.size}"
    up = [boot for boot in report.boots if boot.booted]
    if up:
        yield "# TYPE ci_toolkit_boot_seconds gauge"
        yield "# UNIT ci_toolkit_boot_seconds seconds"
        for boot in up[:_ARTEFACTS]:
            yield f"ci_toolkit_boot_seconds{{{_label('firmware', boot.firmware)}}} {boot.seconds:.3f}"
    if len(report.builds) == 1:
        return
    comparison = report.comparison
    judged: tuple[tuple[str, int | None], ...] = (
        ("reproducible", int(report.verdict is Verdict.IDENTICAL)),
        ("differences", len(comparison.differences) if comparison else 0),
        ("differing_bytes", comparison.differing_bytes if comparison else 0),
        ("explained_bytes", report.explained_bytes),
        ("causes", len({finding.cause for finding in report.findings})),
    )
    for name, value in judged:
        if value is not None:
            yield f"# TYPE ci_toolkit_{name} gauge"
            if name.endswith("_bytes"):
                yield f"# UNIT ci_toolkit_{name} bytes"
            yield f"ci_toolkit_{name} {value}"


def _label(name: str, value: str) -> str:
    """A label may hold any UTF-8 but these three as they are; more than a line of it nobody reads."""
    text = "".join(one if one.isprintable() else "\ufffd" for one in value[:_LABEL_CHARACTERS])
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}="{escaped}"'
