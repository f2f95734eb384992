"""A GitLab, perhaps below a path, with one merge request: project 7, !42."""

import re
from typing import Any, Final

from forge_server import Answer, ForgeServer, Request, page
from gitlab_releases import GitLabReleases
from issues import Issues

TOKEN: Final = "glpat-0123456789abcdefghij"
JOB_TOKEN: Final = "glcbt-64_0123456789abcdefghij"
BOT: Final = "project_7_bot_1f3a"
_MERGE_REQUEST: Final = "/projects/7/merge_requests/42"
_STATUSES: Final = "/projects/7/statuses/"
_NOTES: Final = f"{_MERGE_REQUEST}/notes"


class FakeGitLab:
    """Keeps notes. `login` is None for a token that may not ask who it is."""

    def __init__(self, base: str = "", login: str | None = BOT) -> None:
        self.server = ForgeServer(self._answer, base, "gitlab.json")
        self.login = login
        self.notes: list[dict[str, Any]] = []
        self.statuses: list[dict[str, Any]] = []
        self.releases = GitLabReleases(lambda: self.server.url)
        self.issues = Issues("/projects/7/issues", ("iid", "description", "opened"), lambda: self.server.url)
        self.server.unchecked = (re.compile(rf"/api/v4{self.issues.path.pattern}"),)

    @property
    def api_url(self) -> str:
        return f"{self.server.url}/api/v4"

    @property
    def bodies(self) -> list[str]:
        return [note["body"] for note in self.notes if not note["system"]]

    def add(self, body: str, login: str = BOT, *, system: bool = False) -> dict[str, Any]:
        """Add a note of somebody."""
        number = 1 + max((note["id"] for note in self.notes), default=5000)
        note = {
            "id": number,
            "type": None,
            "body": body,
            "author": self._user(login),
            "created_at": "2027-01-15T08:00:00.000Z",
            "updated_at": "2027-01-15T08:00:00.000Z",
            "system": system,
            "noteable_id": 900,
            "noteable_type": "MergeRequest",
            "project_id": 7,
            "resolvable": False,
            "confidential": False,
            "internal": False,
            "imported": False,
            "imported_from": "none",
            "noteable_iid": 42,
            "commands_changes": {},
        }
        self.notes.append(note)
        return note

    def _answer(self, request: Request) -> Answer:
        path = request.path.removeprefix("/api/v4")
        # A job's token is enough for packages and releases, and for nothing else here.
        if request.headers.get("JOB-TOKEN") == JOB_TOKEN:
            return self.releases.answer(request, path) or refusal(401, "401 Unauthorized")
        if request.headers.get("PRIVATE-TOKEN") != TOKEN:
            return refusal(401, "401 Unauthorized")
        if (answer := self.releases.answer(request, path) or self.issues.answer(request, path)) is not None:
            return answer
        if path == "/user":
            return Answer(status=200, content=self._user(self.login)) if self.login else refusal(403, "403 Forbidden")
        if path == _MERGE_REQUEST:
            return Answer(status=200, content=self._merge_request())
        if path == _NOTES:
            return self._list(request) if request.method == "GET" else self._create(request)
        if path.startswith(f"{_NOTES}/"):
            return self._one(request, int(path.removeprefix(f"{_NOTES}/")))
        if path.startswith(_STATUSES) and request.method == "POST":
            return self._set_status(request, path.removeprefix(_STATUSES))
        return refusal(404, "404 Not found")

    def _set_status(self, request: Request, sha: str) -> Answer:
        asked = request.json()
        status = {
            "id": 1 + len(self.statuses),
            "sha": sha,
            "ref": "main",
            "status": asked["state"],
            "name": asked["name"],
            "target_url": asked.get("target_url"),
            "description": asked["description"],
            "created_at": "2027-01-15T08:00:00.000Z",
            "started_at": None,
            "finished_at": "2027-01-15T08:00:00.000Z",
            "allow_failure": False,
            "coverage": None,
            "pipeline_id": 77001,
            "author": self._user(self.login or BOT),
        }
        self.statuses.append(status)
        return Answer(status=201, content=status)

    def _list(self, request: Request) -> Answer:
        items, following = page(self.notes, request.query, 20)
        # As behind a proxy that GitLab has not been told of: the next page is named by an address nobody can reach.
        query = "&".join(f"{name}={value}" for name, value in {**request.query, "page": str(following)}.items())
        link = f'<https://gitlab.invalid/api/v4{_NOTES}?{query}>; rel="next"'
        return Answer(
            status=200,
            content=items,
            headers={"X-Next-Page": str(following or ""), **({"Link": link} if following else {})},
        )

    def _create(self, request: Request) -> Answer:
        if len(request.json()["body"]) > 1_000_000:
            return Answer(status=400, content={"message": {"note": ["is too long (maximum is 1000000 characters)"]}})
        return Answer(status=201, content=self.add(request.json()["body"], self.login or BOT))

    def _one(self, request: Request, number: int) -> Answer:
        note = next((note for note in self.notes if note["id"] == number), None)
        if note is None:
            return refusal(404, "404 Note Not Found")
        if request.method == "DELETE":
            self.notes.remove(note)
            return Answer(status=204)
        if request.method == "PUT":
            note["body"] = request.json()["body"]
        return Answer(status=200, content=note)

    def _user(self, login: str) -> dict[str, Any]:
        return {
            "id": sum(login.encode()),
            "username": login,
            "public_email": "",
            "name": login,
            "state": "active",
            "locked": False,
            "avatar_url": None,
            "web_url": f"{self.server.url}/{login}",
        }

    def _merge_request(self) -> dict[str, Any]:
        return {
            "id": 900,
            "iid": 42,
            "project_id": 7,
            "title": "Drop the log",
            "state": "opened",
            "source_branch": "log",
            "target_branch": "main",
            "sha": "5" * 40,
            "web_url": f"{self.server.url}/images/cloud/-/merge_requests/42",
            "source_project_id": 7,
            "target_project_id": 7,
            "author": self._user("levente"),
        }


def refusal(status: int, message: str, **headers: str) -> Answer:
    """What GitLab says to a request that it refuses."""
    return Answer(
        status=status,
        content={"message": message},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
