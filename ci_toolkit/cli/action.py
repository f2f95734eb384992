"""`ci-toolkit action`: what action.yml and the GitLab template call; everything it is told stands in variables."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ci_toolkit import settings
from ci_toolkit.ci import token as tokens
from ci_toolkit.ci.detect import detect
from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.cli import comment, deliver, doctor
from ci_toolkit.cli.options import console_of, environ_of, wishes
from ci_toolkit.console import Console
from ci_toolkit.errors import ExitCode, ForgeError, ToolkitError
from ci_toolkit.site import Wishes

if TYPE_CHECKING:
    from ci_toolkit.reports.report import Report

# GitLab reads it as `artifacts: reports: dotenv:`, which later jobs get as variables.
DOTENV: Final = "ci-toolkit.env"


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
    try:
        verb = settings.value("command", environ)
        return _COMMANDS[verb](job, environ, console)
    except ToolkitError as error:
        _summarise(job, _failure(verb, error), console)
        # Where the log of a build that failed is, for the step that uploads it.
        _put_outputs(job, {"output": settings.value("output", environ)}, console)
        raise


def _verify(job: Job, environ: Mapping[str, str], console: Console) -> int:
    from ci_toolkit import pipeline
    from ci_toolkit.reports import summary

    asked = _wishes(environ)
    fail_on = settings.value("fail-on", environ)
    wants_comment = settings.value("comment", environ) == "true"
    report = pipeline.verify(asked, environ, console)
    deliver.show(report, environ, console)
    deliver.write(report, asked.output)
    _hand_on(job, asked.output, {"verdict": report.verdict.value, **_outputs(report, asked.output)}, console)
    if wants_comment:
        comment.comment(report, (), None, environ, console)
    else:
        _summarise(job, summary.render(report), console)
    return deliver.exit_code(report, fail_on)


def _build(job: Job, environ: Mapping[str, str], console: Console) -> int:
    from ci_toolkit import pipeline
    from ci_toolkit.reports import escape

    asked = _wishes(environ)
    report = pipeline.build(asked, environ, console)
    for note in report.notes:
        console.warn(note)
    (build,) = report.builds
    lines = "".join(f"{artefact.sha256}  {artefact.name}\n" for artefact in build.artefacts)
    console.result(lines)
    _hand_on(job, asked.output, _outputs(report, asked.output), console)
    _summarise(job, f"## Built: {escape.name(report.title)}\n\n{escape.fenced(lines)}\n", console)
    return ExitCode.FINE


def _doctor(job: Job, environ: Mapping[str, str], console: Console) -> int:
    from ci_toolkit.reports import escape

    directory = Path(settings.value("directory", environ))
    code, text = doctor.diagnose(directory, environ, console)
    _summarise(job, f"## What this machine can do\n\n{escape.fenced(text)}\n", console)
    return code


_COMMANDS: Final[Mapping[str, Callable[[Job, Mapping[str, str], Console], int]]] = {
    "verify": _verify,
    "build": _build,
    "doctor": _doctor,
}


def _wishes(environ: Mapping[str, str]) -> Wishes:
    return wishes(None, {}, (), environ)


def _outputs(report: "Report", output: Path) -> dict[str, str]:
    """Return what later steps may want to know; a digest only where the image is one file."""
    build = report.builds[0]
    digests = {artefact.name: artefact.sha256 for artefact in build.artefacts}
    return {
        "image": str(output / build.image),
        "sha256": digests.get(build.image, ""),
        "output": str(output),
    }


def _hand_on(job: Job, output: Path, values: Mapping[str, str], console: Console) -> None:
    """Set the step's outputs on GitHub and its kin, and leave them as a dotenv report for GitLab."""
    from ci_toolkit.forges import outputs

    _put_outputs(job, values, console)
    if job.provider is Provider.GITLAB:
        # CI_TOOLKIT_IMAGE and CI_TOOLKIT_OUTPUT would be settings of the jobs that follow.
        named = {f"CI_TOOLKIT_RESULT_{name.upper()}": value for name, value in values.items()}
        for name in outputs.write_dotenv(output / DOTENV, named):
            console.warn(f"{name} is not in {DOTENV}: its value cannot be written there")


def _put_outputs(job: Job, values: Mapping[str, str], console: Console) -> None:
    from ci_toolkit.forges import outputs

    if job.output_file is None:
        return
    try:
        outputs.put_outputs(job.output_file, values)
    except ForgeError as error:
        console.warn(f"the step's outputs were not set: {error.message}", hint=error.hint)


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
