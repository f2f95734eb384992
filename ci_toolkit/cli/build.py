"""`ci-toolkit build`: one build, with the host kept out of it."""

from pathlib import Path

import click

from ci_toolkit.cli import baselines, deliver, rehearse
from ci_toolkit.cli.options import Building, console_of, environ_of, from_settings, wishes
from ci_toolkit.errors import ExitCode


@click.command(name="build", cls=Building)
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@from_settings("profile", "runner", "output", "cache", "time-limit", "log", "baseline")
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
    from ci_toolkit import pipeline, settings

    rehearse.check(dry_run=dry_run, as_json=as_json)
    environ, console = environ_of(obj), console_of(obj)
    asked = wishes(directory, given, mkosi_arguments, environ)
    if dry_run:
        return rehearse.rehearse(asked, environ, console, twice=False, as_json=as_json)
    base = given.get("baseline") or settings.value("baseline", environ)
    (report,) = baselines.apply([pipeline.build(asked, environ, console)], base, console)
    deliver.write(report, asked.output)
    for note in report.notes:
        console.warn(note)
    (build,) = report.builds
    for artefact in build.artefacts:
        console.result(f"{artefact.sha256}  {build.directory / artefact.name}")
    return ExitCode.FINE
