"""The container engine, Docker or Podman: whether one answers, which it is, and whether it runs as root.

Each address is asked in a child with a time limit (engine_socket.py); one that needs TLS or SSH, by Docker's client.
Podman needs no service that runs all the time: where only the program is there, the runner starts one for itself.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ci_toolkit import process
from ci_toolkit.host import child
from ci_toolkit.host.capabilities import Capability
from ci_toolkit.host.engine_socket import SECONDS
from ci_toolkit.host.namespaces import FULL_RANGE
from ci_toolkit.process import MINIMAL, Command, Completed

DEFAULT: Final = "unix:///var/run/docker.sock"
# What a Podman without a service goes by in place of an address.
NO_SERVICE: Final = "podman"

_PODMAN: Final = "unix:///run/podman/podman.sock"
_PODMAN_SECONDS: Final = 15.0

_FIX_ENGINE: Final = (
    "Install Docker (docker.io) and start it, or Podman (podman), which needs no service; an engine elsewhere is named "
    "in DOCKER_HOST."
)
_FIX_GROUP: Final = "Add the user to the group docker: sudo usermod -aG docker USER, then log in again."
_FIX_SHARED: Final = "Mount the workspace into this container at the path that it has on the engine's machine."
_FIX_IDS: Final = (
    "Grant 65,536 ids and tell Podman: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER, then "
    "podman system migrate."
)

# What is said of an engine that nobody installed or started.
_ABSENT: Final = ("No such file or directory", "not found")

# What the client needs of the caller's environment to find the engine that it was set up for.
_CLIENT_VARIABLES: Final = (
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "DOCKER_CONTEXT",
    "HOME",
    "SSH_AUTH_SOCK",
)

# What Podman finds its settings, its images and its way to a registry by.
_PODMAN_VARIABLES: Final = (
    "HOME",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "CONTAINERS_CONF",
    "CONTAINERS_STORAGE_CONF",
    "REGISTRY_AUTH_FILE",
    "DBUS_SESSION_BUS_ADDRESS",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What an engine tells of itself.

    `options` are names of its security options: rootless, userns, apparmor … `mounts` is None where we are no container
    of this engine, else what is mounted into ours: (path on the engine's machine, path here). `ids` is how many ids its
    containers have, None where it does not say.
    """

    version: str
    options: frozenset[str]
    mounts: tuple[tuple[str, str], ...] | None = None
    name: str = "Docker"
    ids: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back from ADDRESS: an engine, or why there is none."""

    address: str
    engine: Engine | None
    refused: str = ""


def probe(environ: Mapping[str, str], workspace: Path) -> Capability:
    """Return whether there is an engine that sees WORKSPACE as we do."""
    return judge(choose(environ, workspace), workspace)


def choose(environ: Mapping[str, str], workspace: Path) -> Answer:
    """Return the answer of the first engine that will do; where none does, of one that is there, else every refusal."""
    refused = []
    for answer in _answers(environ):
        if judge(answer, workspace).available:
            return answer
        refused.append(answer)
    first, *others = refused
    told = [f"{one.address}: {one.refused}" for one in others if not one.refused.endswith(_ABSENT)]
    together = replace(first, refused="; ".join((first.refused, *told)))
    return next((answer for answer in refused if answer.engine is not None), together)


def addresses(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return where an engine may be: what ENVIRON names, else Docker, Podman, this user's Podman, one not started."""
    named = environ.get("DOCKER_HOST") or environ.get("CONTAINER_HOST")
    if named:
        return (named,)
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return (DEFAULT, _PODMAN, f"unix://{runtime}/podman/podman.sock", NO_SERVICE)


def podman_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what of the caller's ENVIRON Podman is given."""
    return {**MINIMAL, **{name: environ[name] for name in _PODMAN_VARIABLES if name in environ}}


def client(found: Engine, environ: Mapping[str, str]) -> Command:
    """Return the program that people call FOUND by, without arguments, as the caller with ENVIRON would call it."""
    if found.name == "Podman":
        return Command(argv=("podman",), environment=podman_environment(environ))
    return Command(argv=("docker",), environment={**MINIMAL, **_of_client(environ)})


def _of_client(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: environ[name] for name in _CLIENT_VARIABLES if name in environ}


