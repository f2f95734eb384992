"""What every renderer tells, and in which order: the headline, the counts, each finding under its cause."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from ci_toolkit.compare.comparison import Comparison, Verdict
from ci_toolkit.compare.difference import display
from ci_toolkit.compare.explain import UNKNOWN
from ci_toolkit.compare.finding import Finding
from ci_toolkit.reports.report import Report

if TYPE_CHECKING:
    from ci_toolkit.boot.outcome import Boot
    from ci_toolkit.mkosi.build import Artefact, Build

ORDINALS: Final = ("first", "second", "third", "fourth")
# How a fix names the file that its next lines belong into, where that is not mkosi.conf.
_PLACE: Final = "# in "
_LINES_IN_SHORT: Final = 2
_FIRMWARE: Final = {"bios": "BIOS", "uefi": "UEFI", "secure-boot": "Secure Boot"}
NOTHING_KNOWN: Final = "No rule recognises these differences; each is listed with where it begins."


class Outcome(StrEnum):
    """What a report tells."""

    REPRODUCIBLE = "reproducible"
    NOT_REPRODUCIBLE = "not reproducible"
    IDENTICAL = "identical"
    DIFFERENT = "different"
    BUILT = "built"
    FAILED = "failed"

    @property
    def good(self) -> bool:
        return self in (Outcome.REPRODUCIBLE, Outcome.IDENTICAL, Outcome.BUILT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A finding in its own right, and those that only follow from it, in the order to read them."""

    finding: Finding
    consequences: tuple[Finding, ...] = ()


def outcome(report: Report) -> Outcome:
    """Return what REPORT tells: of two given images, of one build, of several, or of one that failed."""
    if report.verdict is Verdict.FAILED:
        return Outcome.FAILED
    identical = report.verdict is Verdict.IDENTICAL
    match len(report.builds):
        case 0:
            return Outcome.IDENTICAL if identical else Outcome.DIFFERENT
        case 1 if identical:
            return Outcome.BUILT
        case _:
            return Outcome.REPRODUCIBLE if identical else Outcome.NOT_REPRODUCIBLE


def good(report: Report) -> bool:
    """Tell whether REPORT is as it should be: its verdict, its formats, and how it started."""
    return outcome(report).good and not troubles(report)


def troubles(report: Report) -> tuple[str, ...]:
    """Return what went wrong with an image that was built well, in a few words each. Nothing in it is foreign."""
    missing = [one.format for one in report.formats if one.reason]
    down = [firmware(boot) for boot in report.boots if not boot.booted]
    failed = [firmware(boot) for boot in report.boots if boot.booted and not boot.passed]
    told = (
        ("it was not converted to", missing),
        ("it did not start with", down),
        ("a check failed with", failed),
    )
    return tuple(f"{words} {', '.join(names)}" for words, names in told if names)


def but(words: str, report: Report) -> str:
    """Return WORDS, and what went wrong later."""
    found = " and ".join(troubles(report))
    return f"{words}, but {found}" if found else words


def firmware(boot: "Boot") -> str:
    """Return the name of what started the image, as people know it."""
    return _FIRMWARE.get(boot.firmware, boot.firmware.upper())


def headline(report: Report) -> str:
    """Return the verdict in plain words. Nothing foreign is in it but a digest."""
    return but(_headline(report), report)


def _headline(report: Report) -> str:
    told = outcome(report)
    match told:
        case Outcome.BUILT:
            return f"Built: {_bits(report.builds[0])}"
        case Outcome.REPRODUCIBLE:
            return f"Reproducible: {_count_of_builds(report)}, {_bits(report.builds[0], shared=True)}"
        case Outcome.IDENTICAL:
            return f"Identical: {_same_sides(report.comparison)}"
        case Outcome.NOT_REPRODUCIBLE | Outcome.DIFFERENT:
            word = "Not reproducible" if told is Outcome.NOT_REPRODUCIBLE else "Different"
            return f"{word}: {summary(report)}"
        case Outcome.FAILED:
            return f"Not built: exit code {report.failure.exit_code if report.failure else 0}"
        case _:
            assert_never(told)


