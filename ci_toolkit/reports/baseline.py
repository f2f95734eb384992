"""Compare a build with the stored report of an earlier one."""

from typing import TYPE_CHECKING

from ci_toolkit.reports import change, outline
from ci_toolkit.reports.change import Change
from ci_toolkit.reports.report import Report

if TYPE_CHECKING:
    from ci_toolkit.mkosi.build import Build


def between(base: Report, report: Report) -> Change | None:
    """Return what REPORT's build changed against BASE's; None where one of them built nothing, or another image."""
    if not base.builds or not report.builds or (base.title, base.variant) != (report.title, report.variant):
        return None
    old, new = base.builds[0], report.builds[0]
    both = old.packages is not None and new.packages is not None
    return Change(
        commit=base.job.commit if base.job else None,
        before=outline.built_size(old),
        after=outline.built_size(new),
        same_bits=_bits(old) == _bits(new),
        packages=change.packages(old.packages or (), new.packages or ()) if both else None,
    )


def _bits(build: "Build") -> set[tuple[str, str]]:
    return {(artefact.name, artefact.sha256) for artefact in build.artefacts}
