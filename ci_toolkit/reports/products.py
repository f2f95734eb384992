"""What was made of an image that came out as it should: the formats it was converted to, and how it started."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ci_toolkit.reports import outline
from ci_toolkit.reports.blocks import fold, rows
from ci_toolkit.reports.escape import code, fenced, prose
from ci_toolkit.reports.outline import counted
from ci_toolkit.reports.report import Converted, Report

if TYPE_CHECKING:
    from ci_toolkit.boot.outcome import Boot, Check

_FILES: Final = 6
_ROWS: Final = 40
_UNITS: Final = 8
_CHECKS: Final = 5
_LINES: Final = 20
_SHORT: Final = 300


def formats(report: Report) -> str:
    """Return a table of the formats of REPORT; "" where none was asked for."""
    if not report.formats:
        return ""
    return rows(("format", "file", "size", "SHA-256"), map(_format, report.formats[:_ROWS]), right=(2,))


def starts(report: Report) -> str:
    """Return a table of how the image of REPORT started, and below it what failed; "" where nobody started it."""
    if not report.boots:
        return ""
    head = ("started with", "came up after", "failed units", "checks")
    table = rows(head, map(_start, report.boots[:_ROWS]), right=(1,))
    return "\n\n".join([table, *(part for boot in report.boots[:_ROWS] for part in _below(boot))])


def came_up(boot: "Boot") -> str:
    """Return after how long BOOT was up, or that it was not. Nothing in it is foreign."""
    return f"✅ {outline.duration(boot.seconds)}" if boot.booted else "❌ never"


def checks(boot: "Boot") -> str:
    """Return how many of the checks of BOOT passed; "" where it had none."""
    passed = sum(check.passed for check in boot.checks)
    mark = "✅" if passed == len(boot.checks) else "❌"
    return f"{mark} {passed} of {len(boot.checks)}" if boot.checks else ""


def how_ended(check: "Check") -> str:
    """Return how CHECK, which failed, ended; not yet safe to show."""
    return check.reason or f"exit code {check.exit_code}"


def _format(one: Converted) -> tuple[str, ...]:
    if one.reason:
        return one.format, f"❌ {prose(one.reason, _SHORT)}", "–", "–"
    files = [(code(file.name), code(f"{file.sha256[:12]}") + "…") for file in one.files[:_FILES]]
    names, digests = ("<br>".join(column) for column in zip(*files, strict=True)) if files else ("–", "–")
    left = len(one.files) - _FILES
    more = f"<br>and {counted(left, 'more file')}" if left > 0 else ""
    return one.format, names + more, outline.size(one.size).replace(" ", "\N{NO-BREAK SPACE}"), digests


def _start(boot: "Boot") -> tuple[str, ...]:
    how = f"{outline.firmware(boot)}, emulated" if boot.accelerator == "tcg" else outline.firmware(boot)
    units = _units(boot.failed_units) if boot.booted else "–"
    return how, came_up(boot), units, checks(boot) or "–"


def _units(names: tuple[str, ...] | None) -> str:
    if names is None:
        return "not known"
    shown = ", ".join(code(name) for name in names[:_UNITS])
    more = f" and {len(names) - _UNITS} more" if len(names) > _UNITS else ""
    return f"{shown}{more}" or "none"


def _below(boot: "Boot") -> Iterable[str]:
    """Why it did not come up, and the last that each check said which failed, folded away."""
    if not boot.booted:
        yield f"**{outline.firmware(boot)}**: {prose(boot.reason, _SHORT)}"
    failed = [check for check in boot.checks if not check.passed] if boot.booted else []
    for check in failed[:_CHECKS]:
        told = f"**{outline.firmware(boot)}**, check {code(check.name)}: {prose(how_ended(check), _SHORT)}"
        words = "\n".join(check.output.splitlines()[-_LINES:])
        yield f"{told}\n\n{fold('The last it said', fenced(words))}" if words else told
    if len(failed) > _CHECKS:
        yield f"and {counted(len(failed) - _CHECKS, 'more check')}"