def groups(findings: Sequence[Finding]) -> tuple[Group, ...]:
    """Put each finding that only follows from others under the first of its causes; what is unknown comes last.

    Every finding is in exactly one group, also where a stored report names causes that it does not hold.
    """
    first_with: dict[str, int] = {}
    for index, finding in enumerate(findings):
        if not finding.consequence_of:
            first_with.setdefault(finding.cause, index)
    below: defaultdict[int, list[Finding]] = defaultdict(list)
    roots: list[int] = []
    for index, finding in enumerate(findings):
        home = next((first_with[cause] for cause in finding.consequence_of if cause in first_with), None)
        if home is None:
            roots.append(index)
        else:
            below[home].append(finding)
    roots.sort(key=lambda index: is_unknown(findings[index]))
    return tuple(Group(finding=findings[index], consequences=tuple(below[index])) for index in roots)


def other_causes(finding: Finding, under: Finding, titles: Mapping[str, str]) -> tuple[str, ...]:
    """Return the titles of what FINDING follows from besides the cause that it is shown under."""
    return tuple(titles.get(cause, cause) for cause in finding.consequence_of if cause != under.cause)


def is_unknown(finding: Finding) -> bool:
    return finding.cause == UNKNOWN.identifier


def explanation(finding: Finding) -> str:
    """Return why; of the unknown only that it is, since its places are listed anyway."""
    return NOTHING_KNOWN if is_unknown(finding) else finding.explanation


def fix_is_code(fix: str) -> bool:
    """Tell whether FIX has lines to copy; one without a section or a comment is a sentence of advice."""
    return any(line.startswith(("[", "#")) for line in fix.splitlines())


def fix_parts(fix: str) -> tuple[str, tuple[str, ...]]:
    """Return the lines of FIX to copy, with the comments that name their file, and what it only remarks, as sentences.

    A FIX that is not code is one of remarks alone.
    """
    lines = [line for line in fix.splitlines() if line.strip()]
    if not fix_is_code(fix):
        return "", tuple(lines)
    remarks = [line for line in lines if line.startswith("#") and not line.startswith(_PLACE)]
    return "\n".join(line for line in lines if line not in remarks), tuple(line.lstrip("# ") for line in remarks)


def fix_in_short(fix: str) -> tuple[tuple[str, ...], int]:
    """Return the first lines of FIX that do something, without their sections and comments, and how many are left out.

    No line where FIX is advice alone.
    """
    lines = [line for line in fix_parts(fix)[0].splitlines() if not line.startswith(("[", "#"))]
    shown = tuple(line.partition("  # ")[0] for line in lines[:_LINES_IN_SHORT])
    return shown, len(lines) - len(shown)


def advice_in_short(fix: str) -> str:
    """Return the first thing that FIX advises in words, "" where it is lines to copy or nothing."""
    lines, remarks = fix_parts(fix)
    return remarks[0] if remarks and not lines else ""


def joined_fix(found: Sequence[Group]) -> str:
    """Return the lines of all fixes together, each once under its file and section; "" where fewer than two have any.

    What a fix only remarks is left out; the comment that names another file than mkosi.conf stays.
    """
    fixes = [group.finding.fix for group in found if fix_is_code(group.finding.fix)]
    places: dict[tuple[str, str], dict[str, None]] = {}
    for fix in fixes:
        file = section = ""
        for line in fix.splitlines():
            if line.startswith(_PLACE):
                file, section = line, ""
            elif line.startswith("["):
                section = line
            elif line.strip() and not line.startswith("#"):
                places.setdefault((file, section), {})[line] = None
    lines: list[str] = []
    file = ""
    for (place, section), wanted in sorted(places.items(), key=lambda item: item[0]):
        lines += [place] if place != file else []
        lines += [section] if section else []
        lines += wanted
        file = place
    return "\n".join(lines) if len(fixes) > 1 else ""


def extent(finding: Finding) -> str:
    """Return how much FINDING explains."""
    paths = counted(finding.count, "path")
    return f"{paths}, {counted(finding.bytes, 'byte')}" if finding.bytes else paths


