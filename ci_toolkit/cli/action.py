"""`ci-toolkit action`: what action.yml and the GitLab template call; everything it is told stands in variables."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import click

from ci_toolkit import settings
from ci_toolkit.ci import token as tokens
from ci_toolkit.ci.detect import detect
from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.cli import comment, deliver, doctor, results
from ci_toolkit.cli.options import console_of, environ_of, wishes
from ci_toolkit.console import Console
from ci_toolkit.errors import ExitCode, ForgeError, ToolkitError
from ci_toolkit.site import Wishes

# What the command matrix leaves for GitLab in the working directory, for `trigger: include: artifact:`.
CHILD_PIPELINE: Final = "ci-toolkit-matrix.yml"


@click.command(name="action")
@click.pass_obj
def command(obj: dict[str, object]) -> int:
    """Do what the CI's variables ask for: INPUT_<NAME> or CI_TOOLKIT_<NAME> for each input.

    The report goes to the step summary, the outputs and, where that is permitted, one comment on the pull or merge
    request. Only the images decide the exit code, not a comment that failed.
    """
    environ, console = environ_of(obj), console_of(obj)
    job = detect(environ)
    token = tokens.find(job.provider, environ)
    if token is not None:
        console.mask(token)
    verb = "The call"
    known: dict[str, str] = {}
    try:
        verb = settings.value("command", environ)
        code = _COMMANDS[verb](job, environ, console, known)
    except ToolkitError as error:
        _summarise(job, _failure(verb, error), console)
        # Also where the log of a build that failed is, for the step that uploads it.
        results.put(job, {"output": settings.value("output", environ), **known}, console)
        raise
    results.hand_on(job, known, console)
    return code


def _verify(job: Job, environ: Mapping[str, str], console: Console, known: dict[str, str]) -> int:
    from ci_toolkit import pipeline
    from ci_toolkit.reports import summary

    asked = _wishes(environ)
    fail_on = settings.value("fail-on", environ)
    wants_comment = settings.value("comment", environ) == "true"
    known["cache-hit"] = _cache_hit(asked, environ)
    report = pipeline.verify(asked, environ, console, known.__setitem__)
    deliver.show(report, environ, console)
    deliver.write(report, asked.output)
    known |= results.of_report(report, asked.output)
    if wants_comment:
        delivery = comment.post(report, (), None, environ, console)
        comment.tell(delivery, console)
        known["comment-url"] = delivery.url or ""
    else:
        _summarise(job, summary.render(report), console)
    return deliver.exit_code(report, fail_on)


def _build(job: Job, environ: Mapping[str, str], console: Console, known: dict[str, str]) -> int:
    from ci_toolkit import pipeline
    from ci_toolkit.reports import escape

    asked = _wishes(environ)
    known["cache-hit"] = _cache_hit(asked, environ)
    report = pipeline.build(asked, environ, console, known.__setitem__)
    for note in report.notes:
        console.warn(note)
    (build,) = report.builds
    lines = "".join(f"{artefact.sha256}  {artefact.name}\n" for artefact in build.artefacts)
    console.result(lines)
    deliver.write_file(asked.output / "report.metrics.txt", deliver.render(report, "metrics"))
    known |= results.of_report(report, asked.output)
    _summarise(job, f"## Built: {escape.name(report.title)}\n\n{escape.fenced(lines)}\n", console)
    return ExitCode.FINE


def _comment(job: Job, environ: Mapping[str, str], console: Console, known: dict[str, str]) -> int:
    """Put stored reports on the change; anybody may have written them, so all are read before any is sent."""
    place = Path(settings.value("report", environ))
    reports = [comment.stored(file, job) for file in comment.files(place)]
    if not reports:
        console.warn(f"there is no report in {place}", hint="A build that failed has none; its own job tells why.")
    code: int = ExitCode.FINE
    for report in reports:
        delivery = comment.post(report, (), None, environ, console)
        known["comment-url"] = delivery.url or known.get("comment-url", "")
        code = comment.tell(delivery, console) or code
    return code


def _matrix(job: Job, environ: Mapping[str, str], console: Console, known: dict[str, str]) -> int:
    from ci_toolkit import survey
    from ci_toolkit.reports import escape, matrix

    rows = survey.survey(_wishes(environ), (), environ, console)
    known["matrix"] = matrix.for_github(rows)
    if job.provider is Provider.GITLAB:
        deliver.write_file(Path(CHILD_PIPELINE), matrix.for_gitlab(rows))
        console.say(f"The child pipeline is {CHILD_PIPELINE}")
    console.result(matrix.lines(rows))
    _summarise(job, f"## What there is to build\n\n{escape.fenced(matrix.lines(rows))}\n", console)
    return ExitCode.FINE


def _doctor(job: Job, environ: Mapping[str, str], console: Console, _known: dict[str, str]) -> int:
    from ci_toolkit.reports import escape

    directory = Path(settings.value("directory", environ))
    code, text = doctor.diagnose(directory, environ, console)
    _summarise(job, f"## What this machine can do\n\n{escape.fenced(text)}\n", console)
    return code


# Each adds the outputs that it knows to the last argument as it learns them.
_COMMANDS: Final[Mapping[str, Callable[[Job, Mapping[str, str], Console, dict[str, str]], int]]] = {
    "verify": _verify,
    "build": _build,
    "comment": _comment,
    "matrix": _matrix,
    "doctor": _doctor,
}


def _wishes(environ: Mapping[str, str]) -> Wishes:
    return wishes(None, {}, (), environ)


def _cache_hit(asked: Wishes, environ: Mapping[str, str]) -> str:
    """Return the output of that name; to be asked before anything is fetched."""
    from ci_toolkit.mkosi import cache
    from ci_toolkit.workshop import packages_directory

    return "true" if cache.holds_any(packages_directory(asked.cache, environ)) else "false"


def _summarise(job: Job, text: str, console: Console) -> None:
    from ci_toolkit.forges import outputs

    if job.summary_file is None:
        return
    try:
        outputs.summarise(job.summary_file, text)
    except ForgeError as error:
        console.warn(f"the step summary was not written: {error.message}", hint=error.hint)


def _failure(verb: str, error: ToolkitError) -> str:
    from ci_toolkit.reports import escape

    hint = f"\n{escape.prose(error.hint)}\n" if error.hint else ""
    return f"## ✗ {verb} ended with exit code {error.exit_code.value}\n\n{escape.fenced(error.message)}\n{hint}"
