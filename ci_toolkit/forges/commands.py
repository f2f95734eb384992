"""Do what a comment on a pull request asks for, if its author may write: start the run of its last commit again.

Nothing of the pull request is fetched or run here. The run that starts again is the one that GitHub itself started for
the pull request, with the token that it gave it then: one that only reads, and no secrets, where that is a fork's.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.ci.remark import WORDS, Remark
from ci_toolkit.errors import ForgeError
from ci_toolkit.forges.forge import RefusedError
from ci_toolkit.forges.github_runs import Reaction, Runs
from ci_toolkit.forges.patience import Patience

# As the setting `workflow`: the caller does the rest.
NOTHING: Final = "none"
_RERUN: Final = (
    "The job needs `permissions: actions: write`; and GitHub starts no run again that is older than a month: push then."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a command: `reason` says it in words.

    `commit` is the head of the pull request where the author may ask, else None. `failed` tells that this job itself
    could not do what it was set up for, which is not for the author to mend.
    """

    reason: str
    commit: str | None = None
    hint: str | None = None
    failed: bool = False


def obey(job: Job, token: str | None, remark: Remark, workflow: str, patience: Patience) -> Answer:
    """Do what REMARK asks for: start the run of WORKFLOW again. Never raises a ForgeError, nor shows the token."""
    if job.provider is not Provider.GITHUB or job.api_url is None or job.repository is None:
        return Answer(reason="commands in comments are heard on GitHub alone", failed=True)
    if token is None:
        return Answer(reason="there is no token", hint="Hand GITHUB_TOKEN to this step.", failed=True)
    api_url, repository = job.api_url, job.repository
    discreet = replace(patience, tell=lambda text: patience.tell(text.replace(token, "***")))

    def work() -> Answer:
        with Runs(api_url, repository, token) as runs:
            return discreet.through(lambda: _answer(runs, remark, workflow))

    try:
        return patience.bounded(work)
    except ForgeError as error:
        hint = error.hint.replace(token, "***") if error.hint else None
        return Answer(reason=error.message.replace(token, "***"), hint=hint, failed=True)


def _answer(runs: Runs, remark: Remark, workflow: str) -> Answer:
    """Asked again after a broken connection, it finds what it has started already."""

    def tell(reaction: Reaction, answer: Answer) -> Answer:
        try:
            runs.react(remark.comment, reaction)
        except RefusedError:
            return replace(answer, reason=f"{answer.reason} (no reaction: the job lacks pull-requests: write)")
        return answer

    if not runs.may_write(remark.author):
        return tell(Reaction.REFUSED, Answer(reason=f"{remark.author} may not write to this repository"))
    if remark.word is None:
        known = " or ".join(f"`/ci-toolkit {word}`" for word in WORDS)
        return tell(Reaction.CONFUSED, Answer(reason=f"the command is unknown: {known} is", hint=None))
    commit = runs.head(remark.change)
    if commit is None:
        return tell(Reaction.CONFUSED, Answer(reason="the pull request is closed"))
    if workflow == NOTHING:
        return tell(Reaction.HEARD, Answer(reason=f"{remark.author} asks to {remark.word} {commit}", commit=commit))
    return _start(runs, workflow, commit, tell)


def _start(runs: Runs, workflow: str, commit: str, tell: Callable[[Reaction, Answer], Answer]) -> Answer:
    run = runs.newest(workflow, commit)
    if run is None or run.waits:
        why = f"no run of {workflow} for commit {commit[:12]}" if run is None else f"{run.url} waits for approval"
        hint = "Push to the pull request, or approve its run there: only a run that GitHub began can be started again."
        return tell(Reaction.CONFUSED, Answer(reason=why, commit=commit, hint=hint))
    if not run.is_over:
        return tell(Reaction.HEARD, Answer(reason=f"{run.url} is running already", commit=commit))
    try:
        runs.start_again(run)
    except RefusedError as error:
        return tell(Reaction.CONFUSED, Answer(reason=error.message, hint=_RERUN, commit=commit, failed=True))
    return tell(Reaction.STARTED, Answer(reason=f"started again: {run.url}", commit=commit))
