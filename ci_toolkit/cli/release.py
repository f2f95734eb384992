"""`ci-toolkit release`: due, version, build, verify, convert, boot, checksums, signature, publish, notes, prune."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ci_toolkit import settings
from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.cli import keyless, products
from ci_toolkit.cli.options import Building, console_of, environ_of, from_settings, wishes
from ci_toolkit.cli.targets import keep_options, opened, policy, target_option, today
from ci_toolkit.console import Console, printable
from ci_toolkit.errors import ExitCode, ForgeError, ToolkitError, UsageError
from ci_toolkit.releases.retention import Policy

if TYPE_CHECKING:
    from ci_toolkit.releasing.run import Outcome
    from ci_toolkit.reports.report import Report

_WEEKS = 52


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a release is asked for: by options, or by the inputs of a CI. `given` are the options of the settings."""

    directories: tuple[Path, ...]
    to: Sequence[str]
    every: int
    policy: Policy
    force: bool
    dry: bool
    issue: bool
    scheme: str = "YYYY.MM.DD"
    by: str = "week"
    base: str = ""
    resume: bool = False
    advisories: tuple[str, ...] = ()
    sigstore: bool = False
    trust_config: Path | None = None
    mkosi_arguments: tuple[str, ...] = ()
    given: Mapping[str, str | None]


@click.command(name="release", cls=Building)
@click.argument("directories", type=click.Path(path_type=Path), nargs=-1, required=True)
@target_option
@click.option("--scheme", type=click.Choice(("YYYY.MM.DD", "YYYYMMDD.JOB")), default="YYYY.MM.DD", help="The version.")
@click.option("--every", type=click.IntRange(1, _WEEKS), default=2, metavar="WEEKS", help="How often [every 2 weeks].")
@click.option(
    "--by", type=click.Choice(("week", "date")), default="week", help="Count ISO weeks, or days since the last [week]."
)
@click.option("--base", default="", metavar="URL", help="Below what address people find the version's directory.")
@click.option(
    "--advisories",
    multiple=True,
    metavar="FILE|URL",
    help="What Arch's or Debian's security tracker hands out, for the security fixes in the notes; any number.",
)
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
    advisories: tuple[str, ...],
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
    environ, console = environ_of(obj), console_of(obj)
    asked = Asked(
        directories=directories,
        to=to,
        every=every,
        policy=policy(keep, keep_days, keep_labelled),
        force=force,
        dry=dry_run,
        issue=issue,
        scheme=scheme,
        by=by,
        base=base,
        resume=resume,
        advisories=advisories,
        sigstore=sigstore,
        trust_config=trust_config,
        mkosi_arguments=mkosi_arguments,
        given=given,
    )
    outcome, code = make(asked, environ, console)
    console.result(_told(outcome))
    return code


def of_inputs(job: Job, environ: Mapping[str, str]) -> Asked:
    """Return what the inputs of a CI ask for. Raises UsageError."""
    directories = tuple(Path(word) for word in _listed("directory", environ))
    if not directories:
        raise UsageError("directory names nothing", hint="Name the directory that holds mkosi.conf.")
    keep = settings.value("keep", environ)
    return Asked(
        directories=directories,
        to=_listed("to", environ) or (_own_forge(job),),
        every=_number("every", settings.value("every", environ), _WEEKS),
        policy=policy(_number("keep", keep, None) if keep else None, None, True),
        force=settings.value("force", environ) == "true",
        dry=settings.value("dry-run", environ) == "true",
        issue=settings.value("issue", environ) == "true",
        advisories=_listed("advisories", environ),
        sigstore=settings.value("sigstore", environ) == "true",
        given={},
    )


def act(job: Job, environ: Mapping[str, str], console: Console, known: dict[str, str]) -> tuple[str, ExitCode]:
    """Release what the inputs of a CI ask for, add the outputs to KNOWN; return the summary, and the exit code."""
    from ci_toolkit.releasing.run import Ending
    from ci_toolkit.reports import summary

    asked = of_inputs(job, environ)
    reports: list[Report] = []
    known |= {"released": "false", "version": "", "places": "[]", "output": settings.value("output", environ)}
    outcome, code = make(asked, environ, console, reports.append)
    console.result(_told(outcome))
    known |= {
        "released": "true" if outcome.ending is Ending.RELEASED else "false",
        "version": outcome.version,
        "places": json.dumps(outcome.places),
    }
    told = _summary(outcome, Path(known["output"]))
    if code is not ExitCode.FINE and reports:
        told += f"\n{summary.render(reports[-1])}"
    return told, code


