"""`ci-toolkit build`: one build, with the host kept out of it."""

from pathlib import Path

import click

from ci_toolkit.cli import baselines, deliver
from ci_toolkit.cli.options import Building, console_of, environ_of, from_settings, wishes


@click.command(name="build", cls=Building)
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@from_settings("profile", "runner", "output", "cache", "time-limit", "log", "baseline")
@click.pass_obj
def command(
    obj: dict[str, object], /, directory: Path | None, mkosi_arguments: tuple[str, ...], **given: str | None
) -> None:
    """Build the image that DIRECTORY defines, once; what follows "--" goes to mkosi."""
    from ci_toolkit import pipeline, settings

    environ, console = environ_of(obj), console_of(obj)
    asked = wishes(directory, given, mkosi_arguments, environ)
    base = given.get("baseline") or settings.value("baseline", environ)
    (report,) = baselines.apply([pipeline.build(asked, environ, console)], base, console)
    deliver.write(report, asked.output)
    for note in report.notes:
        console.warn(note)
    (build,) = report.builds
    for artefact in build.artefacts:
        console.result(f"{artefact.sha256}  {build.directory / artefact.name}")
