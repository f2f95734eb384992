"""The one table of places that releases go to, and how each is written on the command line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ci_toolkit import settings
from ci_toolkit.ci import variables
from ci_toolkit.errors import UsageError
from ci_toolkit.forges.patience import Patience
from ci_toolkit.publish.target import Target

if TYPE_CHECKING:
    from ci_toolkit.publish.artifacts import Artifacts

# What follows the colon, the environment, and the patience, become a target. Raises UsageError.
Open = Callable[[str, Mapping[str, str], Patience], Target]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of target: `written` as the user writes it."""

    name: str
    written: str
    told: str
    open: Open


def _directory(text: str, _environ: Mapping[str, str], _patience: Patience) -> Target:
    from ci_toolkit.publish.directory import Directory

    if not text:
        raise UsageError("the target dir names no directory", hint="Write dir:PATH.")
    return Directory(Path(text).absolute())


def _github(text: str, environ: Mapping[str, str], patience: Patience) -> Target:
    from ci_toolkit.publish.github import Releases

    api_url, repository = _repository("github", text, environ)
    return Releases(api_url, repository, _token(environ, "GITHUB_TOKEN"), patience)


def _gitlab(text: str, environ: Mapping[str, str], patience: Patience) -> Target:
    from ci_toolkit.publish.gitlab import Packages

    api_url, project = variables.address(environ.get("CI_API_V4_URL")), environ.get("CI_PROJECT_ID", "")
    if api_url is None or not project:
        raise UsageError("nothing says which GitLab and project", hint="Set CI_API_V4_URL and CI_PROJECT_ID.")
    if environ.get("GITLAB_TOKEN", "").strip() or not environ.get("CI_JOB_TOKEN"):
        headers = {"PRIVATE-TOKEN": _token(environ, "GITLAB_TOKEN")}
    else:
        headers = {"JOB-TOKEN": _token(environ, "CI_JOB_TOKEN")}
    package = text or environ.get("CI_PROJECT_NAME") or "images"
    return Packages(api_url, project, package, headers, patience)


def _registry(text: str, environ: Mapping[str, str], patience: Patience) -> Target:
    from ci_toolkit.publish.registry import Account, Registry

    host, _, repository = text.partition("/")
    if not host or not repository or repository != repository.lower() or not all(repository.split("/")):
        raise UsageError(
            f"the target oci:{text} names no repository", hint="Write oci:HOST/REPOSITORY, in small letters."
        )
    scheme = "http" if urlsplit(f"//{host}").hostname in ("localhost", "127.0.0.1", "::1") else "https"
    user, password = environ.get("CI_TOOLKIT_REGISTRY_USER", ""), environ.get("CI_TOOLKIT_REGISTRY_PASSWORD", "")
    if not user and host == environ.get("CI_REGISTRY"):
        user, password = environ.get("CI_REGISTRY_USER", ""), environ.get("CI_REGISTRY_PASSWORD", "")
    if not user and host == "ghcr.io" and environ.get("GITHUB_TOKEN"):
        user, password = environ.get("GITHUB_ACTOR") or "token", environ["GITHUB_TOKEN"]
    return Registry(f"{scheme}://{host}", repository, Account(user=user, password=password), patience)


TARGETS: Final = (
    Kind(name="dir", written="dir:PATH", told="a directory for mirrors", open=_directory),
    Kind(name="github", written="github[:OWNER/NAME]", told="a GitHub release", open=_github),
    Kind(name="gitlab", written="gitlab[:PACKAGE]", told="a GitLab package and release", open=_gitlab),
    Kind(name="oci", written="oci:HOST/REPOSITORY", told="a registry of container images", open=_registry),
)

# What `prune` removes from besides.
ARTIFACTS: Final = "github-artifacts"
TOLD: Final = "; ".join(f"{kind.written}, {kind.told}" for kind in TARGETS)


def find(text: str, environ: Mapping[str, str], patience: Patience) -> Target:
    """Return the target that TEXT names; nothing is sent yet. Raises UsageError."""
    name, _, rest = text.partition(":")
    for kind in TARGETS:
        if kind.name == name:
            return kind.open(rest, environ, patience)
    raise UsageError(f"there is no target {text!r}", hint=f"Targets: {', '.join(kind.written for kind in TARGETS)}.")


def artifacts(text: str, environ: Mapping[str, str], patience: Patience, pattern: str) -> "Artifacts | None":
    """Return the artifacts of runs that TEXT names, of which those whose names match PATTERN; None for a target.

    It is no target: nothing is released there. Raises UsageError.
    """
    from ci_toolkit.publish.artifacts import Artifacts

    name, _, rest = text.partition(":")
    if name != ARTIFACTS:
        return None
    api_url, repository = _repository(ARTIFACTS, rest, environ)
    here = repository == environ.get("GITHUB_REPOSITORY")
    own_run = variables.number(environ.get("GITHUB_RUN_ID")) if here else None
    return Artifacts(api_url, repository, _token(environ, "GITHUB_TOKEN"), patience, pattern, own_run)


def _repository(kind: str, text: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the address of GitHub's API, and the repository TEXT, else that of the job."""
    repository = variables.slug(text or environ.get("GITHUB_REPOSITORY"))
    api_url = variables.address(environ.get("GITHUB_API_URL") or "https://api.github.com")
    if repository is None or api_url is None:
        raise UsageError(f"the target {kind}:{text} names no repository", hint=f"Write {kind}:OWNER/NAME.")
    return api_url, repository


def _token(environ: Mapping[str, str], name: str) -> str:
    token = environ.get(name, "").strip() or settings.value("token", environ)
    if not token:
        raise UsageError(f"{name} is not set, without which nothing can be published", hint="Hand it to the job.")
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise UsageError(f"{name} holds characters that no token has", hint="Is there a line break in the secret?")
    return token
