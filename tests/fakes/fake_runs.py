"""A GitHub whose pull request has runs, and comments that people react to."""

import json
import re
from typing import Any, Final

from fake_github import REPOSITORY, TOKEN, FakeGitHub, refusal
from forge_server import DESCRIPTIONS, Answer, Request

HEAD: Final = "8f14e45fceea167a5a36dedd4bea2543c6d3a1b0"
_EXAMPLES: Final = DESCRIPTIONS / "github-examples.json"
_RUNS: Final = "GET /repos/{owner}/{repo}/actions/runs"


class FakeRuns(FakeGitHub):
    """Knows who may do what, and runs by their numbers; `denied` are the requests for which the token has no right."""

    def __init__(self) -> None:
        super().__init__()
        self.server.unchecked = (re.compile(r".*/(permission|rerun|reactions)"),)
        self.permissions = {"levente": "write", "admin": "admin", "reader": "read", "stranger": "none"}
        self.runs: list[dict[str, Any]] = []
        self.reactions: list[tuple[int, str]] = []
        self.started: list[int] = []
        self.denied: set[str] = set()
        self.open_pull(42, "mallory/images", "patch-1", HEAD)

    def add_run(self, number: int, **fields: str) -> None:
        """Add a run, the newest; FIELDS are other than those of a finished run of verify.yml for the head."""
        example = json.loads(_EXAMPLES.read_text())[_RUNS]["200"]["default"] if _EXAMPLES.is_file() else {}
        (run,) = example.get("workflow_runs", [{}])
        ours = {
            "id": number,
            "html_url": f"https://github.com/{REPOSITORY}/actions/runs/{number}",
            "path": ".github/workflows/verify.yml",
            "head_sha": HEAD,
            "event": "pull_request",
            "status": "completed",
            "conclusion": "failure",
        }
        self.runs.insert(0, run | ours | fields)

    def _answer(self, request: Request) -> Answer:
        path = request.path.removeprefix(f"/repos/{REPOSITORY}")
        if request.headers.get("Authorization") not in (f"token {TOKEN}", f"Bearer {TOKEN}"):
            return refusal(401, "Bad credentials")
        if path.rpartition("/")[2] in self.denied:
            return refusal(403, "Resource not accessible by integration")
        if found := re.fullmatch(r"/collaborators/([^/]+)/permission", path):
            level = self.permissions.get(found[1])
            return refusal(404, "Not Found") if level is None else Answer(status=200, content={"permission": level})
        if path == "/pulls/42":
            # A single one has more than those of a list.
            more = {
                "merged": False,
                "mergeable": None,
                "rebaseable": None,
                "mergeable_state": "clean",
                "merged_by": None,
            }
            counts = ("comments", "review_comments", "commits", "additions", "deletions", "changed_files")
            whole = self.pulls[0] | more | {"maintainer_can_modify": False} | dict.fromkeys(counts, 0)
            return Answer(status=200, content=whole)
        if path == "/actions/runs":
            runs = [
                one
                for one in self.runs
                if (one["head_sha"], one["event"]) == (request.query["head_sha"], request.query["event"])
            ]
            return Answer(status=200, content={"total_count": len(runs), "workflow_runs": runs})
        if (found := re.fullmatch(r"/actions/runs/([0-9]+)/rerun", path)) and request.method == "POST":
            self.started.append(int(found[1]))
            next(one for one in self.runs if one["id"] == int(found[1]))["status"] = "queued"
            return Answer(status=201, content={})
        if (found := re.fullmatch(r"/issues/comments/([0-9]+)/reactions", path)) and request.method == "POST":
            self.reactions.append((int(found[1]), request.json()["content"]))
            return Answer(status=201, content={"id": 1, "content": request.json()["content"]})
        return super()._answer(request)
