"""`ci-toolkit release`: due, version, build, verify, convert, boot, checksums, signature, publish, notes, prune."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ci_toolkit.cli import keyless, products
from ci_toolkit.cli.options import Building, console_of, environ_of, from_settings, wishes
from ci_toolkit.cli.targets import keep_options, opened, policy, target_option, today
from ci_toolkit.console import Console
from ci_toolkit.errors import ExitCode, ForgeError, ToolkitError, UsageError

if TYPE_CHECKING:
    from ci_toolkit.ci.job import Job


@click.command(name="release", cls=Building)
@click.argument("directories", type=click.Path(path_type=Path), nargs=-1, required=True)
@target_option
@click.option("--scheme", type=click.Choice(("YYYY.MM.DD", "YYYYMMDD.JOB")), default="YYYY.MM.DD", help="The version.")
@click.option("--every", type=click.IntRange(1, 52), default=2, metavar="WEEKS", help="How often [every 2 weeks].")
@click.option(
    "--by", type=click.Choice(("week", "date")), default="week", help="Count ISO weeks, or days since the last [week]."
)
@click.option("--base", default="", metavar="URL", help="Below what address people find the version's directory.")
@keyless.signing_options
@keep_options
@click.option("--force", is_flag=True, help="Release although none is due.")
@click.option("--dry-run", is_flag=True, help="Print the plan, and write nothing.")
@click.option("--resume", is_flag=True, help="Go on with what a run that ended early has left in the output.")
@click.option("--issue", is_flag=True, help="Open one issue where it fails, and close it when a release works again.")
@from_settings(
    "formats", "boot", "boot-check", "profile", "runner", "output", "cache", "vary", "parallel", "time-limit", "log"
)
@click.pass_obj
def command(
    obj: dict[str, object],
    /,
    directories: tuple[Path, ...],
    to: tuple[str, ...],
    scheme: str,
    every: int,
    by: str,
    base: str,
    sigstore: bool,
    trust_config: Path | None,
    keep: int | None,
    keep_days: int | None,
    keep_labelled: bool,
    force: bool,
    dry_run: bool,
    resume: bool,
    issue: bool,
    mkosi_arguments: tuple[str, ...],
    **given: str | None,
) -> int:
    """Release the images that DIRECTORIES define, if a release is due: build each twice, and publish what was verified.

    What was built is not built again: it is converted, signed and published. Nothing is shown before all of it is on
    every target. Exit code 1 where an image is not reproducible or does not start; 0 also where no release is due.
    """
    from ci_toolkit import pipeline
    from ci_toolkit.ci.detect import detect
    from ci_toolkit.cli import deliver
    from ci_toolkit.mkosi import source
    from ci_toolkit.records import openpgp
    from ci_toolkit.releasing import run as releasing
    from ci_toolkit.releasing.run import Ending, Wanted
    from ci_toolkit.reports.report import Report

    environ, console = environ_of(obj), console_of(obj)
    job = detect(environ)
    named = {directory.resolve().name: directory for directory in directories}
    if len(named) != len(directories):
        raise UsageError("two of the directories have one name", hint="Release each definition once.")
    made = products.asked(environ, given)
    first = wishes(directories[0], given, mkosi_arguments, environ)
    found = tuple(source.find(directory) for directory in directories)
    wanted = Wanted(
        images=tuple(named),
        formats=made.formats,
        firmware=made.firmware,
        output=first.output,
        day=today(environ),
        scheme=scheme,
        run=job.run,
        weeks=every,
        by=by,
        force=force,
        resume=resume,
        dry=dry_run,
        policy=policy(keep, keep_days, keep_labelled),
        key=openpgp.secret_key(environ),
        keyless=keyless.signing(sigstore, trust_config, environ, console),
        commit=job.commit or found[0].commit,
        base=base,
    )

    def build(name: str, output: Path) -> Report:
        report = pipeline.verify(replace(first, directory=named[name], output=output), environ, console)
        deliver.show(report, environ, console)
        return report

    def start(image: Path, output: Path) -> bool:
        output.parent.mkdir(exist_ok=True)
        return products.start(image, made, output, environ, console)[1] is ExitCode.FINE

    try:
        outcome = releasing.run(wanted, opened(to, environ, console), build, start, console)
    except (ToolkitError, OSError) as error:
        if issue:
            _tell(str(error), job, environ, console)
        raise
    failed = outcome.ending in (Ending.DIFFERENT, Ending.NOT_STARTED)
    if issue and (failed or outcome.ending is Ending.RELEASED):
        _tell(outcome.text if failed else "", job, environ, console)
    console.result("\n".join((outcome.text, *outcome.places)))
    return ExitCode.POLICY if failed else ExitCode.FINE


def _tell(failed: str, job: "Job", environ: Mapping[str, str], console: Console) -> None:
    """Say in the issue what FAILED, or close it where that is ""; what keeps that from being done is a warning."""
    from ci_toolkit.ci import token
    from ci_toolkit.forges.patience import Patience
    from ci_toolkit.publish import issue

    try:
        ours = issue.of(job, token.find(job.provider, environ), Patience(tell=console.say))
        if failed:
            console.say(f"The issue: {ours.failed(failed, job)}")
        elif ours.works():
            console.say("The issue of the releases that failed is closed")
    except ForgeError as error:
        console.warn(f"the issue was not written: {error.message}", hint=error.hint)
