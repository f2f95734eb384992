"""The artifacts of GitHub's runs: nothing is released to them, but runs leave many that nobody looks at again.

https://docs.github.com/en/rest/actions/artifacts
"""

from collections.abc import Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Final

from ci_toolkit.errors import ForgeError
from ci_toolkit.forges.forge import PAGE_SIZE, MissingError, RefusedError
from ci_toolkit.forges.patience import Patience
from ci_toolkit.publish.wire import Wire, shaped
from ci_toolkit.releases.artifacts import Artifact

# What action.yml and the reusable workflow upload under, where nobody names another one.
PATTERN: Final = "ci-toolkit-*"
_LIMIT_PAGES: Final = 1000
_OVER: Final = "completed"
_HINT: Final = "The job needs `permissions: actions: write`."


class Artifacts:
    """The artifacts of REPOSITORY ("owner/name") whose names match PATTERN, asked for by the run OWN_RUN, if by one."""

    def __init__(
        self, api_url: str, repository: str, token: str, patience: Patience, pattern: str, own_run: int | None
    ) -> None:
        self.name = f"github-artifacts:{repository}"
        self.own_run = own_run
        self._url = f"{api_url}/repos/{repository}/actions"
        self._pattern = pattern
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        self._wire = Wire(homes=(api_url,), headers=headers, patience=patience)
        self._over: dict[int, bool] = {}

    def artifacts(self) -> tuple[Artifact, ...]:
        """Return those that have not expired: of these GitHub has removed the files by itself."""
        with shaped("GitHub's API"):
            found = {one["id"]: _artifact(one) for one in self._listed() if self._is_ours(one)}
        return tuple(found.values())

    def spared(self, artifact: Artifact) -> str | None:
        """Return why ARTIFACT, which no policy keeps, stays all the same: its run may need it. None where it may go."""
        if artifact.run is None:
            return "nothing tells of which run it is"
        if artifact.run not in self._over:
            with shaped("GitHub's API"):
                self._over[artifact.run] = self._is_over(artifact.run)
        return None if self._over[artifact.run] else "its run is still going on"

    def remove(self, artifact: Artifact) -> bool:
        """Delete ARTIFACT, and tell whether it was still there."""
        try:
            self._ask("DELETE", f"/artifacts/{artifact.id}")
        except MissingError:
            return False
        return True

    def _is_over(self, run: int) -> bool:
        try:
            return bool(self._ask("GET", f"/runs/{run}")["status"] == _OVER)
        except MissingError:
            return True  # who deletes a run needs no artifact of it

    def _is_ours(self, found: dict[str, Any]) -> bool:
        # An artifact without a date is one that is just being made.
        return not found["expired"] and bool(found["created_at"]) and fnmatchcase(found["name"], self._pattern)

    def _listed(self) -> Iterator[dict[str, Any]]:
        for page in range(1, _LIMIT_PAGES + 1):
            items = self._ask("GET", "/artifacts", {"per_page": PAGE_SIZE, "page": page})["artifacts"]
            yield from items
            if len(items) < PAGE_SIZE:
                return

    def _ask(self, method: str, path: str, query: dict[str, str | int] | None = None) -> dict[str, Any]:
        try:
            answer = self._wire.ask(method, f"{self._url}{path}", query=query)
        except MissingError:
            raise
        except RefusedError as error:
            raise ForgeError(error.message, hint=_HINT) from error
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found


def _artifact(found: dict[str, Any]) -> Artifact:
    run = (found.get("workflow_run") or {}).get("id")
    created = datetime.fromisoformat(found["created_at"])
    if created.tzinfo is None or not isinstance(found["id"], int) or not isinstance(found["name"], str):
        raise ValueError
    return Artifact(
        id=found["id"],
        name=found["name"],
        created=created,
        size=int(found["size_in_bytes"]),
        run=run if isinstance(run, int) else None,
    )
