"""What a command in a comment needs of GitHub: who may write, the head of a pull request, its runs, and a reaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from ci_toolkit.ci import variables
from ci_toolkit.errors import ForgeError
from ci_toolkit.forges import github
from ci_toolkit.forges.forge import PAGE_SIZE, MissingError

_WRITERS: Final = ("write", "admin")
_ODD: Final = "the answers are not those of GitHub's API"


class Reaction(StrEnum):
    """What stands below a comment that was heard."""

    STARTED = "rocket"
    HEARD = "eyes"
    REFUSED = "-1"
    CONFUSED = "confused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of a workflow; `waits` tells that somebody has to approve it first, as the first ones of a fork."""

    id: int
    url: str | None
    is_over: bool
    waits: bool


class Runs:
    """The runs of one repository; open until its context ends. Every method raises as a `Forge` does."""

    def __init__(self, api_url: str, repository: str, token: str) -> None:
        self._github = github.client(api_url, token)
        self._root = f"/repos/{repository}"

    def may_write(self, login: str) -> bool:
        """Tell whether LOGIN may push to the repository."""
        try:
            found = self._ask("GET", f"/collaborators/{quote(login, safe='')}/permission")
        except MissingError:
            return False  # no such user
        return found.get("permission") in _WRITERS

    def head(self, change: int) -> str | None:
        """Return the last commit of the pull request CHANGE; None where it is closed."""
        found = self._ask("GET", f"/pulls/{change}")
        head = found.get("head")
        commit = variables.commit(head.get("sha")) if isinstance(head, dict) else None
        if commit is None:
            raise ForgeError(_ODD)
        return commit if found.get("state") == "open" else None

    def newest(self, workflow: str, commit: str) -> Run | None:
        """Return the newest run of WORKFLOW, a file's name, for COMMIT of a pull request; None where there is none."""
        query = f"event=pull_request&head_sha={commit}&per_page={PAGE_SIZE}"
        found = self._ask("GET", f"/actions/runs?{query}").get("workflow_runs")
        if not isinstance(found, list):
            raise ForgeError(_ODD)
        run = next((run for run in found if _is_of(run, workflow, commit)), None)  # the newest comes first
        number = variables.number(run.get("id")) if run is not None else None
        if run is None or number is None:
            return None
        return Run(
            id=number,
            url=variables.address(run.get("html_url")),
            is_over=run.get("status") == "completed",
            waits="action_required" in (run.get("status"), run.get("conclusion")),
        )

    def start_again(self, run: Run) -> None:
        """Start all jobs of RUN again: with the code, the rights and the secrets that it had, and no others."""
        self._ask("POST", f"/actions/runs/{run.id}/rerun")

    def react(self, comment: int, reaction: Reaction) -> None:
        """Put REACTION below a comment; the same one again does no harm."""
        self._ask("POST", f"/issues/comments/{comment}/reactions", {"content": reaction.value})

    def _ask(self, method: str, path: str, content: Mapping[str, str] | None = None) -> Mapping[str, object]:
        with github.understood():
            _, found = self._github.requester.requestJsonAndCheck(
                method, f"{self._root}{path}", input=dict(content) if content is not None else None
            )
        return found if isinstance(found, dict) else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._github.close()


def _is_of(run: object, workflow: str, commit: str) -> bool:
    """Tell whether RUN is of the file WORKFLOW; GitHub may put "@" and a branch behind it."""
    if not isinstance(run, dict) or run.get("head_sha") != commit:
        return False
    path = run.get("path")
    return isinstance(path, str) and path.partition("@")[0] == f".github/workflows/{workflow}"
