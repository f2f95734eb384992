"""`ci-toolkit comment`: put a report on the pull or merge request, once, and keep it up to date."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ci_toolkit.cli.options import console_of, environ_of
from ci_toolkit.console import Console
from ci_toolkit.errors import ExitCode, UnreadableError

if TYPE_CHECKING:
    from ci_toolkit.ci.job import Job
    from ci_toolkit.forges.deliver import Delivery
    from ci_toolkit.forges.patience import Patience
    from ci_toolkit.reports.report import Report

# A report is text; a larger file is something else, or meant to fill the memory.
REPORT_LIMIT_BYTES: Final = 64 * 1024 * 1024
REPORT: Final = "report.json"
REPORTS_LIMIT: Final = 100


@click.command(name="comment")
@click.argument("report_file", metavar="REPORT.json", type=click.Path(path_type=Path))
@click.option("--token-env", metavar="NAME", help="The variable that holds the token [the CI's usual ones].")
@click.option(
    "--name",
    "names",
    metavar="NAME",
    multiple=True,
    help="Tells this report's comment apart from others, as a matrix needs it; may be given again [image and job].",
)
@click.pass_obj
def command(obj: dict[str, object], /, report_file: Path, token_env: str | None, names: tuple[str, ...]) -> int:
    """Put the report REPORT.json on the pull or merge request that this job is for."""
    from ci_toolkit.ci.detect import detect

    environ = environ_of(obj)
    return comment(stored(report_file, detect(environ)), names, token_env, environ, console_of(obj))


def files(place: Path) -> tuple[Path, ...]:
    """Return PLACE, or where it is a directory every report.json below it that is a file of its own; () for none.

    Raises UnreadableError where there are more than anybody made.
    """
    if not place.is_dir():
        return (place,) if place.exists() else ()
    named = (Path(where, REPORT) for where, _, names in os.walk(place) if REPORT in names)
    found = sorted(path for path in named if path.is_file() and not path.is_symlink())
    if len(found) > REPORTS_LIMIT:
        raise UnreadableError(f"{len(found)} reports are more than {REPORTS_LIMIT}", hint="Name one of them.")
    return tuple(found)


def stored(file: Path, job: "Job") -> "Report":
    """Return the report in FILE, which anybody may have written, for JOB.

    Where JOB is for a change that another job has built (`head`), the report has to be of the very commit that this
    was. Raises UnreadableError for any other report, and for what is none.
    """
    from ci_toolkit.reports import json

    report = json.parse(read(file))
    if job.head is not None and (report.job is None or report.job.commit != job.commit):
        raise UnreadableError(
            f"{file} is not of the commit {job.commit} that the finished workflow ran on",
            hint="Take the artifact of that run.",
        )
    return report


def read(file: Path) -> str:
    """Return the text of FILE; raises UnreadableError for one that is not there, too large, or not text."""
    try:
        with file.open("rb") as stream:
            data = stream.read(REPORT_LIMIT_BYTES + 1)
        if len(data) > REPORT_LIMIT_BYTES:
            raise UnreadableError(f"{file} is larger than 64 MiB", hint="A report is a few kilobytes of JSON.")
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableError(f"{file} is not text", hint="Give the report.json of verify or compare.") from None
    except OSError as error:
        raise UnreadableError(f"{file}: {error.strerror}", hint="Give the report.json of verify or compare.") from None


def comment(
    report: "Report",
    names: tuple[str, ...],
    token_env: str | None,
    environ: Mapping[str, str],
    console: Console,
    patience: "Patience | None" = None,
) -> int:
    """Deliver REPORT as a comment, as `post` does, and tell how it went; returns the exit code."""
    return tell(post(report, names, token_env, environ, console, patience), console)


def post(
    report: "Report",
    names: tuple[str, ...],
    token_env: str | None,
    environ: Mapping[str, str],
    console: Console,
    patience: "Patience | None" = None,
) -> "Delivery":
    """Deliver REPORT as a comment and return what became of it.

    NAMES choose the comment to update, by default the image and the job; TOKEN_ENV names the token's variable.
    """
    from ci_toolkit.ci import token as tokens
    from ci_toolkit.ci.detect import detect
    from ci_toolkit.forges import marker
    from ci_toolkit.forges.deliver import COMMENT_LIMIT_CHARACTERS, deliver, length
    from ci_toolkit.forges.patience import Patience
    from ci_toolkit.reports import markdown, summary

    given = environ.get(token_env, "").strip() if token_env is not None else ""
    job = detect({**environ, "CI_TOOLKIT_TOKEN": given} if given else environ)
    # A variable that was named is the only one that is read: in a fork's job it is empty, and that is the answer.
    token = tokens.find(job.provider, environ) if token_env is None else given or None
    if token is not None:
        console.mask(token)
    maker = report.job or job
    return deliver(
        job,
        token,
        marker.mark(*(names or (report.title, maker.name or ""))),
        markdown.render(report, COMMENT_LIMIT_CHARACTERS, length),
        summary.render(report),
        patience=patience or Patience(tell=console.say),
    )


def tell(delivery: "Delivery", console: Console) -> int:
    """Say how DELIVERY ended, a missing permission in one warning, and return the exit code."""
    from ci_toolkit.forges.deliver import Outcome

    if delivery.summary_trouble is not None:
        console.warn(f"the step summary was not written: {delivery.summary_trouble}")
    match delivery.outcome:
        case Outcome.COMMENTED:
            console.say(f"commented: {delivery.url}")
        case Outcome.NO_CHANGE:
            console.say(delivery.reason or "")
        case Outcome.NOT_PERMITTED:
            console.warn(f"no comment was written: {delivery.reason}", hint=delivery.hint)
        case Outcome.FAILED:
            console.warn(f"the comment failed: {delivery.reason}", hint=delivery.hint)
            return ExitCode.FORGE
    return ExitCode.FINE
