"""A build or a verification that came to nothing: what is left of it, and what is said of it on the forge."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit import settings
from ci_toolkit.cli import deliver, post
from ci_toolkit.console import Console
from ci_toolkit.errors import ToolkitError
from ci_toolkit.site import Wishes

if TYPE_CHECKING:
    from ci_toolkit.reports.report import Report


def directory(output: Path) -> Path:
    """Return where the report of a failure goes: beside OUTPUT, which holds what was built before, or nothing."""
    return output.with_name(f"{output.name}.failed")


def tell(
    error: ToolkitError, asked: Wishes, environ: Mapping[str, str], console: Console, *, once: bool = False
) -> bool:
    """Leave a report of ERROR, put it into the comment, and set the status; tell whether a step summary was written.

    ONCE tells that one build was asked for. A report so that another job can post it, as for a fork's change. Raises
    UsageError where a setting is none.
    """
    who = post.poster(environ, console)
    report = replace(_report(error, asked, who), once=once)
    try:
        place = directory(asked.output)
        place.mkdir(parents=True, exist_ok=True)
        for name, kind in (("report.json", "json"), ("report.junit.xml", "junit")):
            deliver.write_file(place / name, deliver.render(report, kind))
    except (OSError, ToolkitError):
        console.say("the report of the failure could not be written")
    wants_comment = settings.value("comment", environ) == "true"
    if wants_comment:
        post.tell(post.comment(who, [report]), console)
    post.status(who, [report])
    return wants_comment


def _report(error: ToolkitError, asked: Wishes, who: post.Poster) -> "Report":
    from ci_toolkit import pipeline
    from ci_toolkit.compare.comparison import Verdict
    from ci_toolkit.reports.report import Failure, Report

    title, variant = pipeline.named(asked)
    # What a build prints is foreign, and the log alone masks it.
    message = error.message if who.token is None else error.message.replace(who.token, "***")
    return Report(
        title=title,
        variant=variant,
        verdict=Verdict.FAILED,
        comparison=None,
        failure=Failure(exit_code=error.exit_code.value, message=message, hint=error.hint),
        job=who.job,
    )
