"""`ci-toolkit action`: what action.yml and the GitLab template call; everything it is told stands in variables."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ci_toolkit import settings
from ci_toolkit.ci import token as tokens
from ci_toolkit.ci.detect import detect
from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.cli import baselines, deliver, doctor, failed, post, products, reading, results
from ci_toolkit.cli.options import console_of, environ_of, wishes
from ci_toolkit.console import Console
from ci_toolkit.errors import ExitCode, ForgeError, ToolkitError, UsageError
from ci_toolkit.site import Wishes

if TYPE_CHECKING:
    from ci_toolkit.reports.report import Report

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
        if not _tell_failed(verb, error, environ, console):
            _summarise(job, _failure(verb, error), console)
        # Also where the log of a build that failed is, for the step that uploads it.
        results.put(job, {"output": settings.value("output", environ), **known}, console)
        raise
    results.hand_on(job, known, console)
    return code


def _verify(job: Job, environ: Mapping[str, str], console: Console, known: dict[str, str]) -> int:
    from ci_toolkit import pipeline

    fail_on = settings.value("fail-on", environ)

    def built(asked: Wishes) -> "tuple[Report, ExitCode]":
        report = pipeline.verify(asked, environ, console, known.__setitem__)
        return report, deliver.exit_code(report, fail_on)

    def show(report: "Report") -> None:
        deliver.show(report, environ, console)
        deliver.point(report, settings.value("directory", environ), console)

    return _made(job, environ, console, known, built=built, show=show)


def _build(job: Job, environ: Mapping[str, str], console: Console, known: dict[str, str]) -> int:
    from ci_toolkit import pipeline

    def built(asked: Wishes) -> "tuple[Report, ExitCode]":
        return pipeline.build(asked, environ, console, known.__setitem__), ExitCode.FINE

    def show(report: "Report") -> None:
        for note in report.notes:
            console.warn(note)
        (build,) = report.builds
        console.result("".join(f"{artefact.sha256}  {artefact.name}\n" for artefact in build.artefacts))

    return _made(job, environ, console, known, built=built, show=show, once=True)


def _made(
    job: Job,
    environ: Mapping[str, str],
    console: Console,
    known: dict[str, str],
    *,
    built: "Callable[[Wishes], tuple[Report, ExitCode]]",
    show: "Callable[[Report], None]",
    once: bool = False,
) -> int:
    """Build what is asked for as BUILT does, make of the image what is wanted, SHOW the report, and tell the forge."""
    from ci_toolkit import pipeline
    from ci_toolkit.reports import summary

    asked, wanted = _wishes(environ), products.asked(environ)
    wants_comment = settings.value("comment", environ) == "true"
    who = post.poster(environ, console)
    known["cache-hit"] = _cache_hit(asked, environ)
    shutil.rmtree(failed.directory(asked.output), ignore_errors=True)
    if wants_comment:
        post.begin(who, *pipeline.named(asked), once=once)
    report, code = built(asked)
    (report,) = baselines.apply([report], settings.value("baseline", environ), console)
    if code is ExitCode.FINE:
        report, code = products.make(report, wanted, asked.output, environ, console)
    else:
        report = products.left_out(report, wanted)
    show(report)
    deliver.write(report, asked.output)
    known |= results.of_report(report, asked.output)
    if wants_comment:
        delivery = post.comment(who, [report])
        post.tell(delivery, console)
        known["comment-url"] = delivery.url or ""
    else:
        _summarise(job, summary.render(report), console)
    post.status(who, [report])
    return code


def _tell_failed(verb: str, error: ToolkitError, environ: Mapping[str, str], console: Console) -> bool:
    """Tell of ERROR as `failed.tell` does where VERB builds, unless the settings themselves are wrong."""
    if verb not in ("verify", "build"):
        return False
    try:
        return failed.tell(error, _wishes(environ), environ, console, once=verb == "build")
    except UsageError:
        return False


def _comment(job: Job, environ: Mapping[str, str], console: Console, known: dict[str, str]) -> int:
    """Put stored reports on the change, in one comment; anybody may have written them."""
    place = Path(settings.value("report", environ))
    files = reading.files(place)
    if not files:
        console.warn(f"there is no report in {place}", hint="A build that was cancelled has none; its job tells why.")
        return ExitCode.FINE
    reports = baselines.apply(reading.every(files, job), settings.value("baseline", environ), console, files)
    who = post.poster(environ, console)
    delivery = post.comment(who, reports)
    known["comment-url"] = delivery.url or ""
    code = post.tell(delivery, console)
    return post.status(who, reports) or code


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


def _release(job: Job, environ: Mapping[str, str], console: Console, known: dict[str, str]) -> int:
    from ci_toolkit.cli import release

    told, code = release.act(job, environ, console, known)
    _summarise(job, told, console)
    return code


def _doctor(job: Job, environ: Mapping[str, str], console: Console, _known: dict[str, str]) -> int:
    from ci_toolkit.reports import escape

    directory = Path(settings.value("directory", environ))
    code, text = doctor.diagnose(directory, environ, console)
    _summarise(job, f"## What this machine can do\n\n{escape.fenced(text)}\n", console)
    return code


def _answer(job: Job, environ: Mapping[str, str], console: Console, known: dict[str, str]) -> int:
    from ci_toolkit.cli import answer

    return answer.answer(job, environ, console, known)


# Each adds the outputs that it knows to the last argument as it learns them.
_COMMANDS: Final[Mapping[str, Callable[[Job, Mapping[str, str], Console, dict[str, str]], int]]] = {
    "verify": _verify,
    "build": _build,
    "release": _release,
    "comment": _comment,
    "matrix": _matrix,
    "doctor": _doctor,
    "answer": _answer,
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
