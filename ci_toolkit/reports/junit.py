"""A report as JUnit XML: each image and each partition is a test, which fails where two builds of it differ.

So is each format it was converted to, each start, and each check that was run then.

GitLab shows it in the merge request (https://docs.gitlab.com/ci/testing/unit_test_reports/), Jenkins and others do too.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree

from ci_toolkit.boot import junit as boots
from ci_toolkit.boot.outcome import Outcome
from ci_toolkit.compare.comparison import Comparison, Verdict
from ci_toolkit.compare.difference import Difference, display
from ci_toolkit.compare.parts import Part
from ci_toolkit.mkosi.build import Build
from ci_toolkit.reports.report import Report

# What XML 1.0 cannot hold, not even as a reference (https://www.w3.org/TR/xml/#charsets); a surrogate is half of a
# character.
_FORBIDDEN: Final = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXT_CHARACTERS: Final = 4000
_PATHS_SHOWN: Final = 20
_CASES: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One test: its name, and what failed; "" where nothing did."""

    name: str
    message: str = ""
    details: str = ""


def render(report: Report) -> str:
    """Return REPORT as JUnit XML, of at most 1,000 tests."""
    cases = [*_images(report), *_partitions(report), *_formats(report)][:_CASES]
    failures = sum(bool(case.message) for case in cases)
    seconds = f"{sum(build.seconds for build in report.builds):.3f}"
    counts = {"tests": str(len(cases)), "failures": str(failures), "errors": "0", "time": seconds}
    root = ElementTree.Element("testsuites", {"name": "ci-toolkit", **counts})
    suite = ElementTree.SubElement(root, "testsuite", {"name": _plain(_named(report)), **counts, "skipped": "0"})
    for case in cases:
        element = ElementTree.SubElement(
            suite, "testcase", {"classname": _plain(_named(report)), "name": _plain(case.name), "time": "0"}
        )
        if case.message:
            failure = ElementTree.SubElement(
                element, "failure", {"message": _plain(case.message), "type": "difference"}
            )
            failure.text = _plain(case.details)
    starts = boots.suites(Outcome(image=_plain(_named(report)), boots=report.boots))
    root.extend(starts)
    for name, count in (("tests", len(cases)), ("failures", failures)):
        root.set(name, str(count + sum(int(one.get(name, "0")) for one in starts)))
    ElementTree.indent(root)
    text = _FORBIDDEN.sub("\ufffd", ElementTree.tostring(root, encoding="unicode"))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _images(report: Report) -> Iterator[_Case]:
    """A test for each file that was built, or for the image as a whole where nothing was built here, or could be."""
    if report.failure is not None:
        said = report.failure.message
        yield _Case(
            name=_named(report), message=said.partition("\n")[0], details=f"{said}\n{report.failure.hint or ''}"
        )
        return
    if len(report.builds) < 2:
        different = report.verdict is Verdict.DIFFERENT
        yield _Case(name=_named(report), message="the two differ" if different else "", details=_causes(report))
        return
    first, second = (_digests(build) for build in report.builds[:2])
    for name in sorted(first | second):
        before, after = first.get(name), second.get(name)
        if before == after:
            yield _Case(name=name)
        elif before is None or after is None:
            yield _Case(name=name, message=f"only the {'second' if before is None else 'first'} build left it")
        else:
            yield _Case(name=name, message=f"{before} and {after}", details=_causes(report))


def _formats(report: Report) -> Iterator[_Case]:
    """A test for each format that was asked for."""
    for one in report.formats:
        yield _Case(name=f"converted to {one.format}", message=one.reason)


def _named(report: Report) -> str:
    return f"{report.title} ({report.variant})" if report.variant else report.title


def _partitions(report: Report) -> Iterator[_Case]:
    """A test for each partition of the image that was compared."""
    comparison = report.comparison
    if comparison is None or comparison.disks is None:
        return
    parts: dict[str, Part] = {part.name: part for disk in comparison.disks for part in disk.parts if part.name}
    for name, part in parts.items():
        found = [one for one in comparison.differences if one.path[:1] == (name,)]
        message = f"{len(found)} difference{'' if len(found) == 1 else 's'}" if found else ""
        yield _Case(
            name=f"{_image(report, comparison)} › {name} ({part.format})", message=message, details=_places(found)
        )


def _image(report: Report, comparison: Comparison) -> str:
    return report.builds[0].image if report.builds else comparison.a.name


def _digests(build: Build) -> dict[str, str]:
    return {artefact.name: artefact.sha256 for artefact in build.artefacts}


def _causes(report: Report) -> str:
    return "\n".join(
        f"{finding.title}: {finding.fix}" if finding.fix else finding.title
        for finding in report.findings
        if not finding.consequence_of
    )


def _places(differences: Iterable[Difference]) -> str:
    """The places that differ, each once, the first of them."""
    places = list(dict.fromkeys(display(one.path) for one in differences))
    more = [f"and {len(places) - _PATHS_SHOWN} more"] if len(places) > _PATHS_SHOWN else []
    return "\n".join([*places[:_PATHS_SHOWN], *more])


def _plain(text: str) -> str:
    """Return TEXT as XML can hold it, cut where it is longer than anybody reads."""
    safe = _FORBIDDEN.sub("\ufffd", text.replace("\r", "\n"))
    return safe if len(safe) <= _TEXT_CHARACTERS else f"{safe[: _TEXT_CHARACTERS - 1]}…"
