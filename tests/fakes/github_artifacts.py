"""The artifacts of a fake GitHub's runs; the newest come first, and one that has expired is listed all the same."""

import json
import re
from typing import Any, Final

from fake_github import REPOSITORY, TOKEN, FakeGitHub, refusal
from forge_server import DESCRIPTIONS, Answer, Request, page

_EXAMPLES: Final = DESCRIPTIONS / "github-examples.json"
_RUN: Final = "GET /repos/{owner}/{repo}/actions/runs/{run_id}"


class FakeArtifacts(FakeGitHub):
    """Keeps artifacts and the status of each run; `may_write` is false for a token without `actions: write`."""

    def __init__(self) -> None:
        super().__init__()
        self.artifacts: list[dict[str, Any]] = []
        self.status: dict[int, str] = {}
        self.may_write = True
        example = json.loads(_EXAMPLES.read_text())[_RUN]["200"]["default"] if _EXAMPLES.is_file() else {}
        self._run: dict[str, Any] = example

    def upload(self, name: str, day: str, run: int | None, *, expired: bool = False) -> int:
        """Upload NAME in RUN, which is over unless `status` says otherwise, on DAY, and return its id."""
        number = 1 + len(self.artifacts)
        url = f"{self.server.url}/repos/{REPOSITORY}/actions/artifacts/{number}"
        of = None if run is None else {"id": run, "head_branch": "main", "head_sha": "c" * 40}
        self.artifacts.append(
            {
                "id": number,
                "node_id": f"A_{number}",
                "name": name,
                "size_in_bytes": 1000,
                "url": url,
                "archive_download_url": f"{url}/zip",
                "expired": expired,
                "created_at": f"{day}T08:00:00Z",
                "expires_at": "2027-06-15T08:00:00Z",
                "updated_at": f"{day}T08:00:00Z",
                "digest": None,
                "workflow_run": of,
            }
        )
        return number

    def remove(self, number: int) -> bool:
        """Remove the artifact NUMBER, as somebody else may, and tell whether it was there."""
        before = len(self.artifacts)
        self.artifacts = [one for one in self.artifacts if one["id"] != number]
        return len(self.artifacts) < before

    @property
    def left(self) -> set[int]:
        return {one["id"] for one in self.artifacts}

    def _answer(self, request: Request) -> Answer:
        path = request.path.removeprefix(f"/repos/{REPOSITORY}/actions/")
        if path == request.path or request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return super()._answer(request)
        if path == "artifacts":
            shown, _ = page(self.artifacts[::-1], request.query, 30)
            return Answer(status=200, content={"total_count": len(self.artifacts), "artifacts": shown})
        if found := re.fullmatch(r"artifacts/([0-9]+)", path):
            if not self.may_write:
                return refusal(403, "Resource not accessible by integration")
            return Answer(status=204) if self.remove(int(found[1])) else refusal(404, "Not Found")
        if (found := re.fullmatch(r"runs/([0-9]+)", path)) and int(found[1]) >= 0:
            status = self.status.get(int(found[1]), "completed")
            if status == "gone":
                return refusal(404, "Not Found")
            conclusion = "success" if status == "completed" else None
            ours = {"id": int(found[1]), "status": status, "conclusion": conclusion}
            return Answer(status=200, content=self._run | ours)
        return refusal(404, "Not Found")
