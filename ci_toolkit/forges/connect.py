"""Choose who speaks to the forge of a job."""

from typing import assert_never

from ci_toolkit.ci.job import Head, Job, Provider
from ci_toolkit.forges.forge import Forge, RefusedError


def connect(job: Job, token: str) -> Forge:
    """Return the forge that holds the repository of JOB, and its change where it is for one; nothing is sent yet.

    The clients are heavy, so each is loaded when its forge is met. Raises RefusedError where JOB does not say enough.
    """
    change = job.change or job.head
    if job.api_url is None or job.repository is None:
        raise RefusedError("the CI's variables name no API or repository", hint="Pass them on into the container.")
    if not _is_plain(token):
        raise RefusedError("the token holds characters that no token has", hint="Is there a line break in the secret?")
    if job.provider is Provider.GITHUB:
        from ci_toolkit.forges import github

        return github.PullRequest(job.api_url, job.repository, change, token)
    if isinstance(change, Head):
        raise RefusedError("this forge is not asked for a change by its head", hint="Comment from its own job.")
    match job.provider:
        case Provider.GITLAB:
            from ci_toolkit.forges import gitlab

            return gitlab.MergeRequest(job.api_url, job.repository, change, token)
        case Provider.FORGEJO | Provider.GITEA:
            from ci_toolkit.forges import forgejo

            return forgejo.PullRequest(job.api_url, job.repository, change, token)
        case Provider.UNKNOWN | Provider.LOCAL:
            raise RefusedError("no forge is known here")
        case _:
            assert_never(job.provider)


def _is_plain(token: str) -> bool:
    """Whether TOKEN fits into a header; an HTTP library's complaint about one that does not would show it."""
    return token.isascii() and token.isprintable() and " " not in token and bool(token)
