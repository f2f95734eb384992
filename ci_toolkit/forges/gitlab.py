"""Notes on a GitLab merge request and statuses of its commits, through python-gitlab."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from types import TracebackType
from typing import Final, Self

import gitlab
import requests
from gitlab.v4.objects import ProjectMergeRequest, ProjectMergeRequestNote

from ci_toolkit.errors import ForgeError
from ci_toolkit.forges import answers
from ci_toolkit.forges.forge import (
    COMMENTS_LIMIT,
    PAGE_SIZE,
    TIMEOUT_SECONDS,
    USER_AGENT,
    BusyError,
    Comment,
    RefusedError,
    State,
    Status,
)

_API: Final = "/api/v4"
_STATES: Final = {State.SUCCESS: "success", State.FAILURE: "failed", State.ERROR: "failed"}


class MergeRequest:
    """A `Forge`: the notes of one merge request, found by the project's id and the merge request's IID."""

    def __init__(self, api_url: str, project: str, iid: int | None, token: str) -> None:
        if not api_url.endswith(_API):
            raise ForgeError(f"the address of GitLab's API does not end in {_API}: {api_url}")
        session = requests.Session()
        session.hooks["response"].append(self._remember_headers)
        self._headers: dict[str, str] = {}
        # `keep_base_url`: behind a proxy GitLab names other addresses for the next page than the one it is reached by.
        self._gitlab = gitlab.Gitlab(
            url=api_url.removesuffix(_API),
            private_token=token,
            timeout=TIMEOUT_SECONDS,
            user_agent=USER_AGENT,
            keep_base_url=True,
            session=session,
        )
        self._project = project
        self._iid = iid
        self._found: ProjectMergeRequest | None = None

    def account(self) -> str | None:
        """Return our user name; None where the token may not ask."""
        try:
            with self._understood():
                user = self._gitlab.http_get("/user", obey_rate_limit=False)
        except RefusedError:
            return None
        return str(user["username"]) if isinstance(user, dict) and "username" in user else None

    def comments(self) -> Iterator[Comment]:
        """Return the notes of all pages, the oldest first, without GitLab's own ("added 1 commit")."""
        with self._understood():
            notes = self._merge_request().notes.list(
                iterator=True, per_page=PAGE_SIZE, order_by="created_at", sort="asc", obey_rate_limit=False
            )
            for note in islice(notes, COMMENTS_LIMIT):
                if not note.system:
                    yield self._comment(note)

    def create(self, text: str) -> Comment:
        """Add a note."""
        with self._understood():
            return self._comment(self._merge_request().notes.create({"body": text}, obey_rate_limit=False))

    def edit(self, comment: Comment, text: str) -> Comment:
        """Replace the text of a note."""
        with self._understood():
            self._merge_request().notes.update(comment.id, {"body": text}, obey_rate_limit=False)
        return comment

    def delete(self, comment: Comment) -> None:
        """Remove a note."""
        with self._understood():
            self._merge_request().notes.delete(comment.id, obey_rate_limit=False)

    def set_status(self, status: Status) -> None:
        """Set STATUS in the newest pipeline of its commit; that of a commit without one becomes a pipeline."""
        content = {"state": _STATES[status.state], "description": status.description, "name": status.context}
        if status.url is not None:
            content["target_url"] = status.url
        commit = self._gitlab.projects.get(self._project, lazy=True).commits.get(status.commit, lazy=True)
        try:
            with self._understood():
                commit.statuses.create(content, obey_rate_limit=False)
        except ForgeError as error:
            # What GitLab says to a state that the commit has already.
            if "(400: " not in error.message or "annot transition" not in error.message:
                raise

    def _merge_request(self) -> ProjectMergeRequest:
        """Asked for once: its address is that of its notes, which carry none."""
        if self._found is None:
            assert self._iid is not None  # whoever comments has a change
            project = self._gitlab.projects.get(self._project, lazy=True)
            self._found = project.mergerequests.get(self._iid, obey_rate_limit=False)
        return self._found

    def _comment(self, note: ProjectMergeRequestNote) -> Comment:
        author = note.author or {}
        return Comment(
            id=note.id,
            author=author.get("username"),
            by_bot=False,
            body=note.body or "",
            url=f"{self._merge_request().web_url}#note_{note.id}",
        )

    def _remember_headers(self, response: requests.Response, **_: object) -> None:
        """python-gitlab's errors carry no headers, and the time to wait is in them."""
        self._headers = dict(response.headers)

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Turn what python-gitlab raises into our errors."""
        try:
            yield
        except gitlab.GitlabError as error:
            if error.response_code is None:
                raise _odd() from error
            if error.response_code == 409:  # another status of the same commit is being written
                raise BusyError(f"the forge is at work on it (409: {error.error_message!s:.200})") from None
            raise answers.error(error.response_code, self._headers, str(error.error_message)) from None
        except requests.RequestException as error:
            raise answers.unreachable(error) from None
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
            # Content of another shape, such as the page of a proxy that wants a login.
            raise _odd() from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gitlab.session.close()


def _odd() -> ForgeError:
    return ForgeError("the answers are not those of GitLab's API", hint="Is CI_API_V4_URL GitLab's own address?")
