"""What a place that releases go to can do."""

from collections.abc import Callable
from typing import Protocol

from ci_toolkit.publish.files import Ahead, File, Release
from ci_toolkit.releases.past import Past

# Is given the name of a file, and its size in bytes; returns what hears how many of them are done.
Watch = Callable[[str, int], Ahead]


class Target(Protocol):
    """A place for releases. Every call may be made again, after any failure; what is there already is left alone.

    `name` is as the user wrote it, without secrets; `limit` is how many bytes one file may have, None for any number.
    """

    name: str
    limit: int | None

    def obstacles(self, release: Release) -> tuple[str, ...]:
        """Return why RELEASE cannot be published here, known without asking anybody."""

    def releases(self) -> tuple[Past, ...]:
        """Return what is published."""

    def read(self, version: str, name: str, limit: int) -> bytes | None:
        """Return the file NAME of a published release, at most LIMIT bytes; None where there is none."""

    def upload(self, release: Release, watch: Watch) -> tuple[File, ...]:
        """Put all that is missing of RELEASE where nobody sees it yet, and return what had to be sent.

        What is there under a right name with other bytes is replaced. Each digest is checked after the upload.
        """

    def publish(self, release: Release) -> str:
        """Show RELEASE, which was uploaded, and return where it is. Raises ForgeError where it is not whole."""

    def remove(self, past: Past) -> None:
        """Remove a published release."""
