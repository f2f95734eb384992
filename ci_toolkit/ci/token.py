"""Which variable holds the token that may comment."""

from collections.abc import Mapping
from typing import Final

from ci_toolkit import settings
from ci_toolkit.ci.job import Provider

# In the order in which they are tried, after the setting `token`. CI_JOB_TOKEN is not here: it cannot comment.
VARIABLES: Final[Mapping[Provider, tuple[str, ...]]] = {
    Provider.GITHUB: ("GITHUB_TOKEN",),
    Provider.GITLAB: ("GITLAB_TOKEN",),
    Provider.FORGEJO: ("FORGEJO_TOKEN", "GITEA_TOKEN", "GITHUB_TOKEN"),
    Provider.GITEA: ("GITEA_TOKEN", "GITHUB_TOKEN"),
    Provider.UNKNOWN: (),
    Provider.LOCAL: (),
}


def find(provider: Provider, environ: Mapping[str, str]) -> str | None:
    """Return the setting `token` (CI_TOOLKIT_TOKEN), else PROVIDER's own variable, without blanks around it."""
    candidates = (settings.value("token", environ), *(environ.get(name, "") for name in VARIABLES[provider]))
    return next((candidate.strip() for candidate in candidates if candidate.strip()), None)
