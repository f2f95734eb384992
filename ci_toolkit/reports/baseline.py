"""Compare a build with the stored report of an earlier one."""

from typing import TYPE_CHECKING

from ci_toolkit.reports import change, files, outline
from ci_toolkit.reports.change import Change
from ci_toolkit.reports.report import Report

if TYPE_CHECKING:
    from ci_toolkit.mkosi.build import Build


def is_of(base: Report, report: Report) -> bool:
    """Tell whether BASE is of an earlier build of REPORT's image; not where one of them built nothing."""
    return bool(base.builds and report.builds) and (base.title, base.variant) == (report.title, report.variant)


def between(base: Report, report: Report, name: str = "") -> Change:
    """Return what REPORT's build changed against BASE's, which `is_of` the same image and is called NAME."""
    old, new = base.builds[0], report.builds[0]
    both = old.packages is not None and new.packages is not None
    listed = base.files is not None and report.files is not None
    return Change(
        name=name,
        commit=base.job.commit if base.job else None,
        before=outline.built_size(old),
        after=outline.built_size(new),
        same_bits=_bits(old) == _bits(new),
        packages=change.packages(old.packages or (), new.packages or ()) if both else None,
        files=files.between(base.files or (), report.files or ()) if listed else None,
    )


def _bits(build: "Build") -> set[tuple[str, str]]:
    return {(artefact.name, artefact.sha256) for artefact in build.artefacts}
