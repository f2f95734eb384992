"""A report for machines: JSON as `report.schema.json` has it, pure ASCII, the same text for the same report."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Final

from ci_toolkit.boot import stored as boots
from ci_toolkit.boot.outcome import Boot
from ci_toolkit.ci.job import Job
from ci_toolkit.compare.comparison import Side, Skipped
from ci_toolkit.compare.difference import Content, Difference, Field, Value
from ci_toolkit.compare.finding import Finding
from ci_toolkit.compare.parts import Disk
from ci_toolkit.host.environment import Variation
from ci_toolkit.mkosi.build import Artefact, Build
from ci_toolkit.reports import sample
from ci_toolkit.reports.report import Converted, Failure, Report
from ci_toolkit.reports.stored import SCHEMA, parse

__all__ = ["DIFFERENCES_LIMIT", "parse", "render"]

# A list that nobody could read; "truncated" says that it was cut.
DIFFERENCES_LIMIT: Final = 50_000

# Whatever JSON can hold.
Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]


def render(report: Report) -> str:
    """Return REPORT as JSON. No secret is in it: of the job only what names it."""
    comparison = report.comparison
    differences = comparison.differences if comparison else ()
    places = _listed(differences)
    document: dict[str, Plain] = {
        "schema": SCHEMA,
        "title": _text(report.title),
        "verdict": report.verdict.value,
        "a": _side(comparison.a) if comparison else None,
        "b": _side(comparison.b) if comparison else None,
        "differing_bytes": comparison.differing_bytes if comparison else 0,
        "explained_bytes": report.explained_bytes,
        "first_offset": comparison.first_offset if comparison else None,
        "truncated": comparison is not None and (comparison.truncated or len(places) < len(differences)),
        "findings": [_finding(finding, places) for finding in report.findings],
        "differences": [_difference(differences[index]) for index in places],
        "skipped": [_skipped(skipped) for skipped in comparison.skipped] if comparison else [],
        "builds": [_build(build) for build in report.builds],
        "variations": [_variation(variation) for variation in report.variations],
        "facts": [{"name": _text(name), "value": _text(value)} for name, value in report.facts],
        "notes": [_text(note) for note in report.notes],
        "job": _job(report.job) if report.job else None,
        "artifact_url": report.artifact_url,
    }
    if report.variant:
        document["variant"] = _text(report.variant)
    if report.once:
        document["once"] = True
    if report.formats:
        document["formats"] = [_format(one) for one in report.formats]
    if report.boots:
        document["boots"] = [_boot(boot) for boot in report.boots]
    if report.failure is not None:
        document["failure"] = _failure(report.failure)
    if comparison is not None and comparison.disks is not None:
        document["disks"] = [_disk(disk) for disk in comparison.disks]
    return "{\n" + ",\n".join(_members(document)) + "\n}\n"


def _members(document: Mapping[str, Plain]) -> list[str]:
    """Write each member on one line, and each entry of a list on its own, so that two reports compare line by line."""
    lines = []
    for name, member in document.items():
        if isinstance(member, list) and member:
            entries = ",\n".join(f"    {json.dumps(entry)}" for entry in member)
            lines.append(f'  "{name}": [\n{entries}\n  ]')
        else:
            lines.append(f'  "{name}": {json.dumps(member)}')
    return lines


def _listed(differences: Sequence[Difference]) -> dict[int, int]:
    """Return the places in the list by index. Of too many, times are left out first, and then the last ones."""
    if len(differences) <= DIFFERENCES_LIMIT:
        return {index: index for index in range(len(differences))}
    order = sorted(range(len(differences)), key=lambda index: differences[index].field is Field.MTIME)
    return {index: place for place, index in enumerate(sorted(order[:DIFFERENCES_LIMIT]))}


def _side(side: Side) -> Plain:
    return {"name": _text(side.name), "format": _text(side.format), "size": side.size, "sha256": side.sha256}


def _disk(disk: Disk) -> Plain:
    return {
        "size": disk.size,
        "parts": [
            {"name": _exact(part.name), "format": _text(part.format), "offset": part.offset, "size": part.size}
            for part in disk.parts
        ],
    }


def _finding(finding: Finding, places: Mapping[int, int]) -> Plain:
    found: dict[str, Plain] = {
        "cause": finding.cause,
        "title": _text(finding.title),
        "explanation": _text(finding.explanation),
        "fix": _text(finding.fix),
        "source": finding.source,
        "paths": [_text(path) for path in finding.paths],
        "count": finding.count,
        "bytes": finding.bytes,
        "consequence_of": list(finding.consequence_of),
    }
    if finding.spans:
        found["spans"] = [list(span) for span in finding.spans]
    if members := [places[index] for index in finding.members if index in places]:
        found["members"] = [*members]
    return found


def _difference(difference: Difference) -> Plain:
    lines = sample.lines(difference)
    before, after = lines or (None, None)
    found: dict[str, Plain] = {
        "path": [_exact(step) for step in difference.path],
        "field": difference.field.value,
        "name": None if difference.name is None else _text(difference.name),
        "container": _text(difference.container),
        "before": _value(difference.before, before),
        "after": _value(difference.after, after),
        "opened": difference.opened,
        "bytes": difference.bytes,
        "first_offset": difference.first_offset,
    }
    return found if difference.diffoscope is None else found | {"diffoscope": _text(difference.diffoscope)}


def _value(value: Value, line: str | None) -> Plain:
    match value:
        case Content():
            content: dict[str, Plain] = {"size": value.size, "sha256": value.sha256 or None}
            return content if line is None else content | {"sample": line}
        case bytes():
            return {"base64": base64.b64encode(value).decode("ascii")}
        case tuple():
            return [_exact(part) if isinstance(part, str) else part for part in value]
        case str():
            return _exact(value)
        case _:
            return value


def _exact(text: str) -> Plain:
    """A name that is no UTF-8 is no JSON string either: its bytes, marked as a name's."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "surrogateescape" if _is_escaped(text) else "surrogatepass")
        return {"name_base64": base64.b64encode(raw).decode("ascii")}
    return text


