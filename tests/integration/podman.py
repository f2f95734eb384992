"""Podman for the tests: one that runs containers on this machine, with the toolkit's image in it."""

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

# Where a process may not raise its limits, or control groups are of both versions, Podman's defaults start nothing.
LIMITED: Final = """\
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc=1024:1024"]
[engine]
runtime = "runc"
"""


class UnavailableError(Exception):
    """Why there is no Podman here."""


@contextmanager
def ready(place: Path, image: str) -> Iterator[Mapping[str, str]]:
    """Yield the variables by which the toolkit takes Podman, into which IMAGE was put; PLACE takes its settings.

    Raises UnavailableError with the reason.
    """
    if shutil.which("podman") is None:
        raise UnavailableError("podman is not installed")
    here = _run("docker", "image", "inspect", "--format", "{{.Id}}", image)
    if here.returncode != 0:
        raise UnavailableError(f"no Docker engine has the image {image}")
    known = _run("podman", "image", "inspect", "--format", "{{.Id}}", image).stdout.strip()
    missing = known != here.stdout.strip().removeprefix("sha256:")
    if missing:
        _copy(image, place)
    try:
        yield {"DOCKER_HOST": "", "CONTAINER_HOST": "podman", **_settings(place, image)}
    finally:
        if missing:
            _run("podman", "image", "rm", image)


def _copy(image: str, place: Path) -> None:
    archive = place / "image.tar"
    _run("docker", "save", "--output", str(archive), image)
    loaded = _run("podman", "load", "--input", str(archive))
    archive.unlink()
    if loaded.returncode != 0:
        raise UnavailableError(f"podman does not take the image: {loaded.stderr.strip()}")


def _settings(place: Path, image: str) -> Mapping[str, str]:
    """Return the variables under which Podman starts a container: none, or those that name settings in PLACE."""
    limited = place / "containers.conf"
    limited.write_text(LIMITED.format(files=resource.getrlimit(resource.RLIMIT_NOFILE)[1]), encoding="utf-8")
    said = ""
    for variables in ({}, {"CONTAINERS_CONF": str(limited)}):
        argv = ("podman", "run", "--rm", "--network=none", "--entrypoint=true", image)
        tried = _run(*argv, **variables)
        if tried.returncode == 0:
            return variables
        said = tried.stderr.strip()
    raise UnavailableError(f"podman starts no container here: {said}")


def _run(*argv: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environ = {name: value for name, value in os.environ.items() if name != "CONTAINER_HOST"} | variables
    return subprocess.run(argv, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def containers() -> int:
    """Return how many containers Podman has, running or not."""
    return len(json.loads(_run("podman", "ps", "--all", "--format", "json").stdout))
