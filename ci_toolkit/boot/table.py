"""The outcome for people: one table at the end, and below it what to look at."""

import io
from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ci_toolkit.boot.outcome import Boot, Check, Outcome
from ci_toolkit.console import printable

# What is shown of a list, and of the output of a check that failed, by its end.
_NAMES: Final = 10
_LINES: Final = 15


def render(outcome: Outcome, changes: Sequence[str] | None, *, width: int, colour: bool) -> str:
    """Return OUTCOME as text; CHANGES are those since a baseline, None where there was none."""
    parts: list[RenderableType] = [_table(outcome)]
    for boot in outcome.boots:
        parts += _below(boot)
    if changes is not None:
        told = changes or ("nothing but the times",)
        parts.append(_block("Changed since the baseline", [printable(line) for line in told]))
    screen = Console(
        file=io.StringIO(), width=width, force_terminal=colour, no_color=not colour, highlight=False, emoji=False,
        markup=False,
    )  # fmt: skip
    with screen.capture() as shown:
        screen.print(Group(*parts))
    return shown.get()


def _table(outcome: Outcome) -> Table:
    table = Table(title=Text(printable(outcome.image)), box=box.SIMPLE, title_justify="left")
    for heading in ("firmware", "start", "seconds", "failed units", "ports", "checks"):
        table.add_column(heading, justify="right" if heading == "seconds" else "left")
    for boot in outcome.boots:
        state = Text("up", style="green") if boot.booted else Text("failed", style="red")
        seconds = f"{boot.seconds:.1f}" if boot.sign else "–"
        passed = sum(check.passed for check in boot.checks)
        checks = f"{passed} of {len(boot.checks)} passed" if boot.checks else "–"
        style = "" if passed == len(boot.checks) else "red"
        names = (_count(boot.failed_units), _count(boot.ports))
        how = f"{boot.firmware.upper()} ({boot.accelerator})"
        table.add_row(how, state, seconds, *names, Text(checks, style=style))
    return table


def _count(names: tuple[str, ...] | None) -> str:
    return "unknown" if names is None else str(len(names))


def _below(boot: Boot) -> list[RenderableType]:
    name = boot.firmware.upper()
    lines = [("Failed", [boot.reason] if boot.reason else []), ("systemd", [boot.startup] if boot.startup else [])]
    lines += [("Failed units", _some(boot.failed_units)), ("Listening ports", _some(boot.ports))]
    lines += [("Note", list(boot.notes))]
    blocks = [_block(f"{name}: {title}", [printable(line) for line in found]) for title, found in lines if found]
    return [*blocks, *(_check(name, check) for check in boot.checks if not check.passed)]


def _some(names: tuple[str, ...] | None) -> list[str]:
    found = list(names or ())
    more = [f"and {len(found) - _NAMES} more"] if len(found) > _NAMES else []
    return [*found[:_NAMES], *more]


def _check(firmware: str, check: Check) -> RenderableType:
    told = check.reason or f"exit code {check.exit_code}"
    lines = [printable(line.rstrip("\r")) for line in check.output.splitlines()[-_LINES:]]
    return _block(f"{firmware}: check {printable(check.name)}: {printable(told)}", lines)


def _block(title: str, lines: Sequence[str]) -> RenderableType:
    return Group(Text(title, style="bold"), *(Padding(Text(line), (0, 0, 0, 2)) for line in lines))
