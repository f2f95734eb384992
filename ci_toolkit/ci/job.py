"""Where we are, as one record: which CI system, repository, commit and change, and whether it may write."""

from dataclasses import dataclass
from enum import StrEnum

from ci_toolkit.ci import variables
from ci_toolkit.console import Fold


class Provider(StrEnum):
    """The CI systems that are told apart; UNKNOWN is a CI that says no more than CI=true."""

    GITHUB = "github"
    GITLAB = "gitlab"
    FORGEJO = "forgejo"
    GITEA = "gitea"
    UNKNOWN = "unknown"
    LOCAL = "local"

    @property
    def fold(self) -> Fold:
        match self:
            case Provider.GITHUB | Provider.FORGEJO | Provider.GITEA:
                return Fold.GITHUB
            case Provider.GITLAB:
                return Fold.GITLAB
            case Provider.UNKNOWN | Provider.LOCAL:
                return Fold.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where the commits of a change come from: a repository ("owner/name"), a branch in it, and its last commit."""

    repository: str
    branch: str
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the CI system says of this run.

    `repository` is "owner/name" on GitHub and the numeric id (as text) of the *target* project on GitLab; `change` is
    the number of the pull request or the IID of the merge request; `commit` is what a status would be put on (a
    pull request's head, not the merge commit). `may_write` is false for a fork's change, the reason is in
    `may_not_write_because`.
    `run` is the number of the pipeline, which grows from one to the next; `site` is the address of the repository,
    below which its jobs are.
    `head` is of a change that another workflow built and this one reports on (`workflow_run`): where `change` is None,
    the forge finds the change by it.
    `summary_file` and `output_file` are GITHUB_STEP_SUMMARY and GITHUB_OUTPUT. `name` tells jobs of one pipeline apart.
    """

    provider: Provider
    repository: str | None = None
    commit: str | None = None
    change: int | None = None
    head: Head | None = None
    api_url: str | None = None
    run_url: str | None = None
    name: str | None = None
    run: int = 0
    site: str | None = None
    may_write: bool = False
    may_not_write_because: str | None = None
    summary_file: str | None = None
    output_file: str | None = None

    @property
    def artifacts_url(self) -> str | None:
        """Where people find what the job keeps: on the page of GitHub's run, in GitLab's browser of artifacts."""
        if self.run_url is None or variables.address(self.run_url) is None:
            return None
        match self.provider:
            case Provider.GITHUB:
                return f"{self.run_url}#artifacts"
            case Provider.GITLAB:
                return f"{self.run_url}/artifacts/browse"
            case Provider.FORGEJO | Provider.GITEA:
                return self.run_url
            case Provider.UNKNOWN | Provider.LOCAL:
                return None
