"""Find out which CI system runs this job."""

from collections.abc import Callable, Mapping
from typing import Final

from ci_toolkit.ci import github, gitlab, local, others
from ci_toolkit.ci.job import Job, Provider

# First match wins. Forgejo and Gitea set all of GitHub's variables as well, so they come first. The value is compared
# whole: gitlab-ci-local says GITLAB_CI=false.
SYSTEMS: Final[tuple[tuple[str, Callable[[Mapping[str, str]], Job]], ...]] = (
    ("FORGEJO_ACTIONS", lambda environ: github.job(environ, Provider.FORGEJO)),
    ("GITEA_ACTIONS", lambda environ: github.job(environ, Provider.GITEA)),
    ("GITHUB_ACTIONS", lambda environ: github.job(environ, Provider.GITHUB)),
    ("GITLAB_CI", gitlab.job),
)


def detect(environ: Mapping[str, str]) -> Job:
    """Return what ENVIRON, and the event file it names, say of this job; odd values are left out, nothing is raised."""
    for variable, read in SYSTEMS:
        if environ.get(variable) == "true":
            return read(environ)
    return others.job(environ) or local.job()
