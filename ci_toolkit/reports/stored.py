"""Read a report that was stored as JSON. Anybody may have written it: nothing in it is taken on trust."""

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn, TypeVar

from ci_toolkit.boot import stored as boots
from ci_toolkit.boot.outcome import Boot
from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.compare.comparison import Comparison, Side, Skipped, Verdict
from ci_toolkit.compare.difference import Content, Difference, Field, Value
from ci_toolkit.compare.finding import PATHS_SHOWN, SPANS_SHOWN, Finding
from ci_toolkit.compare.parts import PARTS_SHOWN, Disk, Part
from ci_toolkit.compare.rules.table import RULES
from ci_toolkit.errors import UnreadableError
from ci_toolkit.host.environment import Variation
from ci_toolkit.mkosi.build import Artefact, Build
from ci_toolkit.mkosi.manifest import LIMIT_PACKAGES, Package
from ci_toolkit.reports import escape
from ci_toolkit.reports.report import Converted, Failure, Report

SCHEMA: Final = 1
LIMIT_CHARACTERS: Final = 64 * 1024 * 1024

_ENTRIES: Final = 250_000
_FINDINGS: Final = 1_000
_MADE: Final = 100
_STEPS: Final = 256
_TEXT_CHARACTERS: Final = 1024 * 1024
_LARGEST: Final = 2**63
# Of a content: a damaged inode may claim all that its 64 bits can.
_LARGEST_SIZE: Final = 2**64
# Of values: flags of 64 bits, and nanoseconds where a format counts seconds in 64 bits.
_LARGEST_VALUE: Final = 2**96
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_FORMAT: Final = re.compile(r"[a-z0-9.-]{1,32}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_HINT: Final = "Give the report.json that verify or compare wrote, as it was written."
_SOURCES: Final = frozenset(rule.cause.source for rule in RULES)

_T = TypeVar("_T")


def parse(text: str, *, site: str | None = None) -> Report:
    """Return the report that TEXT, JSON of ours, holds.

    Links to the job and its artifact are kept only where they lie below SITE, an address such as
    "https://github.com/owner/name"; links to sources only where they are those of our own rules. The builds' files are
    named, but not where they lie. Raises UnreadableError with one line for anything else.
    """
    if len(text) > LIMIT_CHARACTERS:
        raise UnreadableError("the report is larger than 64 MiB", hint=_HINT)
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        why = f"line {error.lineno}, {error.msg}" if isinstance(error, json.JSONDecodeError) else "it cannot be read"
        raise UnreadableError(f"the report is no JSON: {why}", hint=_HINT) from None
    document = _Node(value=value, place="")
    _check_schema(document)
    return _report(document, site)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """A value of the document and its place there, for messages."""

    value: object
    place: str

    def member(self, name: str) -> "_Node":
        """Return the member NAME, null where it is missing."""
        return _Node(value=self.object().get(name), place=f"{self.place}.{name}" if self.place else name)

    def object(self) -> dict[str, object]:
        return self.value if isinstance(self.value, dict) else self.refuse("an object")

    def each(self, read: Callable[["_Node"], _T], limit: int = _ENTRIES) -> tuple[_T, ...]:
        """Read every entry of a list of at most LIMIT."""
        if not isinstance(self.value, list):
            self.refuse("a list")
        if len(self.value) > limit:
            self.refuse(f"a list of at most {limit:,}")
        return tuple(read(_Node(value=entry, place=f"{self.place}[{index}]")) for index, entry in enumerate(self.value))

    def text(self) -> str:
        if not isinstance(self.value, str) or len(self.value) > _TEXT_CHARACTERS:
            self.refuse("a text")
        return self.value

    def matching(self, pattern: re.Pattern[str], what: str) -> str:
        text = self.text()
        return text if pattern.fullmatch(text) else self.refuse(what)

    def integer(self, end: int = _LARGEST) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not 0 <= self.value < end:
            self.refuse("a whole number")
        return self.value

    def seconds(self) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not 0 <= self.value < 1e12:
            self.refuse("a number of seconds")
        return float(self.value)

    def flag(self) -> bool:
        return self.value if isinstance(self.value, bool) else self.refuse("true or false")

    def optional(self, read: Callable[["_Node"], _T]) -> _T | None:
        return None if self.value is None else read(self)

    def refuse(self, wanted: str) -> NoReturn:
        raise UnreadableError(f"the report is not ours: {self.place or 'it'} is not {wanted}", hint=_HINT)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _check_schema(document: _Node) -> None:
    version = document.member("schema")
    if version.value is None:
        version.refuse("there")
    if version.integer() > SCHEMA:
        raise UnreadableError(
            f"the report is of schema {version.integer()}, and this toolkit reads {SCHEMA}",
            hint="Use the version of the toolkit that wrote it, or a later one.",
        )
    if version.integer() != SCHEMA:
        version.refuse(f"{SCHEMA}")


def _report(document: _Node, site: str | None) -> Report:
    verdict = Verdict(_choice(document.member("verdict"), tuple(Verdict)))
    comparison = document.member("a").optional(lambda a: _comparison(document, a, verdict))
    if comparison is None and verdict is Verdict.DIFFERENT:
        document.member("a").refuse("there although the images differ")
    failure = document.member("failure").optional(_failure)
    if (failure is None) == (verdict is Verdict.FAILED):
        document.member("failure").refuse("there exactly where the verdict is failed")
    return Report(
        title=document.member("title").text(),
        verdict=verdict,
        comparison=comparison,
        findings=document.member("findings").each(_finding, _FINDINGS),
        explained_bytes=document.member("explained_bytes").integer(),
        builds=document.member("builds").each(_build, 16),
        variations=document.member("variations").each(_variation, 1_000),
        facts=document.member("facts").each(lambda one: (one.member("name").text(), one.member("value").text()), 1_000),
        notes=document.member("notes").each(_Node.text, 1_000),
        job=document.member("job").optional(lambda job: _job(job, site)),
        artifact_url=_link(document.member("artifact_url"), site),
        variant=document.member("variant").optional(_Node.text) or "",
        failure=failure,
        once=document.member("once").optional(_Node.flag) or False,
        formats=document.member("formats").optional(lambda found: found.each(_format, _MADE)) or (),
        boots=document.member("boots").optional(lambda found: found.each(_boot, _MADE)) or (),
    )


def _format(one: _Node) -> Converted:
    return Converted(
        format=one.member("format").matching(_FORMAT, "the name of a format"),
        seconds=one.member("seconds").seconds(),
        reason=one.member("reason").text(),
        files=one.member("files").each(_artefact),
    )


def _boot(one: _Node) -> Boot:
    return boots.read_entry(one.value, one.place)


def _failure(failure: _Node) -> Failure:
    return Failure(
        exit_code=failure.member("exit_code").integer(),
        message=failure.member("message").text(),
        hint=failure.member("hint").optional(_Node.text),
    )


def _comparison(document: _Node, a: _Node, verdict: Verdict) -> Comparison:
    return Comparison(
        verdict=verdict,
        a=_side(a),
        b=_side(document.member("b")),
        differing_bytes=document.member("differing_bytes").optional(_Node.integer),
        first_offset=document.member("first_offset").optional(_Node.integer),
        differences=document.member("differences").each(_difference),
        skipped=document.member("skipped").each(_skipped),
        truncated=document.member("truncated").flag(),
        disks=document.member("disks").optional(_disks),
    )


def _disks(disks: _Node) -> tuple[Disk, Disk]:
    found = disks.each(lambda disk: Disk(size=disk.member("size").integer(), parts=_parts(disk)), 2)
    return (found[0], found[1]) if len(found) == 2 else disks.refuse("a list of two")


def _parts(disk: _Node) -> tuple[Part, ...]:
    return disk.member("parts").each(
        lambda part: Part(
            name=_name(part.member("name")),
            format=part.member("format").text(),
            offset=part.member("offset").integer(),
            size=part.member("size").integer(),
        ),
        PARTS_SHOWN,
    )


def _side(side: _Node) -> Side:
    return Side(
        name=side.member("name").text(),
        format=side.member("format").text(),
        size=side.member("size").integer(),
        sha256=side.member("sha256").optional(_sha256),
    )


def _finding(finding: _Node) -> Finding:
    source = finding.member("source").text()
    return Finding(
        cause=finding.member("cause").text(),
        title=finding.member("title").text(),
        explanation=finding.member("explanation").text(),
        fix=finding.member("fix").text(),
        source=source if source in _SOURCES else "",
        paths=finding.member("paths").each(_Node.text, PATHS_SHOWN),
        count=finding.member("count").integer(),
        bytes=finding.member("bytes").integer(),
        consequence_of=finding.member("consequence_of").each(_Node.text, _FINDINGS),
        spans=finding.member("spans").optional(lambda spans: spans.each(_span, SPANS_SHOWN)) or (),
        members=finding.member("members").optional(lambda members: members.each(_Node.integer)) or (),
    )


def _span(span: _Node) -> tuple[int, int]:
    found = span.each(_Node.integer, 2)
    return (found[0], found[1]) if len(found) == 2 else span.refuse("an offset and a length")


def _difference(difference: _Node) -> Difference:
    return Difference(
        path=difference.member("path").each(_name, _STEPS),
        field=Field(_choice(difference.member("field"), tuple(Field))),
        name=difference.member("name").optional(_Node.text),
        container=difference.member("container").text(),
        before=_value(difference.member("before")),
        after=_value(difference.member("after")),
        opened=difference.member("opened").flag(),
        bytes=difference.member("bytes").integer(),
        first_offset=difference.member("first_offset").optional(_Node.integer),
        diffoscope=difference.member("diffoscope").optional(_Node.text),
    )


def _value(node: _Node) -> Value:
    match node.value:
        case None | bool() | str():
            return node.value
        case int() if -_LARGEST_VALUE <= node.value < _LARGEST_VALUE:
            return node.value
        case {"size": _, "sha256": _}:
            head = node.member("sample").optional(_Node.text) or ""
            return Content(
                size=node.member("size").integer(_LARGEST_SIZE),
                sha256=node.member("sha256").optional(_sha256) or "",
                head=head.encode("utf-8", "backslashreplace"),
            )
        case {"base64": _}:
            return _bytes(node.member("base64"))
        case {"name_base64": _}:
            return _name(node)
        case list() if all(isinstance(one, int) and not isinstance(one, bool) for one in node.value):
            return node.each(_number)
        case list():
            return node.each(_name)
        case _:
            return node.refuse("a value of a difference")


def _number(node: _Node) -> int:
    match node.value:
        case int() if -_LARGEST_VALUE <= node.value < _LARGEST_VALUE:
            return node.value
        case _:
            return node.refuse("a number")


def _name(node: _Node) -> str:
    """Read a name, or the bytes of one that is no UTF-8."""
    if not isinstance(node.value, dict):
        return node.text()
    return _bytes(node.member("name_base64")).decode("utf-8", "surrogateescape")


def _bytes(node: _Node) -> bytes:
    try:
        return base64.b64decode(node.text(), validate=True)
    except (binascii.Error, ValueError):
        node.refuse("base64")


def _sha256(node: _Node) -> str:
    return node.matching(_SHA256, "a SHA-256")


def _skipped(skipped: _Node) -> Skipped:
    return Skipped(path=skipped.member("path").each(_name, _STEPS), reason=skipped.member("reason").text())


def _build(build: _Node) -> Build:
    return Build(
        image=build.member("image").text(),
        directory=Path(),
        artefacts=build.member("artefacts").each(_artefact),
        seconds=build.member("seconds").seconds(),
        log=Path(build.member("log").text().replace("\0", "").rpartition("/")[2]),
        started=build.member("started").seconds(),
        packages=build.member("packages").optional(lambda found: found.each(_package, LIMIT_PACKAGES)),
    )


def _artefact(artefact: _Node) -> Artefact:
    return Artefact(
        name=artefact.member("name").text(),
        size=artefact.member("size").integer(),
        sha256=_sha256(artefact.member("sha256")),
    )


def _package(package: _Node) -> Package:
    return Package(
        name=package.member("name").text(),
        architecture=package.member("architecture").text(),
        version=package.member("version").text(),
    )


def _variation(variation: _Node) -> Variation:
    return Variation(
        name=variation.member("name").text(),
        first=variation.member("first").text(),
        second=variation.member("second").text(),
        skipped=variation.member("skipped").optional(_Node.text),
    )


def _job(job: _Node, site: str | None) -> Job:
    """Of a job only its names: what it may do is for the job that reads this to know."""
    return Job(
        provider=Provider(_choice(job.member("provider"), tuple(Provider))),
        repository=job.member("repository").optional(_Node.text),
        commit=job.member("commit").optional(lambda commit: commit.matching(_COMMIT, "a commit")),
        change=job.member("change").optional(_Node.integer),
        name=job.member("name").optional(_Node.text),
        run_url=_link(job.member("run_url"), site),
    )


def _link(node: _Node, site: str | None) -> str | None:
    link = escape.address(node.optional(_Node.text))
    return link if link is not None and site is not None and f"{link}/".startswith(f"{site.rstrip('/')}/") else None


def _choice(node: _Node, choices: tuple[str, ...]) -> str:
    text = node.text()
    return text if text in choices else node.refuse(f"one of: {', '.join(choices)}")
