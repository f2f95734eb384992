"""The Docker engine: whether it answers, which it is, and whether it runs as root.

It is asked over its HTTP interface, as a child with a time limit; where the address needs TLS or SSH, by the client.

    python -m ci_toolkit.host.engine unix:///var/run/docker.sock
"""

import http.client
import json
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ci_toolkit import process
from ci_toolkit.host import child
from ci_toolkit.host.capabilities import Capability
from ci_toolkit.process import MINIMAL, Command

DEFAULT: Final = "unix:///var/run/docker.sock"
_SECONDS: Final = 8.0
_LIMIT: Final = 1 << 20

_FIX_ENGINE: Final = "Install Docker (docker.io) and start it, or name the engine that answers in DOCKER_HOST."
_FIX_GROUP: Final = "Add the user to the group docker: sudo usermod -aG docker USER, then log in again."
_FIX_SHARED: Final = "Mount the workspace into this container at the path that it has on the engine's machine."

# What the client needs of the caller's environment to find the engine that it was set up for.
_CLIENT_VARIABLES: Final = (
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "DOCKER_CONTEXT",
    "HOME",
    "SSH_AUTH_SOCK",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What an engine tells of itself.

    `options` are names of its security options: rootless, userns, apparmor … `mounts` is None where we are no container
    of this engine, else what is mounted into ours: (path on the engine's machine, path here).
    """

    version: str
    options: frozenset[str]
    mounts: tuple[tuple[str, str], ...] | None = None


def probe(environ: Mapping[str, str], workspace: Path) -> Capability:
    """Return whether the engine of DOCKER_HOST, or the default one, answers, and sees WORKSPACE as we do."""
    address = environ.get("DOCKER_HOST") or DEFAULT
    scheme = urlsplit(address).scheme
    if scheme == "unix" or (scheme in ("tcp", "http") and not environ.get("DOCKER_TLS_VERIFY")):
        completed = child.run("ci_toolkit.host.engine", address, seconds=_SECONDS)
    else:
        variables = {name: environ[name] for name in _CLIENT_VARIABLES if name in environ}
        asked = Command(argv=("docker", "info", "--format", "{{json .}}"), environment={**MINIMAL, **variables})
        completed = process.run(asked, timeout_seconds=_SECONDS)
    if not completed.ok:
        said = completed.stderr.strip() if completed.exit_code == 1 else ""
        return judge(address, None, said or child.how_it_ended(completed, _SECONDS), workspace)
    return judge(address, parse(completed.stdout), "an answer that is not Docker's", workspace)


def parse(text: str) -> Engine | None:
    """Read TEXT, the JSON of `GET /info` (and what `main` adds); None when it is something else."""
    try:
        info = json.loads(text)
        ours = info.get("OurContainer")
        return Engine(
            version=str(info["ServerVersion"]),
            options=frozenset(_option(str(text)) for text in info.get("SecurityOptions") or ()),
            mounts=None
            if ours is None
            else tuple((str(one["Source"]), str(one["Destination"])) for one in ours["Mounts"]),
        )
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None


def judge(address: str, engine: Engine | None, refused: str, workspace: Path) -> Capability:
    """Return the capability; REFUSED is the reason where ENGINE is None."""
    found = f"{address}: {refused}"
    available = engine is not None
    fix = _FIX_GROUP if "Permission denied" in refused else _FIX_ENGINE
    if engine is not None:
        kind = "rootless" if "rootless" in engine.options else "runs as root"
        options = ", ".join(sorted(engine.options - {"rootless"})) or "no security options"
        found = f"Docker {engine.version} at {address}, {kind} ({options})"
        if not shares(engine, workspace):
            available, fix = False, _FIX_SHARED
            found += f"; it runs this very container, and on its machine {workspace} is another directory"
    return Capability(
        name="docker-engine",
        available=available,
        reason=found,
        why="The container runner builds in the toolkit's own image, whatever this machine lacks, and unprivileged.",
        fix=fix,
    )


def shares(engine: Engine, workspace: Path) -> bool:
    """Tell whether ENGINE, asked to mount WORKSPACE, would mount ours.

    An engine whose socket was handed into one of its own containers looks for paths on its own machine, and makes an
    empty directory for one that is not there.
    """
    if engine.mounts is None:
        return True
    inside = [(source, here) for source, here in engine.mounts if workspace.is_relative_to(here)]
    source, here = max(inside, key=lambda one: len(one[1]), default=("", "/"))
    return source == here


def _option(text: str) -> str:
    """Return the name in "name=seccomp,profile=default"."""
    return text.partition(",")[0].removeprefix("name=")


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask(address: str, path: str) -> dict[str, Any] | None:
    """Return what the engine at ADDRESS answers to GET PATH, None for 404; raises OSError and others."""
    parts = urlsplit(address)
    connection = (
        _UnixConnection(parts.path, _SECONDS)
        if parts.scheme == "unix"
        else http.client.HTTPConnection(parts.hostname or "localhost", parts.port or 2375, timeout=_SECONDS)
    )
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(_LIMIT)
    finally:
        connection.close()
    if answer.status == http.client.NOT_FOUND:
        return None
    if answer.status != http.client.OK:
        raise ValueError(f"HTTP {answer.status} {answer.reason}")
    loaded = json.loads(body)
    if not isinstance(loaded, dict):
        raise ValueError("an answer that is not Docker's")
    return loaded


def our_container(mounts: str) -> str | None:
    """Return the id of the container that we are in, from MOUNTS, the text of /proc/self/mountinfo, or None.

    Docker mounts the host name file of a container from a directory that is named for it.
    """
    match = re.search(r"/containers/([0-9a-f]{64})/hostname ", mounts)
    return match.group(1) if match else None


def main(arguments: list[str]) -> int:
    """Print the engine's answer, or why there is none."""
    container = our_container(Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace"))
    try:
        info = ask(arguments[0], "/info") or {}
        info["OurContainer"] = ask(arguments[0], f"/containers/{container}/json") if container else None
        sys.stdout.write(json.dumps(info))
    except OSError as error:
        sys.stderr.write(f"{error.strerror or error}\n")
        return 1
    except (http.client.HTTPException, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
