"""`ci-toolkit comment`: put reports on the pull or merge request, once, and keep them up to date."""

from pathlib import Path

import click

from ci_toolkit import settings
from ci_toolkit.ci.detect import detect
from ci_toolkit.cli import baselines, post, reading
from ci_toolkit.cli.options import console_of, environ_of, from_settings


@click.command(name="comment")
@click.argument("places", metavar="REPORT...", type=click.Path(path_type=Path), nargs=-1, required=True)
@from_settings("baseline", "comment-threshold", "status", "fail-on")
@click.option("--token-env", metavar="NAME", help="The variable that holds the token [the CI's usual ones].")
@click.option(
    "--name",
    "names",
    metavar="NAME",
    multiple=True,
    help="Tells this comment apart from others; may be given again [image and job].",
)
@click.pass_obj
def command(
    obj: dict[str, object],
    /,
    places: tuple[Path, ...],
    token_env: str | None,
    names: tuple[str, ...],
    **given: str | None,
) -> int:
    """Put each REPORT, a report.json or a directory with several, into one comment on the pull or merge request."""
    environ, console = environ_of(obj), console_of(obj)
    job = detect(environ)
    files = [file for place in places for file in reading.files(place) or (place,)]
    base = given.get("baseline") or settings.value("baseline", environ)
    reports = baselines.apply(reading.every(files, job), base, console, files)
    who = post.poster(environ, console, given=given, token_env=token_env, names=names)
    code = post.tell(post.comment(who, reports), console)
    return post.status(who, reports) or code
