"""Bring a report to where people read it: the step summary always, one comment where that is permitted."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.errors import ForgeError
from ci_toolkit.forges import outputs, sticky
from ci_toolkit.forges.connect import connect
from ci_toolkit.forges.forge import Forge, RefusedError
from ci_toolkit.forges.marker import Stamp
from ci_toolkit.forges.patience import Patience
from ci_toolkit.forges.sticky import Note

# GitHub refuses more than 65,536 characters; GitLab takes a million, but nobody reads them. This leaves room for the
# marker.
COMMENT_LIMIT_CHARACTERS: Final = 65_000
_CUT: Final = "\n\n*The rest is cut: a comment may not be longer. The whole report is with the job.*\n"


class Outcome(StrEnum):
    """How a delivery ended; only FAILED is anybody's fault. LEFT: there was nothing to write, for a good reason."""

    COMMENTED = "commented"
    LEFT = "left"
    NO_CHANGE = "no-change"
    NOT_PERMITTED = "not-permitted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a comment: its address, or the reason why there is none and what to do about it.

    `summary_trouble` tells why the step summary was not written, though there is one.
    """

    outcome: Outcome
    url: str | None = None
    reason: str | None = None
    hint: str | None = None
    summary_trouble: str | None = None

    @property
    def commented(self) -> bool:
        return self.outcome is Outcome.COMMENTED


def deliver(
    job: Job,
    token: str | None,
    marker: str,
    text: str,
    summary: str,
    *,
    quiet: bool = False,
    patience: Patience | None = None,
) -> Delivery:
    """Append SUMMARY to the step summary, and create or update the comment that carries MARKER.

    TEXT is the comment without its marker, TOKEN from `ci.token.find`; a QUIET one makes no comment where there is
    none. Never raises for a forge that refuses or fails, nor shows the token: the Delivery says what happened.
    """
    trouble = _keep(job, summary)
    because = why_not(job, token)
    if because is not None:
        return replace(because, summary_trouble=trouble)
    assert token is not None
    note = Note(marker=marker, text=fit(text), stamp=stamp(job), quiet=quiet)
    delivery = asking(job, token, patience or Patience(), lambda forge, gone: _put(forge, note, gone))
    return replace(delivery, summary_trouble=trouble)


def announce(job: Job, token: str | None, marker: str, *, patience: Patience | None = None) -> Delivery:
    """Mark the comment that carries MARKER as outdated by the commit that JOB begins to build.

    Not worth a long wait: the comment gets its new text at the end. Never raises, as `deliver`.
    """
    because = why_not(job, token)
    if because is not None:
        return because
    assert token is not None
    patience = patience or Patience(attempts=2, total_seconds=20, end_seconds=60)

    def outdate(forge: Forge, _gone: set[int]) -> Delivery:
        comment = sticky.outdate(forge, marker, stamp(job))
        if comment is None:
            return Delivery(outcome=Outcome.LEFT, reason="no comment is outdated")
        return Delivery(outcome=Outcome.COMMENTED, url=comment.url)

    return asking(job, token, patience, outdate)


def stamp(job: Job) -> Stamp:
    """Return what a comment says of the pipeline that wrote it."""
    return Stamp(run=job.run, commit=job.commit)


def why_not(job: Job, token: str | None) -> Delivery | None:
    """Return why there will be no comment, as far as that is known before the forge is asked."""
    if (job.change is None and job.head is None) or job.provider in (Provider.UNKNOWN, Provider.LOCAL):
        return Delivery(outcome=Outcome.NO_CHANGE, reason=_no_change(job))
    if not job.may_write:
        return Delivery(outcome=Outcome.NOT_PERMITTED, reason=job.may_not_write_because)
    if token is None:
        return Delivery(
            outcome=Outcome.NOT_PERMITTED,
            reason="there is no token",
            hint="Hand GITHUB_TOKEN (GitHub) or GITLAB_TOKEN (GitLab) to this step.",
        )
    return None


def fit(text: str) -> str:
    """Return TEXT, cut at the end of a line where it is longer than a comment may be."""
    if length(text) <= COMMENT_LIMIT_CHARACTERS:
        return text
    room = COMMENT_LIMIT_CHARACTERS - len(_CUT) - len("\n```")
    kept = text[:room]
    while length(kept) > room:
        kept = kept[: len(kept) - max((length(kept) - room) // 2, 1)]
    kept = kept[: kept.rfind("\n")] if "\n" in kept else kept
    open_fence = sum(line.lstrip().startswith("```") for line in kept.splitlines()) % 2 == 1
    return kept + ("\n```" if open_fence else "") + _CUT


def length(text: str) -> int:
    """In UTF-16 units, the largest of the ways to count characters that a forge may use."""
    return len(text) + sum(character > "\uffff" for character in text)


def _no_change(job: Job) -> str:
    if job.provider in (Provider.UNKNOWN, Provider.LOCAL) and job.may_not_write_because:
        return f"nothing to comment on: {job.may_not_write_because}"
    return "nothing to comment on: this job is for no pull request or merge request"


def _keep(job: Job, summary: str) -> str | None:
    if job.summary_file is None or not summary:
        return None
    try:
        outputs.summarise(job.summary_file, summary)
    except ForgeError as error:
        return error.message
    return None


def _put(forge: Forge, note: Note, gone: set[int]) -> Delivery:
    done = sticky.put(forge, note, gone)
    if done.comment is None:
        return Delivery(outcome=Outcome.LEFT, reason="no comment: nothing in the report crosses the threshold")
    if done.newer:
        return Delivery(
            outcome=Outcome.LEFT, url=done.comment.url, reason="the comment is that of a newer commit's pipeline"
        )
    return Delivery(outcome=Outcome.COMMENTED, url=done.comment.url)


def asking(job: Job, token: str, patience: Patience, ask: Callable[[Forge, set[int]], Delivery]) -> Delivery:
    """Return what ASK makes of the forge, asked again while that may help, or the Delivery that tells why not."""

    # A forge may repeat the token in what it says, and that is told before each wait.
    discreet = replace(patience, tell=lambda text: patience.tell(text.replace(token, "***")))

    def work() -> Delivery:
        gone: set[int] = set()
        with connect(job, token) as forge:
            return discreet.through(lambda: ask(forge, gone))

    try:
        return patience.bounded(work)
    except ForgeError as error:
        outcome = Outcome.NOT_PERMITTED if isinstance(error, RefusedError) else Outcome.FAILED
        return Delivery(outcome=outcome, reason=_without(token, error.message), hint=_without(token, error.hint))


def _without(token: str, text: str | None) -> str | None:
    return None if text is None else text.replace(token, "***")
