"""CI systems that are recognised by name, for the commit and the change; nothing is written to their forges."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ci_toolkit.ci import variables
from ci_toolkit.ci.job import Job, Provider

_LAST_NUMBER: Final = re.compile(r"[1-9][0-9]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One CI system: the variables that prove it (name, and its exact value or None for any) and those to read."""

    name: str
    proof: tuple[tuple[str, str | None], ...]
    commit: tuple[str, ...] = ()
    change: tuple[str, ...] = ()
    repository: tuple[str, ...] = ()
    owner_and_name: tuple[str, str] | None = None
    run_url: tuple[str, ...] = ()

    def matches(self, environ: Mapping[str, str]) -> bool:
        """Tell whether every variable of the proof is set, and to its value where it has one."""
        return all(bool(environ.get(name)) and value in (None, environ[name]) for name, value in self.proof)


# First match wins: an exact value first. Sources: ci-info's vendors.json, env-ci, Woodpecker's documentation.
SYSTEMS: Final = (
    System(
        name="Woodpecker",
        proof=(("CI", "woodpecker"),),
        commit=("CI_COMMIT_SHA",),
        change=("CI_COMMIT_PULL_REQUEST",),
        repository=("CI_REPO",),
        run_url=("CI_PIPELINE_URL",),
    ),
    System(
        name="Buildkite",
        proof=(("BUILDKITE", None),),
        commit=("BUILDKITE_COMMIT",),
        change=("BUILDKITE_PULL_REQUEST",),
        repository=("BUILDKITE_REPO",),
        run_url=("BUILDKITE_BUILD_URL",),
    ),
    System(
        name="Cirrus CI",
        proof=(("CIRRUS_CI", None),),
        commit=("CIRRUS_CHANGE_IN_REPO",),
        change=("CIRRUS_PR",),
        repository=("CIRRUS_REPO_FULL_NAME",),
    ),
    System(
        name="Azure Pipelines",
        proof=(("TF_BUILD", None),),
        commit=("BUILD_SOURCEVERSION",),
        change=("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "SYSTEM_PULLREQUEST_PULLREQUESTID"),
        repository=("BUILD_REPOSITORY_NAME",),
    ),
    System(name="sourcehut", proof=(("CI_NAME", "sourcehut"),), run_url=("JOB_URL",)),
    System(
        name="Jenkins",
        proof=(("JENKINS_URL", None), ("BUILD_ID", None)),
        commit=("GIT_COMMIT",),
        change=("CHANGE_ID", "ghprbPullId", "gitlabMergeRequestId"),
        repository=("GIT_URL",),
        run_url=("BUILD_URL",),
    ),
    System(
        name="Drone",
        proof=(("DRONE", None),),
        commit=("DRONE_COMMIT_SHA",),
        change=("DRONE_PULL_REQUEST",),
        repository=("DRONE_REPO",),
        run_url=("DRONE_BUILD_LINK",),
    ),
    System(
        name="CircleCI",
        proof=(("CIRCLECI", None),),
        commit=("CIRCLE_SHA1",),
        change=("CIRCLE_PULL_REQUEST", "CIRCLE_PR_NUMBER"),
        owner_and_name=("CIRCLE_PROJECT_USERNAME", "CIRCLE_PROJECT_REPONAME"),
        run_url=("CIRCLE_BUILD_URL",),
    ),
    System(
        name="Travis CI",
        proof=(("TRAVIS", None),),
        commit=("TRAVIS_COMMIT",),
        change=("TRAVIS_PULL_REQUEST",),
        repository=("TRAVIS_REPO_SLUG",),
        run_url=("TRAVIS_JOB_WEB_URL",),
    ),
    System(
        name="Bitbucket Pipelines",
        proof=(("BITBUCKET_COMMIT", None),),
        commit=("BITBUCKET_COMMIT",),
        change=("BITBUCKET_PR_ID",),
        repository=("BITBUCKET_REPO_FULL_NAME",),
    ),
)

# Set by more systems than there are rows above; CI=false is how some say that they are none.
_HINTS: Final = ("CONTINUOUS_INTEGRATION", "BUILD_NUMBER", "RUN_ID")
# Whoever runs a CI that nobody knows may say it himself, in the variables that reviewdog reads; so where a system of
# SYSTEMS leaves something out.
_NAMELESS: Final = System(
    name="an unknown CI system",
    proof=(),
    commit=("CI_COMMIT",),
    change=("CI_PULL_REQUEST",),
    owner_and_name=("CI_REPO_OWNER", "CI_REPO_NAME"),
)


def job(environ: Mapping[str, str]) -> Job | None:
    """Return the job of a system of SYSTEMS, or of one that says no more than CI=true; None outside of any CI."""
    system = next((system for system in SYSTEMS if system.matches(environ)), None)
    if system is None and not _is_ci(environ):
        return None
    return _read(system or _NAMELESS, environ)


def _is_ci(environ: Mapping[str, str]) -> bool:
    return environ.get("CI", "") not in ("", "false") or any(environ.get(name) for name in _HINTS)


def _read(system: System, environ: Mapping[str, str]) -> Job:
    either = (system, _NAMELESS)
    commits = (variables.commit(variables.text(environ, *one.commit)) for one in either)
    changes = (_change(variables.text(environ, *one.change)) for one in either)
    repositories = (_repository(one, environ) for one in either)
    return Job(
        provider=Provider.UNKNOWN,
        repository=next(filter(None, repositories), None),
        commit=next(filter(None, commits), None),
        change=next(filter(None, changes), None),
        run_url=variables.address(variables.text(environ, *system.run_url)),
        may_not_write_because=f"this is {system.name}, where no comment can be written",
    )


def _repository(system: System, environ: Mapping[str, str]) -> str | None:
    if system.owner_and_name is not None:
        owner, name = (environ.get(variable, "") for variable in system.owner_and_name)
        return variables.slug(f"{owner}/{name}")
    return variables.repository(variables.text(environ, *system.repository))


def _change(value: str | None) -> int | None:
    """Some give a number, some the address that ends in it, some the word false."""
    match = _LAST_NUMBER.search(value or "")
    return variables.number(match[0]) if match else None
