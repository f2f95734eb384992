"""What became of starting an image: one record for each firmware, with its checks."""

from dataclasses import dataclass
from enum import StrEnum

from ci_toolkit.errors import ExitCode


class Verdict(StrEnum):
    """Whether the image started with every firmware, and every check passed."""

    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check: `exit_code` is None where it did not end, and `reason` says then why. The output is foreign."""

    name: str
    exit_code: int | None
    output: str = ""
    reason: str = ""

    @property
    def passed(self) -> bool:
        return self.exit_code == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """One start with one firmware.

    `reason` says why it did not come up, "" where it did; `sign` by what that was seen and `seconds` after how long.
    What the guest told: systemd's `state` and words on its `startup`, failed units and listening ports; None where it
    told nothing. `files` are the names of what is kept in the output directory. `notes` are for the reader.
    """

    firmware: str
    accelerator: str
    reason: str = ""
    sign: str = ""
    seconds: float = 0.0
    state: str | None = None
    startup: str | None = None
    failed_units: tuple[str, ...] | None = None
    ports: tuple[str, ...] | None = None
    checks: tuple[Check, ...] = ()
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def booted(self) -> bool:
        return not self.reason

    @property
    def passed(self) -> bool:
        return self.booted and all(check.passed for check in self.checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All starts of one image."""

    image: str
    boots: tuple[Boot, ...]

    @property
    def verdict(self) -> Verdict:
        return Verdict.PASSED if all(boot.passed for boot in self.boots) else Verdict.FAILED

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.FINE if self.verdict is Verdict.PASSED else ExitCode.POLICY
