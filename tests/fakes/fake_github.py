"""A GitHub with one pull request: archlinux/images#42."""

import re
from typing import Any, Final

import pulls
from forge_server import Answer, ForgeServer, Request, page
from github_releases import GitHubReleases
from issues import Issues

TOKEN: Final = "ghs_0123456789abcdefghijklmnopqrstuvwxyz"
REPOSITORY: Final = "archlinux/images"
_COMMENTS: Final = f"/repos/{REPOSITORY}/issues/42/comments"
_COMMENT: Final = f"/repos/{REPOSITORY}/issues/comments/"
_STATUSES: Final = f"/repos/{REPOSITORY}/statuses/"
_DOWNLOAD: Final = "/download/"
BOT: Final = "github-actions[bot]"


class FakeGitHub:
    """Keeps comments. `login` is None for a token that may not ask who it is, as GITHUB_TOKEN."""

    def __init__(self, prefix: str = "", login: str | None = None, description: str = "github.json") -> None:
        self.paged = description == "github.json"
        self.server = ForgeServer(self._answer, prefix, description)
        self.login = login
        self.comments: list[dict[str, Any]] = []
        self.statuses: list[dict[str, Any]] = []
        self.pulls: list[dict[str, Any]] = []
        self.releases = GitHubReleases(lambda: self.server.url, f"/repos/{REPOSITORY}/releases", _user)
        self.issues = Issues(f"/repos/{REPOSITORY}/issues", ("number", "body", "open"), lambda: self.server.url)
        self.server.unchecked = (re.compile(rf"{_DOWNLOAD}\d+"), self.issues.path)

    def open_pull(self, number: int, head: str | None, branch: str, sha: str) -> None:
        """Open a pull request whose commits come from the repository HEAD."""
        owner = (head or "ghost/images").partition("/")[0]
        user = _user(self.server.url, owner)
        self.pulls.append(pulls.pull(self.server.url, number, REPOSITORY, head, branch, sha, user))

    @property
    def bodies(self) -> list[str]:
        return [comment["body"] for comment in self.comments]

    def add(self, body: str, login: str = BOT) -> dict[str, Any]:
        """Add a comment of somebody."""
        number = 1 + max((comment["id"] for comment in self.comments), default=1000)
        root = self.server.url
        comment = {
            "id": number,
            "node_id": f"IC_{number}",
            "url": f"{root}/repos/{REPOSITORY}/issues/comments/{number}",
            "html_url": f"{self.server.root}/{REPOSITORY}/pull/42#issuecomment-{number}",
            "issue_url": f"{root}/repos/{REPOSITORY}/issues/42",
            "body": body,
            "user": _user(root, login),
            "created_at": "2027-01-15T08:00:00Z",
            "updated_at": "2027-01-15T08:00:00Z",
            "author_association": "CONTRIBUTOR",
            "performed_via_github_app": None,
        }
        self.comments.append(comment)
        return comment

    def _answer(self, request: Request) -> Answer:
        if request.path.startswith(_DOWNLOAD):
            return self.releases.download(int(request.path.removeprefix(_DOWNLOAD)))
        if request.headers.get("Authorization") not in (f"token {TOKEN}", f"Bearer {TOKEN}"):
            return refusal(401, "Bad credentials")
        if request.path == "/user":
            if self.login is None:
                return refusal(403, "Resource not accessible by integration")
            return Answer(status=200, content=_whole_user(self.server.url, self.login))
        if (answer := self.releases.answer(request)) is not None:
            return answer
        if (answer := self.issues.answer(request, request.path)) is not None:
            return answer
        if request.path == _COMMENTS:
            return self._list(request) if request.method == "GET" else self._create(request)
        if request.path == f"/repos/{REPOSITORY}/pulls":
            return self._pulls(request)
        if request.path.startswith(_STATUSES) and request.method == "POST":
            return self._set_status(request)
        if request.path.startswith(_COMMENT):
            return self._one(request, int(request.path.removeprefix(_COMMENT)))
        return refusal(404, "Not Found")

    def _pulls(self, request: Request) -> Answer:
        label = request.query["head"]
        return Answer(status=200, content=[one for one in self.pulls if one["head"]["label"] == label])

    def _set_status(self, request: Request) -> Answer:
        if len(request.json()["description"]) > 140:
            return refusal(422, "Validation Failed")
        sha = request.path.removeprefix(_STATUSES)
        number, url = 1 + len(self.statuses), f"{self.server.url}{request.path}"
        status = {
            "id": number,
            "node_id": f"SC_{number}",
            "url": url,
            "avatar_url": None,
            "target_url": None,
            "created_at": "2027-01-15T08:00:00Z",
            "updated_at": "2027-01-15T08:00:00Z",
            "creator": _user(self.server.url, self.login or BOT),
            **request.json(),
        }
        self.statuses.append({**status, "sha": sha})
        return Answer(status=201, content=status, headers={"Location": url})

    def _list(self, request: Request) -> Answer:
        # Forgejo and Gitea give all comments in one answer: their description knows no parameter for a page there.
        items, following = page(self.comments, request.query, 30) if self.paged else (self.comments, 0)
        link = (
            f'<{self.server.url}{_COMMENTS}?per_page={request.query.get("per_page", 30)}&page={following}>; rel="next"'
        )
        return Answer(status=200, content=items, headers={"Link": link} if following else {})

    def _create(self, request: Request) -> Answer:
        if len(request.json()["body"]) > 65536:
            return TOO_LONG
        comment = self.add(request.json()["body"], self.login or BOT)
        return Answer(status=201, content=comment, headers={"Location": comment["url"]})

    def _one(self, request: Request, number: int) -> Answer:
        comment = next((comment for comment in self.comments if comment["id"] == number), None)
        if comment is None:
            return refusal(404, "Not Found")
        if request.method == "DELETE":
            self.comments.remove(comment)
            return Answer(status=204)
        if request.method == "PATCH":
            comment["body"] = request.json()["body"]
        return Answer(status=200, content=comment)


def refusal(status: int, message: str, **headers: str) -> Answer:
    """What GitHub says to a request that it refuses."""
    return Answer(
        status=status,
        content={"message": message, "documentation_url": "https://docs.github.com/rest"},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


TOO_LONG: Final = Answer(
    status=422,
    content={
        "message": "Validation Failed",
        "documentation_url": "https://docs.github.com/rest",
        "errors": [
            {
                "resource": "IssueComment",
                "field": "data",
                "code": "unprocessable",
                "message": "Body is too long (maximum is 65536 characters)",
            }
        ],
    },
)


def _user(root: str, login: str) -> dict[str, Any]:
    names = ("followers", "following", "gists", "starred", "subscriptions", "organizations", "repos", "events")
    return {
        "login": login,
        "id": sum(login.encode()),
        "node_id": "U_1",
        "avatar_url": f"{root}/avatars/1",
        "gravatar_id": "",
        "url": f"{root}/users/1",
        "html_url": f"{root}/1",
        **{f"{name}_url": f"{root}/users/1/{name}" for name in names},
        "received_events_url": f"{root}/users/1/received_events",
        "type": "Bot" if login.endswith("[bot]") else "User",
        "site_admin": False,
    }


def _whole_user(root: str, login: str) -> dict[str, Any]:
    unsaid = ("name", "company", "blog", "location", "email", "hireable", "bio", "twitter_username")
    return {
        **_user(root, login),
        **dict.fromkeys(unsaid),
        **dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0),
        "user_view_type": "public",
        "created_at": "2027-01-15T08:00:00Z",
        "updated_at": "2027-01-15T08:00:00Z",
    }