def _is_escaped(text: str) -> bool:
    return all(0xDC80 <= ord(character) <= 0xDCFF for character in text if 0xD800 <= ord(character) <= 0xDFFF)


def _text(text: str) -> str:
    """A text for people, with bytes that were no UTF-8 written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode() if not text.isascii() else text


def _skipped(skipped: Skipped) -> Plain:
    return {"path": [_exact(step) for step in skipped.path], "reason": _text(skipped.reason)}


def _build(build: Build) -> Plain:
    found: dict[str, Plain] = {
        "image": _text(build.image),
        "seconds": round(build.seconds, 3),
        "started": round(build.started, 3),
        "log": _text(build.log.name),
        "artefacts": [_artefact(one) for one in build.artefacts],
    }
    if build.packages is not None:
        found["packages"] = [
            {"name": _text(one.name), "version": _text(one.version), "architecture": _text(one.architecture)}
            for one in build.packages
        ]
    return found


def _artefact(artefact: Artefact) -> Plain:
    return {"name": _text(artefact.name), "size": artefact.size, "sha256": artefact.sha256}


def _format(one: Converted) -> Plain:
    return {
        "format": one.format,
        "seconds": round(one.seconds, 3),
        "reason": _text(one.reason),
        "files": [_artefact(file) for file in one.files],
    }


def _boot(boot: Boot) -> Plain:
    plain: Plain = json.loads(json.dumps(boots.entry(boot)))
    return plain


def _failure(failure: Failure) -> Plain:
    hint = None if failure.hint is None else _text(failure.hint)
    return {"exit_code": failure.exit_code, "message": _text(failure.message), "hint": hint}


def _variation(variation: Variation) -> Plain:
    return {
        "name": _text(variation.name),
        "first": _text(variation.first),
        "second": _text(variation.second),
        "skipped": None if variation.skipped is None else _text(variation.skipped),
    }


def _job(job: Job) -> Plain:
    return {
        "provider": job.provider.value,
        "repository": job.repository,
        "commit": job.commit,
        "change": job.change,
        "name": job.name,
        "run_url": job.run_url,
    }