def make(
    asked: Asked, environ: Mapping[str, str], console: Console, hear: "Callable[[Report], None]" = lambda _: None
) -> "tuple[Outcome, ExitCode]":
    """Make the release that is ASKED for, if one is due; HEAR is given the report of each image."""
    from ci_toolkit import pipeline
    from ci_toolkit.ci.detect import detect
    from ci_toolkit.cli import deliver
    from ci_toolkit.compare.comparison import Verdict
    from ci_toolkit.mkosi import source
    from ci_toolkit.records import openpgp
    from ci_toolkit.releasing import run as releasing
    from ci_toolkit.releasing.run import Ending, Wanted

    job = detect(environ)
    named = {directory.resolve().name: directory for directory in asked.directories}
    if len(named) != len(asked.directories):
        raise UsageError("two of the directories have one name", hint="Release each definition once.")
    made = products.asked(environ, asked.given)
    first = wishes(asked.directories[0], asked.given, asked.mkosi_arguments, environ)
    found = tuple(source.find(directory) for directory in asked.directories)
    wanted = Wanted(
        images=tuple(named),
        formats=made.formats,
        firmware=made.firmware,
        output=first.output,
        day=today(environ),
        scheme=asked.scheme,
        run=job.run,
        weeks=asked.every,
        by=asked.by,
        force=asked.force,
        resume=asked.resume,
        dry=asked.dry,
        policy=asked.policy,
        key=openpgp.secret_key(environ),
        keyless=keyless.signing(asked.sigstore, asked.trust_config, environ, console),
        commit=job.commit or found[0].commit,
        base=asked.base,
        advisories=_places(asked.advisories, console),
    )

    def build(name: str, output: Path) -> "Report":
        report = pipeline.verify(replace(first, directory=named[name], output=output), environ, console)
        deliver.show(report, environ, console)
        if report.verdict is not Verdict.IDENTICAL:
            deliver.write(report, output)  # of one that is released, release.json and the record tell
        hear(report)
        return report

    def start(image: Path, output: Path) -> bool:
        output.parent.mkdir(exist_ok=True)
        return products.start(image, made, output, environ, console)[1] is ExitCode.FINE

    try:
        outcome = releasing.run(wanted, opened(asked.to, environ, console), build, start, console)
    except (ToolkitError, OSError) as error:
        if asked.issue:
            _tell(str(error), job, environ, console)
        raise
    failed = outcome.ending in (Ending.DIFFERENT, Ending.NOT_STARTED)
    if asked.issue and (failed or outcome.ending is Ending.RELEASED):
        _tell(outcome.text if failed else "", job, environ, console)
    return outcome, ExitCode.POLICY if failed else ExitCode.FINE


def _places(advisories: Sequence[str], console: Console) -> tuple[str, ...]:
    """Return ADVISORIES, each once. Raises UsageError, before anything is built, for an address that is never asked.

    What an address asks with may be a token, and is masked from here on.
    """
    from ci_toolkit.records import addresses

    for place in advisories:
        console.mask(place.partition("?")[2] if addresses.is_address(place) else "")
        refused = addresses.may_fetch(place) if addresses.is_address(place) else None
        if refused is not None:
            raise UsageError(f"no advisories are fetched from {printable(place)}: {refused}")
    return tuple(dict.fromkeys(advisories))


def _told(outcome: "Outcome") -> str:
    return "\n".join((outcome.text, *outcome.places, *filter(None, (outcome.security,))))


def _listed(name: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    words = (word.strip() for word in settings.value(name, environ).split(","))
    return tuple(word for word in words if word)


def _number(name: str, text: str, most: int | None) -> int:
    found = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
    if not 1 <= found <= (most or found):
        raise UsageError(f"{name} is {text!r}", hint=f"It is a number{f' from 1 to {most}' if most else ''}.")
    return found


def _own_forge(job: Job) -> str:
    if job.provider not in (Provider.GITHUB, Provider.GITLAB):
        raise UsageError("nothing says where the release goes", hint="Name it in the input `to`.")
    return job.provider.value


def _summary(outcome: "Outcome", output: Path) -> str:
    """Return the outcome as Markdown, with the notes of what was released."""
    from ci_toolkit.releasing.run import NOTES, Ending
    from ci_toolkit.reports import escape

    match outcome.ending:
        case Ending.RELEASED:
            places = "".join(f"- {escape.prose(place)}\n" for place in outcome.places)
            return f"## Released {outcome.version}\n\n{places}\n{(output / NOTES).read_text(encoding='utf-8')}"
        case Ending.PLANNED:
            return f"## What a release would do\n\n{escape.fenced(outcome.text)}\n"
        case Ending.DIFFERENT | Ending.NOT_STARTED:
            return f"## ✗ Not released\n\n{escape.prose(outcome.text)}\n"
        case Ending.NOT_DUE | Ending.MEANWHILE:
            return f"## Nothing to release\n\n{escape.prose(outcome.text)}\n"


def _tell(failed: str, job: Job, environ: Mapping[str, str], console: Console) -> None:
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
