"""GitHub Actions, and Forgejo and Gitea Actions, which speak its variables."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ci_toolkit.ci import variables
from ci_toolkit.ci.job import Head, Job, Provider

# GitHub cuts webhook payloads at 25 MB; larger files are none of its events.
EVENT_LIMIT_BYTES: Final = 32 * 1024 * 1024

_PULL_REF: Final = re.compile(r"refs/pull/([0-9]+)/(?:merge|head)")

FORK: Final = (
    "the pull request comes from a fork, and GitHub gives its jobs a token that only reads; "
    "a workflow_run workflow in this repository may post the report"
)


def job(environ: Mapping[str, str], provider: Provider) -> Job:
    """Read the variables and the event of one job; what is missing or odd is left out."""
    event = read_event(environ.get("GITHUB_EVENT_PATH"))
    because = FORK if environ.get("GITHUB_EVENT_NAME") == "pull_request" and _is_from_fork(event) else None
    return Job(
        provider=provider,
        repository=variables.slug(environ.get("GITHUB_REPOSITORY")),
        commit=_commit(event) or variables.commit(environ.get("GITHUB_SHA")),
        change=_change(event) or _change_of_ref(environ.get("GITHUB_REF", "")),
        head=_head(event),
        api_url=variables.address(environ.get("GITHUB_API_URL")),
        run_url=_run_url(environ),
        name=_name(environ),
        run=variables.number(environ.get("GITHUB_RUN_ID")) or 0,
        site=_site(environ),
        may_write=because is None,
        may_not_write_because=because,
        summary_file=variables.text(environ, "GITHUB_STEP_SUMMARY"),
        output_file=variables.text(environ, "GITHUB_OUTPUT"),
    )


def read_event(path: str | None) -> Mapping[str, object]:
    """Return the payload that started the workflow; empty when there is none that can be read."""
    if not path:
        return {}
    try:
        file = Path(path)
        if not file.is_file() or file.stat().st_size > EVENT_LIMIT_BYTES:
            return {}
        event = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _inside(value: object, *names: str) -> object:
    """Walk down mappings by NAMES; None where one is missing."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _commit(event: Mapping[str, object]) -> str | None:
    """A status belongs on the head of the pull request: GITHUB_SHA is the merge commit there."""
    head = _inside(event, "pull_request", "head", "sha") or _inside(event, "workflow_run", "head_sha")
    return variables.commit(head)


def _change(event: Mapping[str, object]) -> int | None:
    if (number := variables.number(_inside(event, "pull_request", "number"))) is not None:
        return number
    if _inside(event, "issue", "pull_request") is not None:  # a comment on a pull request is an issue comment
        return variables.number(_inside(event, "issue", "number"))
    return _change_of_run(event)


def _change_of_run(event: Mapping[str, object]) -> int | None:
    """The one open pull request whose head the finished workflow ran on; a fork's is not in this list."""
    found = _inside(event, "workflow_run", "pull_requests")
    head = _inside(event, "workflow_run", "head_sha")
    candidates = found if isinstance(found, list) else []
    numbers = {
        variables.number(_inside(candidate, "number"))
        for candidate in candidates
        if _inside(candidate, "head", "sha") == head
    }
    return numbers.pop() if len(numbers) == 1 else None


def _head(event: Mapping[str, object]) -> Head | None:
    """Of the finished run for a pull request, what GitHub itself says it ran on; nothing that the run said."""
    run = event.get("workflow_run")
    if _inside(run, "event") not in ("pull_request", "pull_request_target"):
        return None
    repository = variables.slug(_inside(run, "head_repository", "full_name"))
    branch = variables.branch(_inside(run, "head_branch"))
    commit = variables.commit(_inside(run, "head_sha"))
    if repository is None or branch is None or commit is None:
        return None
    return Head(repository=repository, branch=branch, commit=commit)


def _change_of_ref(ref: str) -> int | None:
    match = _PULL_REF.fullmatch(ref)
    return variables.number(match[1]) if match else None


def _is_from_fork(event: Mapping[str, object]) -> bool:
    """Tell whether head and base are two repositories; a head that is null was a fork that has been deleted."""
    pull_request = _inside(event, "pull_request")
    if not isinstance(pull_request, dict):
        return False
    head = _inside(pull_request, "head", "repo", "id")
    return head is None or head != _inside(pull_request, "base", "repo", "id")


def _site(environ: Mapping[str, str]) -> str | None:
    server = variables.address(environ.get("GITHUB_SERVER_URL"))
    repository = variables.slug(environ.get("GITHUB_REPOSITORY"))
    return None if server is None or repository is None else f"{server}/{repository}"


def _run_url(environ: Mapping[str, str]) -> str | None:
    site = _site(environ)
    run = variables.number(environ.get("GITHUB_RUN_ID"))
    if site is None or run is None:
        return None
    attempt = variables.number(environ.get("GITHUB_RUN_ATTEMPT"))
    again = f"/attempts/{attempt}" if attempt is not None and attempt > 1 else ""
    return f"{site}/actions/runs/{run}{again}"


def _name(environ: Mapping[str, str]) -> str | None:
    """As GitHub shows it. The legs of a matrix share it: nothing in a leg's variables tells them apart."""
    parts = [environ[name] for name in ("GITHUB_WORKFLOW", "GITHUB_JOB") if environ.get(name)]
    return " / ".join(parts) or None
