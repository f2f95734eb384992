"""`ci-toolkit shell`: a shell where the build runs, to see why it fails."""

import sys
from pathlib import Path

import click

from ci_toolkit.ci.detect import detect
from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.cli.options import Building, console_of, environ_of, from_settings, wishes
from ci_toolkit.errors import UsageError


@click.command(name="shell", cls=Building)
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@from_settings("profile", "runner", "output", "cache")
@click.pass_obj
def command(
    obj: dict[str, object], /, directory: Path | None, mkosi_arguments: tuple[str, ...], **given: str | None
) -> int:
    """Open a shell where the image that DIRECTORY defines would be built, and build it there by hand.

    What follows "--" goes to mkosi. The exit code is that of the shell.
    """
    from ci_toolkit import shell

    environ, console = environ_of(obj), console_of(obj)
    check(detect(environ), is_terminal=sys.stdin.isatty() and sys.stdout.isatty())
    return shell.enter(wishes(directory, given, mkosi_arguments, environ), environ, console)


def check(job: Job, *, is_terminal: bool) -> None:
    """Raise UsageError where nobody sits at the other end: in a job of a CI, and without a terminal."""
    if job.provider is not Provider.LOCAL:
        raise UsageError(
            "there is no shell in a job of a CI system: nobody could type into it, and the job would wait for that",
            hint="Call it on your own machine, at the commit that failed: it is the same place. What the job saw is in "
            "the logs that it left, and whole with `log: full`.",
        )
    if not is_terminal:
        raise UsageError("there is no terminal here", hint="Call it from one, not through a pipe.")
