"""`ci-toolkit build`: one build, with the host kept out of it."""

from pathlib import Path

import click

from ci_toolkit.cli import rehearse
from ci_toolkit.cli.options import Building, console_of, environ_of, from_settings, wishes
from ci_toolkit.errors import ExitCode


@click.command(name="build", cls=Building)
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@from_settings("profile", "runner", "output", "cache", "time-limit", "log")
@rehearse.options
@click.pass_obj
def command(
    obj: dict[str, object],
    /,
    directory: Path | None,
    dry_run: bool,
    as_json: bool,
    mkosi_arguments: tuple[str, ...],
    **given: str | None,
) -> int:
    """Build the image that DIRECTORY defines, once; what follows "--" goes to mkosi."""
    from ci_toolkit import pipeline

    rehearse.check(dry_run=dry_run, as_json=as_json)
    environ, console = environ_of(obj), console_of(obj)
    asked = wishes(directory, given, mkosi_arguments, environ)
    if dry_run:
        return rehearse.rehearse(asked, environ, console, twice=False, as_json=as_json)
    report = pipeline.build(asked, environ, console)
    for note in report.notes:
        console.warn(note)
    (build,) = report.builds
    for artefact in build.artefacts:
        console.result(f"{artefact.sha256}  {build.directory / artefact.name}")
    return ExitCode.FINE
