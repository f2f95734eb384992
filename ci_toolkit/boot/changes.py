"""What is new or gone since a baseline: failed units, listening ports, and how long the start took."""

from collections.abc import Iterator
from typing import Final

from ci_toolkit.boot.outcome import Boot, Outcome

# Starts differ by so much on a machine that does other things as well.
_SLOWER: Final = 1.25


def changes(before: Outcome, after: Outcome) -> tuple[str, ...]:
    """Return one line for each change between two outcomes; the names in them are foreign."""
    old = {boot.firmware: boot for boot in before.boots}
    lines: list[str] = []
    for boot in after.boots:
        if boot.firmware in old:
            lines += (f"{boot.firmware.upper()}: {line}" for line in _boot(old[boot.firmware], boot))
    return tuple(lines)


def _boot(old: Boot, new: Boot) -> Iterator[str]:
    if old.booted != new.booted:
        yield "comes up now, and did not before" if new.booted else "does not come up any more"
    yield from _names("failed unit", old.failed_units, new.failed_units)
    yield from _names("listening port", old.ports, new.ports)
    # Times compare where the same was waited for, on the same kind of processor.
    if old.booted and new.booted and (old.accelerator, old.sign) == (new.accelerator, new.sign) and old.seconds > 0:
        factor = new.seconds / old.seconds
        if not 1 / _SLOWER <= factor <= _SLOWER:
            yield f"{'slower' if factor > 1 else 'faster'}: {old.seconds:.1f} s before, {new.seconds:.1f} s now"
    passed = {check.name for check in old.checks if check.passed}
    for check in new.checks:
        if check.name in passed and not check.passed:
            yield f"the check {check.name} passed before"


def _names(what: str, old: tuple[str, ...] | None, new: tuple[str, ...] | None) -> Iterator[str]:
    if old is None or new is None:
        return
    yield from (f"new {what}: {name}" for name in new if name not in old)
    yield from (f"no {what} any more: {name}" for name in old if name not in new)
