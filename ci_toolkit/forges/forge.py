"""What is asked of a forge, and the ways in which it says no."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Final, Protocol, Self

from ci_toolkit.errors import ForgeError

# A change with more comments than this is not searched to its end; GitLab itself ends at 5,000.
COMMENTS_LIMIT: Final = 10_000
PAGE_SIZE: Final = 100
# For one answer, not for the whole delivery.
TIMEOUT_SECONDS: Final = 30
USER_AGENT: Final = "ci-toolkit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """One comment of the change. `author` is what `Forge.account` returns for the same account."""

    id: int
    author: str | None
    by_bot: bool
    body: str
    url: str | None


class State(StrEnum):
    """What a commit status says of the commit; ERROR is that of a job which could not tell."""

    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A commit status. `context` tells it apart from the others of `commit`: a later one with the same replaces it."""

    commit: str
    state: State
    description: str
    context: str
    url: str | None = None


class Forge(Protocol):
    """The comments of one change, and the statuses of its repository's commits; open until its context ends.

    Where the job is for no change only statuses can be set.

    Every method raises RefusedError where the token may not, MissingError where the thing is not there (any more),
    BusyError where the same request may succeed later, and ForgeError for the rest.
    """

    def account(self) -> str | None:
        """Return who we are; None for a token that belongs to an app and may not ask (as GITHUB_TOKEN)."""

    def comments(self) -> Iterator[Comment]:
        """Return the comments of all pages, the oldest first."""

    def create(self, text: str) -> Comment:
        """Add a comment."""

    def edit(self, comment: Comment, text: str) -> Comment:
        """Replace the text of COMMENT."""

    def delete(self, comment: Comment) -> None:
        """Remove COMMENT."""

    def set_status(self, status: Status) -> None:
        """Set STATUS on its commit; the same one again does no harm."""

    def __enter__(self) -> Self:
        """Return the forge itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""


class RefusedError(ForgeError):
    """The token may not do this: asking again does not help."""


class MissingError(RefusedError):
    """It is not there, or the token may not know that it is: forges answer 404 for both."""


class BusyError(ForgeError):
    """A rate limit, a server that stumbles, a broken connection: ask again.

    After `wait_seconds` if the forge names a time, else after `first_seconds`, then twice that, and so on.
    """

    def __init__(
        self,
        message: str,
        *,
        wait_seconds: float | None = None,
        first_seconds: float = 2,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.wait_seconds = wait_seconds
        self.first_seconds = first_seconds
