"""A container image under test: loaded into the engine under a name of its own, run, and taken away again."""

import io
import tarfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ci_toolkit.console import Console
from ci_toolkit.errors import HostError
from ci_toolkit.host.engine import Engine
from ci_toolkit.runners import container
from ci_toolkit.runners.container import RUN_LABEL
from ci_toolkit.runners.executed import execute
from ci_toolkit.runners.runner import Request

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

# As much as a virtual machine gets (boot), and processes for any service.
_MEMORY: Final = 2 << 30
_PROCESSES: Final = 4096
# What an engine keeps of what a container says, which may go on for ever.
_KEPT: Final = {"max-size": "8m", "max-file": "1"}
_OUTPUT_MAX: Final = 256 << 10
_LOOK_SECONDS: Final = 0.2
_ROOT: Final = "0"


@dataclass(kw_only=True)
class Tail:
    """The last of what a program wrote, and no more."""

    seen: bytearray = field(default_factory=bytearray)

    def feed(self, chunk: bytes) -> None:
        self.seen += chunk
        if len(self.seen) > 2 * _OUTPUT_MAX:
            del self.seen[:-_OUTPUT_MAX]

    @property
    def text(self) -> str:
        return bytes(self.seen[-_OUTPUT_MAX:]).decode("utf-8", "backslashreplace")


@contextmanager
def loaded(
    environ: Mapping[str, str], console: Console, scratch: Path, image: Iterator[bytes], name: str
) -> Iterator["Loaded"]:
    """Load IMAGE, the archive of one that is called NAME in it, and remove it, with all containers of it, at the end.

    SCRATCH is a directory for what the engine may need. Raises HostError without an engine, or where that refuses it.
    """
    labels = {RUN_LABEL: uuid.uuid4().hex}
    request = Request(scratch=scratch, packages=scratch, console=console, environ=environ, rescue=lambda path: path)
    with container.connected(request) as (client, kind):
        try:
            with container.refusals():
                client.images.load(image)  # type: ignore[arg-type]  # what has no length is sent in pieces
            yield Loaded(client=client, engine=kind, name=name, labels=labels)
        finally:
            container.take_away(client, labels, request)
            _forget(client, name, console)


def _forget(client: "DockerClient", name: str, console: Console) -> None:
    from docker.errors import ImageNotFound

    try:
        with container.refusals(), suppress(ImageNotFound):
            client.images.remove(name)
    except HostError as error:
        console.warn(f"the image {name} is not gone: {error.message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """An image of the engine, which can be run."""

    client: "DockerClient"
    engine: Engine
    name: str
    labels: Mapping[str, str]

    @property
    def description(self) -> str:
        which = f"{self.engine.name} {self.engine.version}"
        return f"container: {self.name} in {which}, not privileged, with its usual capabilities"

    def start(self, command: tuple[str, ...]) -> "Started":
        """Start the image's own command, or COMMAND in the place of all that it names. Raises HostError."""
        with container.refusals():
            made = self._create(**({"entrypoint": list(command[:1]), "command": list(command[1:])} if command else {}))
            made.start()
        return Started(container=made)

    def check(self, interpreter: tuple[str, ...], script: bytes, path: str, *, deadline: float) -> tuple[int, str]:
        """Run SCRIPT, put to PATH, as root in a container of its own; return exit code and output.

        Raises TimeoutError at DEADLINE of the monotonic clock, HostError.
        """
        with container.refusals():
            made = self._create(entrypoint=[interpreter[0]], command=[*interpreter[1:], path], user=_ROOT)
            made.put_archive("/", _archived(script, path))
            made.start()
        started = Started(container=made)
        while (code := started.exit_code()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(_LOOK_SECONDS)
        return code, started.output(_OUTPUT_MAX).decode("utf-8", "backslashreplace")

    def _create(self, **options: Any) -> "Container":
        from docker.types import LogConfig

        kept = LogConfig(type=LogConfig.types.JSON, config=_KEPT)
        return self.client.containers.create(
            self.name, labels=dict(self.labels), security_opt=["no-new-privileges"], mem_limit=_MEMORY,
            pids_limit=_PROCESSES, log_config=kept, **options,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A container of the image."""

    container: "Container"

    def exit_code(self) -> int | None:
        """Return how it ended, None while it runs. Raises HostError."""
        state = self._state()
        return int(state["ExitCode"]) if state["Status"] in ("exited", "dead") else None

    def health(self) -> str:
        """Return what the image's own check says: starting, healthy, unhealthy; "" where it has none."""
        found = self._state().get("Health") or {}
        return str(found.get("Status") or "")

    def _state(self) -> Mapping[str, Any]:
        with container.refusals():
            self.container.reload()
        state: Mapping[str, Any] = self.container.attrs["State"]
        return state

    def output(self, most: int) -> bytes:
        """Return the last MOST bytes of what it wrote so far. Raises HostError."""
        kept = bytearray()
        with container.refusals():
            for chunk in self.container.logs(stream=True, follow=False):
                kept += chunk
                if len(kept) > 2 * most:
                    del kept[:-most]
        return bytes(kept[-most:])

    def check(self, interpreter: tuple[str, ...], script: bytes, path: str, *, deadline: float) -> tuple[int, str]:
        """Run SCRIPT, put to PATH, as root beside what runs; return exit code and output.

        Raises TimeoutError at DEADLINE of the monotonic clock, when the container is ended; HostError.
        """
        both, late = Tail(), threading.Event()

        def end() -> None:
            late.set()
            with suppress(HostError), container.refusals():
                self.container.kill()

        timer = threading.Timer(max(0.1, deadline - time.monotonic()), end) if deadline != float("inf") else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            with container.refusals():
                self.container.put_archive("/", _archived(script, path))
                code = execute(self.container, (*interpreter, path), "/", (both, both), user=_ROOT)
        finally:
            if timer is not None:
                timer.cancel()
        if late.is_set():
            raise TimeoutError
        if code is None:
            raise HostError("the container ended while the check ran")
        return code, both.text

    def read(self, path: str) -> str:
        """Return what `cat` says of the file at PATH inside, "" where it does not."""
        said, complaint = Tail(), Tail()
        with container.refusals():
            code = execute(self.container, ("cat", path), "/", (said, complaint), user=_ROOT)
        return said.text if code == 0 else ""


def _archived(script: bytes, path: str) -> bytes:
    """Return SCRIPT as the archive of one file that is root's, to be unpacked at /."""
    told = tarfile.TarInfo(path.lstrip("/"))
    told.size, told.mode = len(script), 0o755
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        archive.addfile(told, io.BytesIO(script))
    return target.getvalue()