def _answers(environ: Mapping[str, str]) -> Iterator[Answer]:
    for address in addresses(environ):
        completed, seconds = _ask(address, environ)
        if completed.ok:
            engine = parse(completed.stdout)
            yield Answer(address=address, engine=engine, refused="an answer that is not Docker's")
        else:
            said = completed.stderr.strip() if address == NO_SERVICE or completed.exit_code == 1 else ""
            yield Answer(address=address, engine=None, refused=said or child.how_it_ended(completed, seconds))


def _ask(address: str, environ: Mapping[str, str]) -> tuple[Completed, float]:
    """Ask the engine at ADDRESS about itself, and return its answer with the seconds that it was given."""
    if address == NO_SERVICE:
        asked = Command(argv=("podman", "info", "--format", "json"), environment=podman_environment(environ))
        return process.run(asked, timeout_seconds=_PODMAN_SECONDS), _PODMAN_SECONDS
    scheme = urlsplit(address).scheme
    if scheme == "unix" or (scheme in ("tcp", "http") and not environ.get("DOCKER_TLS_VERIFY")):
        return child.run("ci_toolkit.host.engine_socket", address, seconds=SECONDS), SECONDS
    variables = {**_of_client(environ), "DOCKER_HOST": address}
    asked = Command(argv=("docker", "info", "--format", "{{json .}}"), environment={**MINIMAL, **variables})
    return process.run(asked, timeout_seconds=SECONDS), SECONDS


def parse(text: str) -> Engine | None:
    """Read TEXT, what engine_socket.py prints or `podman info --format json`; None when it is something else."""
    try:
        info = json.loads(text)
        if "host" in info:
            return _podman(info, None)
        mounts = _mounts(info.get("OurContainer"))
        if info.get("Libpod"):
            return _podman(info["Libpod"], mounts)
        options = frozenset(_option(str(text)) for text in info.get("SecurityOptions") or ())
        return Engine(version=str(info["ServerVersion"]), options=options, mounts=mounts)
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError):
        return None


def _podman(info: Mapping[str, Any], mounts: tuple[tuple[str, str], ...] | None) -> Engine:
    """Read INFO, Podman's own answer; a rootful one maps no ids."""
    security = info["host"]["security"]
    names = {"rootless": "rootless", "seccompEnabled": "seccomp", "apparmorEnabled": "apparmor"}
    maps = [(info["host"].get("idMappings") or {}).get(kind) for kind in ("uidmap", "gidmap")]
    counts = [sum(int(one["size"]) for one in found) for found in maps if found]
    return Engine(
        version=str(info["version"]["Version"]),
        options=frozenset(option for field, option in names.items() if security.get(field)),
        mounts=mounts,
        name="Podman",
        ids=min(counts, default=None),
    )


def _mounts(container: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...] | None:
    if container is None:
        return None
    return tuple((str(one["Source"]), str(one["Destination"])) for one in container["Mounts"])


def _option(text: str) -> str:
    """Return the name in "name=seccomp,profile=default"."""
    return text.partition(",")[0].removeprefix("name=")


def judge(answer: Answer, workspace: Path) -> Capability:
    """Return the capability that ANSWER proves, for a build in WORKSPACE."""
    engine = answer.engine
    found = f"{answer.address}: {answer.refused}"
    available = engine is not None
    fix = _FIX_GROUP if "Permission denied" in answer.refused else _FIX_ENGINE
    if engine is not None:
        kind = "rootless" if "rootless" in engine.options else "runs as root"
        options = ", ".join(sorted(engine.options - {"rootless"})) or "no security options"
        where = "started for the build" if answer.address == NO_SERVICE else f"at {answer.address}"
        found = f"{engine.name} {engine.version} {where}, {kind} ({options})"
        if not shares(engine, workspace):
            available, fix = False, _FIX_SHARED
            found += f"; it runs this very container, and on its machine {workspace} is another directory"
        elif engine.ids is not None and engine.ids < FULL_RANGE:
            available, fix = False, _FIX_IDS
            found += f"; its containers have {engine.ids:,} of the {FULL_RANGE:,} ids that a build needs"
    return Capability(
        name="container-engine",
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
