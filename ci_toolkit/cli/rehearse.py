"""`--dry-run` of build and verify: what would be done, without doing it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from ci_toolkit import settings
from ci_toolkit.ci import token as tokens
from ci_toolkit.ci.detect import detect
from ci_toolkit.console import Console
from ci_toolkit.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from ci_toolkit.site import Wishes


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --dry-run and --json."""
    dry = click.option(
        "--dry-run",
        is_flag=True,
        help="Tell what would be done, and build nothing; the exit code is that of the start.",
    )
    return dry(click.option("--json", "as_json", is_flag=True, help="With --dry-run: write JSON.")(function))


def check(*, dry_run: bool, as_json: bool) -> None:
    """Raise UsageError where JSON is asked for of a build."""
    if as_json and not dry_run:
        raise UsageError("--json is only of --dry-run", hint="The report of a verification is report.json.")


def rehearse(wishes: "Wishes", environ: Mapping[str, str], console: Console, *, twice: bool, as_json: bool) -> int:
    """Tell what WISHES lead to, TWICE for a verification. Raises what keeps a build from being started."""
    from ci_toolkit import rehearsal
    from ci_toolkit.reports import rehearsal as report

    found = rehearsal.rehearse(wishes, environ, console, twice=twice)
    comment = _comment(environ) if twice else "none: a single build writes no comment"
    console.result(report.to_json(found, comment) if as_json else report.to_text(found, comment))
    return ExitCode.FINE


def _comment(environ: Mapping[str, str]) -> str:
    """Return where `ci-toolkit action` would put the comment, or why nowhere."""
    from ci_toolkit.forges import deliver

    job = detect(environ)
    if settings.value("comment", environ) == "false":
        return "none: comment is false"
    why = deliver.why_not(job, tokens.find(job.provider, environ))
    if why is not None:
        return f"none: {why.reason}"
    number = f"number {job.change}" if job.change is not None else "the change whose head was built"
    return f"{job.provider.value}, {job.repository}, {number}"
