"""Comments on a Forgejo or Gitea pull request, and statuses of its commits.

The API has GitHub's shape, but PyGithub does not fit it.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from types import TracebackType
from typing import Final, Self

import requests

from ci_toolkit.errors import ForgeError
from ci_toolkit.forges import answers
from ci_toolkit.forges.forge import COMMENTS_LIMIT, TIMEOUT_SECONDS, USER_AGENT, Comment, RefusedError, Status

# Who the token of a job comments as.
JOB_ACCOUNTS: Final = frozenset({"forgejo-actions", "gitea-actions"})


class PullRequest:
    """A `Forge`: the comments of one pull request; for the API they are those of the issue of the same number."""

    def __init__(self, api_url: str, repository: str, number: int | None, token: str) -> None:
        self._session = requests.Session()
        self._session.headers["User-Agent"] = USER_AGENT
        self._session.auth = _Token(token)
        self._repository = f"{api_url}/repos/{repository}"
        self._issue = f"{self._repository}/issues/{number}"
        self._api_url = api_url

    def account(self) -> str | None:
        """Return our login; None for a job's own token, which may not ask."""
        try:
            user = self._ask("GET", f"{self._api_url}/user")
        except RefusedError:
            return None
        return str(user["login"]) if isinstance(user, dict) and "login" in user else None

    def comments(self) -> Iterator[Comment]:
        """Return all comments, the oldest first; this API gives them in one answer."""
        found = self._ask("GET", f"{self._issue}/comments")
        if not isinstance(found, list):
            raise _odd()
        yield from map(_comment, islice(found, COMMENTS_LIMIT))

    def create(self, text: str) -> Comment:
        """Add a comment."""
        return _comment(self._ask("POST", f"{self._issue}/comments", {"body": text}))

    def edit(self, comment: Comment, text: str) -> Comment:
        """Replace the text of COMMENT."""
        return _comment(self._ask("PATCH", f"{self._repository}/issues/comments/{comment.id}", {"body": text}))

    def delete(self, comment: Comment) -> None:
        """Remove COMMENT."""
        self._ask("DELETE", f"{self._repository}/issues/comments/{comment.id}")

    def set_status(self, status: Status) -> None:
        """Set STATUS."""
        content = {"state": status.state.value, "description": status.description, "context": status.context}
        if status.url is not None:
            content["target_url"] = status.url
        self._ask("POST", f"{self._repository}/statuses/{status.commit}", content)

    def _ask(self, method: str, url: str, body: Mapping[str, str] | None = None) -> object:
        """Send one request; redirections are not followed, lest the token goes elsewhere."""
        try:
            answer = self._session.request(method, url, json=body, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            raise answers.unreachable(error) from None
        try:
            content: object = answer.json() if answer.content else None
        except ValueError:
            content = None
        if answer.status_code >= 400:
            said = content.get("message") if isinstance(content, dict) else None
            raise answers.error(answer.status_code, answer.headers, str(said or "no message"))
        if answer.status_code >= 300:
            raise _odd()
        return content

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()


class _Token(requests.auth.AuthBase):
    """As an `auth` of the session the token wins over a ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"token {self._token}"
        return request


def _comment(found: object) -> Comment:
    if not isinstance(found, dict) or not isinstance(found.get("id"), int):
        raise _odd()
    user = found.get("user")
    login = user.get("login") if isinstance(user, dict) else None
    return Comment(
        id=found["id"],
        author=login if isinstance(login, str) else None,
        by_bot=login in JOB_ACCOUNTS,
        body=str(found.get("body") or ""),
        url=str(found["html_url"]) if found.get("html_url") else None,
    )


def _odd() -> ForgeError:
    return ForgeError("the forge's answer cannot be read", hint="Is GITHUB_API_URL the address of its API?")
