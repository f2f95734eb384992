"""GitLab CI/CD."""

from collections.abc import Mapping
from typing import Final

from ci_toolkit.ci import token, variables
from ci_toolkit.ci.job import Job, Provider

FORK: Final = "the merge request comes from a fork, and its pipeline runs there, with no token for this project"
JOB_TOKEN_ONLY: Final = (
    "GitLab does not take CI_JOB_TOKEN for comments; "
    "give a project access token (scope api, role Developer) as the masked variable GITLAB_TOKEN"
)


def job(environ: Mapping[str, str]) -> Job:
    """Read the variables of one job; the project is the one that holds the merge request, not the one that runs."""
    project = variables.number(environ.get("CI_PROJECT_ID"))
    target = variables.number(environ.get("CI_MERGE_REQUEST_PROJECT_ID")) or project
    because = _may_not_write_because(environ, project, target)
    return Job(
        provider=Provider.GITLAB,
        repository=str(target) if target is not None else None,
        commit=_commit(environ),
        # The API wants the IID; CI_MERGE_REQUEST_ID is another number.
        change=variables.number(environ.get("CI_MERGE_REQUEST_IID")) or _open_merge_request(environ),
        api_url=variables.address(environ.get("CI_API_V4_URL")),
        run_url=variables.address(environ.get("CI_JOB_URL")) or variables.address(environ.get("CI_PIPELINE_URL")),
        name=variables.text(environ, "CI_JOB_NAME"),
        run=variables.number(environ.get("CI_PIPELINE_ID")) or 0,
        site=variables.address(environ.get("CI_PROJECT_URL")),
        may_write=because is None,
        may_not_write_because=because,
    )


def _commit(environ: Mapping[str, str]) -> str | None:
    """With merged results CI_COMMIT_SHA is a temporary merge; else CI_MERGE_REQUEST_SOURCE_BRANCH_SHA is empty."""
    return variables.commit(environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA")) or variables.commit(
        environ.get("CI_COMMIT_SHA")
    )


def _open_merge_request(environ: Mapping[str, str]) -> int | None:
    """In a branch pipeline: the one open merge request of this project that has the branch as its source."""
    found = [entry.rpartition("!") for entry in environ.get("CI_OPEN_MERGE_REQUESTS", "").split(",") if entry]
    if len(found) != 1 or found[0][0] != environ.get("CI_PROJECT_PATH"):
        return None
    return variables.number(found[0][2])


def _may_not_write_because(environ: Mapping[str, str], project: int | None, target: int | None) -> str | None:
    """A fork's merge request that a member runs in the parent project does have the parent's variables."""
    if project != target:
        return FORK
    if environ.get("CI_JOB_TOKEN") and token.find(Provider.GITLAB, environ) is None:
        return JOB_TOKEN_ONLY
    return None
