"""What a job says on the forge: that it has begun, then its reports in one comment, and a commit status."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit import settings
from ci_toolkit.ci import token as tokens
from ci_toolkit.ci.detect import detect
from ci_toolkit.ci.job import Job
from ci_toolkit.console import Console
from ci_toolkit.errors import ExitCode

if TYPE_CHECKING:
    from ci_toolkit.forges.deliver import Delivery
    from ci_toolkit.forges.forge import State
    from ci_toolkit.forges.patience import Patience
    from ci_toolkit.reports.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Poster:
    """Who speaks, and how: `threshold` and `fail_on` are the settings of these names, `names` choose the comment."""

    job: Job
    token: str | None
    console: Console
    threshold: float | None
    fail_on: str
    status: bool
    names: tuple[str, ...] = ()
    patience: "Patience | None" = None


def poster(
    environ: Mapping[str, str],
    console: Console,
    *,
    given: Mapping[str, str | None] | None = None,
    token_env: str | None = None,
    names: tuple[str, ...] = (),
    patience: "Patience | None" = None,
) -> Poster:
    """Return who speaks in the job of ENVIRON; GIVEN is what the command line says of the settings.

    TOKEN_ENV names the token's variable. Raises UsageError for a setting that is none.
    """
    from ci_toolkit.reports import threshold

    def chosen(name: str) -> str:
        return (given or {}).get(name.replace("-", "_")) or settings.value(name, environ)

    named = environ.get(token_env, "").strip() if token_env is not None else ""
    job = detect({**environ, "CI_TOOLKIT_TOKEN": named} if named else environ)
    # A variable that was named is the only one that is read: in a fork's job it is empty, and that is the answer.
    token = tokens.find(job.provider, environ) if token_env is None else named or None
    if token is not None:
        console.mask(token)
    return Poster(
        job=job,
        token=token,
        console=console,
        threshold=threshold.parse(chosen("comment-threshold")),
        fail_on=chosen("fail-on"),
        status=chosen("status") == "true",
        names=names,
        patience=patience,
    )


def begin(who: Poster, title: str, variant: str, *, once: bool = False) -> None:
    """Mark the comment on the image of TITLE and VARIANT as outdated by what is now built. Not worth a warning.

    ONCE tells that one build is asked for, whose comment is another than that of a verification.
    """
    from ci_toolkit.forges.deliver import Outcome, announce

    marker = _marker(who, title, variant, who.job.name, once=once)
    delivery = announce(who.job, who.token, marker, patience=who.patience)
    if delivery.outcome is Outcome.FAILED:
        who.console.say(f"the comment was not marked as outdated: {delivery.reason}")


def comment(who: Poster, reports: Sequence["Report"]) -> "Delivery":
    """Put REPORTS, at least one, into one comment and the step summary, and return what became of it."""
    from ci_toolkit.forges.deliver import COMMENT_LIMIT_CHARACTERS, deliver, length
    from ci_toolkit.forges.patience import Patience
    from ci_toolkit.reports import joined, summary, threshold

    first, *others = reports
    # What a fork's job wrote could name another job of ours, and so write over its comment.
    trusted = first.job is not None and who.job.head is None
    name = first.job.name if trusted and first.job is not None else who.job.name
    # A matrix has its joined comment, whichever of its legs are in it.
    marker = _marker(
        who, "" if others else first.title, "" if others else first.variant, name, once=first.once and not others
    )
    return deliver(
        who.job,
        who.token,
        marker,
        joined.render(reports, COMMENT_LIMIT_CHARACTERS, length),
        summary.render(*reports),
        quiet=not any(threshold.is_crossed(report, who.threshold) for report in reports),
        patience=who.patience or Patience(tell=who.console.say),
    )


def status(who: Poster, reports: Sequence["Report"]) -> ExitCode:
    """Set the commit status for REPORTS where that is wanted; returns the exit code. A missing right is no failure."""
    from ci_toolkit.forges import status as statuses
    from ci_toolkit.forges.deliver import Outcome
    from ci_toolkit.reports import escape, glance

    if not who.status:
        return ExitCode.FINE
    if who.job.head is not None:
        # A branch may be protected by this status, and a fork can write into its report what it likes.
        who.console.say("no commit status was set: the job that was built may be a fork's, and so the verdict its own")
        return ExitCode.FINE
    words = glance.line(reports[0]) if len(reports) == 1 else glance.joined(reports)
    name = _name(reports[0]) if len(reports) == 1 else who.job.name or "images"
    delivery = statuses.put(
        who.job, who.token, _state(who, reports), words, escape.visible(name), patience=who.patience
    )
    match delivery.outcome:
        case Outcome.NOT_PERMITTED:
            who.console.say(f"no commit status was set: {delivery.reason}")
        case Outcome.FAILED:
            who.console.warn(f"the commit status failed: {delivery.reason}", hint=delivery.hint)
            return ExitCode.FORGE
        case _:
            pass
    return ExitCode.FINE


def tell(delivery: "Delivery", console: Console) -> ExitCode:
    """Say how DELIVERY of a comment ended, a missing permission in one warning, and return the exit code."""
    from ci_toolkit.forges.deliver import Outcome

    if delivery.summary_trouble is not None:
        console.warn(f"the step summary was not written: {delivery.summary_trouble}")
    match delivery.outcome:
        case Outcome.COMMENTED:
            console.say(f"commented: {delivery.url}")
        case Outcome.NO_CHANGE | Outcome.LEFT:
            console.say(delivery.reason or "")
        case Outcome.NOT_PERMITTED:
            console.warn(f"no comment was written: {delivery.reason}", hint=delivery.hint)
        case Outcome.FAILED:
            console.warn(f"the comment failed: {delivery.reason}", hint=delivery.hint)
            return ExitCode.FORGE
    return ExitCode.FINE


def _marker(who: Poster, title: str, variant: str, name: str | None, *, once: bool) -> str:
    from ci_toolkit.forges import marker

    # A job may build an image and verify it: neither says anything for the other.
    told = (title, name or "", *([variant] if variant else []), *(["build"] if once else []))
    return marker.mark(*(who.names or told))


def _name(report: "Report") -> str:
    from ci_toolkit.reports import table

    return f"{table.label(report)} (build)" if report.once else table.label(report)


def _state(who: Poster, reports: Sequence["Report"]) -> "State":
    from ci_toolkit.compare import policy
    from ci_toolkit.forges.forge import State
    from ci_toolkit.reports import outline

    if any(report.failure is not None for report in reports):
        return State.ERROR
    fail_on = policy.FailOn(who.fail_on)
    bad = any(policy.fails(fail_on, one.verdict, one.findings) or outline.troubles(one) for one in reports)
    return State.FAILURE if bad else State.SUCCESS
