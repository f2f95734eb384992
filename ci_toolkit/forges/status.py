"""Say the verdict at the commit too: a commit status, which GitHub, GitLab, Forgejo and Gitea all have."""

from typing import Final

from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.forges.deliver import Delivery, Outcome, asking, length
from ci_toolkit.forges.forge import Forge, State, Status
from ci_toolkit.forges.patience import Patience

# GitHub refuses longer ones; GitLab and Forgejo have 255.
DESCRIPTION_LIMIT_CHARACTERS: Final = 140
CONTEXT_LIMIT_CHARACTERS: Final = 100


def put(
    job: Job, token: str | None, state: State, description: str, name: str, *, patience: Patience | None = None
) -> Delivery:
    """Set STATE on the commit of JOB, for the image NAME. Never raises, nor shows the token, as `deliver` does not.

    DESCRIPTION and NAME are made to fit. A job that may not is no failure: the log and the comment tell the same.
    """
    if job.commit is None or job.provider in (Provider.UNKNOWN, Provider.LOCAL):
        return Delivery(outcome=Outcome.NO_CHANGE, reason="no commit status: no forge or commit is known here")
    if not job.may_write or token is None:
        return Delivery(outcome=Outcome.NOT_PERMITTED, reason=job.may_not_write_because or "there is no token")
    status = Status(
        commit=job.commit,
        state=state,
        description=_cut(description, DESCRIPTION_LIMIT_CHARACTERS),
        context=_cut(f"ci-toolkit: {name}", CONTEXT_LIMIT_CHARACTERS),
        url=job.run_url,
    )

    def say(forge: Forge, _gone: set[int]) -> Delivery:
        forge.set_status(status)
        return Delivery(outcome=Outcome.COMMENTED)

    return asking(job, token, patience or Patience(attempts=4, total_seconds=120, end_seconds=180), say)


def _cut(text: str, limit: int) -> str:
    """Shorten TEXT to LIMIT UTF-16 units."""
    kept = text[:limit]
    while length(kept) > limit or (kept != text and length(kept) >= limit):
        kept = kept[:-1]
    return kept if kept == text else f"{kept}…"
