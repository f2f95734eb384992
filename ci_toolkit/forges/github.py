"""Comments on a GitHub pull request and statuses of its commits, through PyGithub."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from types import TracebackType
from typing import Final, Self, cast

import github
import requests
from github.Issue import Issue
from github.IssueComment import IssueComment
from github.NamedUser import NamedUser
from github.Organization import Organization
from github.PullRequest import PullRequest as PullRequestFound
from github.Repository import Repository

from ci_toolkit.ci.job import Head
from ci_toolkit.errors import ForgeError
from ci_toolkit.forges import answers
from ci_toolkit.forges.forge import (
    COMMENTS_LIMIT,
    PAGE_SIZE,
    TIMEOUT_SECONDS,
    USER_AGENT,
    Comment,
    MissingError,
    RefusedError,
    Status,
)

# PyGithub asserts that the addresses in an answer are the forge's own, ends on a redirection elsewhere, and stumbles
# over content of another shape, such as the page of a proxy that wants a login.
_ODD: Final = (
    AssertionError,
    RuntimeError,
    github.BadAttributeException,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
)


def client(api_url: str, token: str) -> github.Github:
    """Return a client of the API at API_URL; nothing is sent yet."""
    # PyGithub's own retries and pauses are off: `Patience` waits, and the requests of one delivery are few.
    # Lazy: a repository or an issue is an address, it needs no request of its own.
    return github.Github(
        auth=github.Auth.Token(token),
        base_url=api_url,
        timeout=TIMEOUT_SECONDS,
        user_agent=USER_AGENT,
        per_page=PAGE_SIZE,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
        lazy=True,
    )


class PullRequest:
    """A `Forge`: the comments of one pull request; for the API they are those of the issue of the same number.

    CHANGE is its number, or its head, by which it is looked for when it is first needed; None for statuses alone.
    """

    def __init__(self, api_url: str, repository: str, change: int | Head | None, token: str) -> None:
        self._github = client(api_url, token)
        self._repository = repository
        self._change = change

    def account(self) -> str | None:
        """Return our login; None for GITHUB_TOKEN and other tokens of apps, which may not ask."""
        try:
            with understood():
                return self._github.get_user().login
        except RefusedError:
            return None

    def comments(self) -> Iterator[Comment]:
        """Return the comments of all pages, the oldest first."""
        with understood():
            for comment in islice(self._issue().get_comments(), COMMENTS_LIMIT):
                yield _comment(comment)

    def create(self, text: str) -> Comment:
        """Add a comment."""
        with understood():
            return _comment(self._issue().create_comment(text))

    def edit(self, comment: Comment, text: str) -> Comment:
        """Replace the text of COMMENT."""
        with understood():
            found = self._issue().get_comment(comment.id)
            found.edit(text)
            return _comment(found)

    def delete(self, comment: Comment) -> None:
        """Remove COMMENT."""
        with understood():
            self._issue().get_comment(comment.id).delete()

    def set_status(self, status: Status) -> None:
        """Set STATUS; PyGithub's own way to do so asks for the commit first."""
        content = {"state": status.state.value, "description": status.description, "context": status.context}
        if status.url is not None:
            content["target_url"] = status.url
        with understood():
            address = f"/repos/{self._repository}/statuses/{status.commit}"
            self._github.requester.requestJsonAndCheck("POST", address, input=content)

    def _issue(self) -> Issue:
        assert self._change is not None  # whoever comments has one
        if isinstance(self._change, Head):
            self._change = self._find(self._change)
        return self._github.get_repo(self._repository).get_issue(self._change)

    def _find(self, head: Head) -> int:
        """Return the number of the open pull request whose last commit is that of HEAD, in the same repository.

        Of several, which have other bases, the newest. Raises MissingError where there is none (any more).
        """
        owner = head.repository.partition("/")[0]
        found = self._github.get_repo(self._repository).get_pulls(state="open", head=f"{owner}:{head.branch}")
        numbers = [pull.number for pull in islice(found, PAGE_SIZE) if _has_head(pull, head)]
        if not numbers:
            raise MissingError(
                f"no open pull request ends with commit {head.commit[:12]} of {head.repository}",
                hint="It was closed, or got a newer commit, whose own run reports on it.",
            )
        return max(numbers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._github.close()


def _has_head(pull: PullRequestFound, head: Head) -> bool:
    """The repository of a head is null once the fork is gone."""
    repository = cast("Repository | None", pull.head.repo)
    return pull.head.sha == head.commit and repository is not None and repository.full_name == head.repository


def _comment(found: IssueComment) -> Comment:
    """The user of a comment is null once the account is gone. Raises TypeError for what is no comment at all."""
    if not isinstance(found.id, int) or not isinstance(found.html_url, str):
        raise TypeError("no comment")
    user = cast("NamedUser | Organization | None", found.user)
    return Comment(
        id=found.id,
        author=user.login if user is not None else None,
        by_bot=user is not None and user.type == "Bot",
        body=found.body or "",
        url=found.html_url,
    )


@contextmanager
def understood() -> Iterator[None]:
    """Turn what PyGithub raises into our errors."""
    try:
        yield
    except github.GithubException as error:
        said = error.data.get("message") if isinstance(error.data, dict) else None
        raise answers.error(error.status, error.headers or {}, str(said or "no message")) from None
    except requests.RequestException as error:
        raise answers.unreachable(error) from None
    except _ODD as error:
        raise ForgeError(
            "the answers are not those of GitHub's API", hint="Is GITHUB_API_URL the forge's own address?"
        ) from error
