"""A program in a container that runs: started, heard from its first word on, and how it ended."""

from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from docker.models.containers import Container

# Lets a program begin when we are heard: what Podman's says before that is lost, which on a busy machine may be all.
GATE: Final = ("sh", "-c", 'read -r _ && exec "$@" < /dev/null', "sh")


class Stream(Protocol):
    """Takes what a program writes."""

    def feed(self, chunk: bytes) -> None: ...


def execute(
    container: "Container", argv: tuple[str, ...], directory: str, streams: tuple[Stream, Stream], *, user: str = ""
) -> int | None:
    """Run ARGV from DIRECTORY, put what it writes into STREAMS, and return its exit code, None when it is gone.

    It runs as USER, "" for the container's own.
    """
    from docker.errors import NotFound
    from docker.utils.socket import frames_iter

    assert container.client is not None
    api = container.client.api
    started = api.exec_create(container.id, [*GATE, *argv], workdir=directory, stdin=True, user=user)
    attached: Any = api.exec_start(started["Id"], socket=True)
    frames: Any = frames_iter
    with closing(attached):
        getattr(attached, "_sock", attached).sendall(b"\n")
        for number, chunk in frames(attached, tty=False):
            streams[number - 1].feed(chunk)
    code: int | None = None
    with suppress(NotFound):  # a container is removed when it ends
        code = api.exec_inspect(started["Id"])["ExitCode"]
    return code


@dataclass(kw_only=True)
class Lines:
    """Puts the chunks of one stream together again and hands on each line as it is whole."""

    on_line: Callable[[str], None] | None
    seen: bytearray = field(default_factory=bytearray)
    handed_on: int = 0

    def feed(self, chunk: bytes) -> None:
        self.seen += chunk
        while (end := self.seen.find(b"\n", self.handed_on)) >= 0:
            self._hand_on(end + 1)

    def close(self) -> str:
        """Hand on a last line without a newline, and return the whole."""
        if self.handed_on < len(self.seen):
            self._hand_on(len(self.seen))
        return self.seen.decode(errors="backslashreplace")

    def _hand_on(self, end: int) -> None:
        if self.on_line is not None:
            self.on_line(self.seen[self.handed_on : end].decode(errors="backslashreplace"))
        self.handed_on = end
