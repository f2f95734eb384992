"""`ci-toolkit matrix`: what there is to build, for a CI that makes a job of each."""

from pathlib import Path

import click

from ci_toolkit.cli.options import Building, console_of, environ_of, from_settings, wishes


@click.command(name="matrix", cls=Building)
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@from_settings("profile", "runner")
@click.option(
    "--for",
    "system",
    type=click.Choice(("github", "gitlab")),
    help="A matrix for GitHub's jobs, or a child pipeline for GitLab [a list to read].",
)
@click.option("--architecture", metavar="LIST", help="Ask for each of these, joined by commas [as mkosi.conf has it].")
@click.option(
    "--templates", metavar="PLACE", help="Where verify.yml and report.yml are for GitLab: an address, or /PATH."
)
@click.pass_obj
def command(
    obj: dict[str, object],
    /,
    directory: Path | None,
    system: str | None,
    architecture: str | None,
    templates: str | None,
    mkosi_arguments: tuple[str, ...],
    **given: str | None,
) -> None:
    """List every image that DIRECTORY, or a directory in it, defines, by profile; what follows "--" goes to mkosi."""
    from ci_toolkit import survey
    from ci_toolkit.reports import matrix

    environ, console = environ_of(obj), console_of(obj)
    asked = wishes(directory, given, mkosi_arguments, environ)
    architectures = tuple(name.strip() for name in (architecture or "").split(",") if name.strip())
    rows = survey.survey(asked, architectures, environ, console)
    match system:
        case "github":
            console.result(matrix.for_github(rows))
        case "gitlab":
            console.result(matrix.for_gitlab(rows, (templates or matrix.TEMPLATES).rstrip("/")))
        case _:
            console.result(matrix.lines(rows))