def said_by_diffoscope(report: Report) -> tuple[tuple[str, str], ...]:
    """Return (shown path, text) of what diffoscope was asked for. Neither is safe to show yet."""
    differences = report.comparison.differences if report.comparison else ()
    return tuple((display(one.path), one.diffoscope) for one in differences if one.diffoscope)


def main_artefact(build: "Build") -> "Artefact | None":
    """Return the image of BUILD; None where it is a directory."""
    return next((artefact for artefact in build.artefacts if artefact.name == build.image), None)


def built_size(build: "Build") -> int:
    """Return the size of the image of BUILD in bytes, of all its files where it is a directory."""
    main = main_artefact(build)
    return main.size if main else sum(artefact.size for artefact in build.artefacts)


def differing_artefacts(builds: "Sequence[Build]") -> tuple[str, ...]:
    """Return the names of what came out differently, sorted."""
    sets = [{(one.name, one.sha256) for one in build.artefacts} for build in builds]
    return tuple(sorted({name for one in sets for other in sets for name, _ in one - other}))


def coverage(report: Report) -> str | None:
    """Return how much of what differs has a cause, or None where bytes were not counted."""
    total = report.comparison.differing_bytes if report.comparison else None
    if not total:
        return None
    explained = min(report.explained_bytes, total)
    return f"{_percent(explained, total)} of {counted(total, 'differing byte')} explained"


def ordinal(index: int) -> str:
    return ORDINALS[index] if index < len(ORDINALS) else f"{index + 1}th"


def counted(number: int, noun: str) -> str:
    """Return NUMBER with NOUN in the right form: "1 path", "1,204 paths"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size(number: int) -> str:
    """Return NUMBER of bytes as people read it, in powers of 1000."""
    amount = float(number)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 99.95 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"


def duration(seconds: float) -> str:
    """Return SECONDS as people read them."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s" if seconds >= 9.95 else f"{seconds:.1f} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02d} s"


def _percent(part: int, total: int) -> str:
    """Never "100 %" of a part, never "0 %" of something."""
    if part in (0, total):
        return "all" if part else "none"
    return f"{min(max(part / total * 100, 0.1), 99.9):.3g} %"


def summary(report: Report) -> str:
    """Return how many differences there are, and causes."""
    if not report.findings:
        return _nothing_found(report.comparison)
    parts = []
    if report.comparison is not None and report.comparison.differences:
        number = counted(len(report.comparison.differences), "difference")
        parts.append(f"at least {number}" if report.comparison.truncated else number)
    return ", ".join([*parts, *counted_causes(report)])


def counted_causes(report: Report) -> tuple[str, ...]:
    """Return how many causes are known, and how many paths have none; nothing where nothing was found."""
    if not report.findings:
        return ()
    causes = {finding.cause for finding in report.findings if not finding.consequence_of and not is_unknown(finding)}
    unexplained = sum(finding.count for finding in report.findings if is_unknown(finding))
    return (counted(len(causes), "cause"), *([f"{unexplained:,} unexplained"] if unexplained else []))


def _nothing_found(comparison: Comparison | None) -> str:
    if comparison is None or comparison.first_offset is None:
        return "nothing was found that tells why"
    differing = f"{counted(comparison.differing_bytes, 'byte')}, " if comparison.differing_bytes else ""
    return f"{differing}the first at offset {comparison.first_offset:,}; nothing was found that tells why"


def _count_of_builds(report: Report) -> str:
    number = len(report.builds)
    return "two builds" if number == 2 else f"{number} builds"


def _bits(build: "Build", *, shared: bool = False) -> str:
    main = main_artefact(build)
    if main is not None:
        return f"one SHA-256 {main.sha256}" if shared else f"SHA-256 {main.sha256}"
    files = counted(len(build.artefacts), "file")
    return f"the same {files}" if shared else files


def _same_sides(comparison: Comparison | None) -> str:
    if comparison is None or comparison.differing_bytes is None:
        return "no difference was found"
    if comparison.a.sha256 is None:
        return f"the same {counted(comparison.a.size, 'byte')}"
    return f"both have SHA-256 {comparison.a.sha256}"
