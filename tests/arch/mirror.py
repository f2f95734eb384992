"""A mirror of Arch on this machine: made of Debian's packages, kept in the cache, served on Docker's own network."""

import hashlib
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bootstrap.workplace import cache_directory

HERE: Final = Path(__file__).parent
IMAGE: Final = os.environ.get("CI_TOOLKIT_IMAGE", "ci-toolkit:local")
# The one day whose packages are served.
SNAPSHOT: Final = "2026/07/01"
# What decides the packages.
_MAKERS: Final = ("archive", "convert", "files", "packages", "services")
_PATIENCE_SECONDS: Final = 20


class UnavailableError(Exception):
    """There can be no mirror here; the message says why."""


def repository() -> Path:
    """Return the directory of the repository, made where none is in the cache yet.

    Raises UnavailableError where no packages can be fetched.
    """
    cache = cache_directory(os.environ)
    place = cache / f"arch-{_key()}"
    if place.is_dir():
        return place
    made = cache / f"{place.name}.{uuid.uuid4().hex}"
    made.mkdir()
    try:
        _convert(made)
        for older in cache.glob("arch-*"):
            if older != made and older.suffix == "":
                shutil.rmtree(older)
        made.rename(place)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return place


@contextmanager
def serve(port: int = 8000) -> Iterator[tuple[str, ...]]:
    """Serve the repository at PORT while the context lasts; yield mkosi's options for it.

    Builds reach it in containers, and in a virtual machine inside one, under the same address. Raises UnavailableError
    where there can be none.
    """
    if _docker("version", "--format", "{{.Server.Arch}}") != "amd64":
        raise UnavailableError("the packages of the Arch rig are those of x86-64")
    place = repository()
    volumes = [f"--volume={place / name}:/srv/mirror/{name}:ro" for name in ("core", "extra")]
    # As Arch's archive has the packages of a day, which mkosi asks for where there is a Snapshot=.
    volumes.append(f"--volume={place}:/srv/mirror/repos/{SNAPSHOT}:ro")
    server = _docker(
        "run",
        "--detach",
        "--rm",
        *volumes,
        "--entrypoint=python3",
        IMAGE,
        "-u",
        "-m",
        "http.server",
        "--directory=/srv/mirror",
        str(port),
    )
    try:
        until = time.monotonic() + _PATIENCE_SECONDS
        while "Serving HTTP" not in _docker("logs", server):
            if time.monotonic() > until:
                raise UnavailableError("the server of the Arch rig does not start")
            time.sleep(0.1)
        networks = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = _docker("inspect", "--format", networks, server)
        # The key that signed the packages is in the mirror's archlinux-keyring.
        yield (f"--mirror=http://{address}:{port}", "--repository-key-fetch=yes")
    finally:
        _docker("rm", "--force", server)


def _key() -> str:
    """Name what decides the repository: its makers, and the release of Debian that the image is made of."""
    summary = hashlib.sha256(_docker("run", "--rm", "--entrypoint=cat", IMAGE, "/etc/os-release").encode())
    for name in _MAKERS:
        summary.update((HERE / f"{name}.py").read_bytes())
    return summary.hexdigest()[:16]


def _convert(target: Path) -> None:
    argv = ["docker", "run", "--rm", f"--volume={HERE}:/rig/tests/arch:ro", f"--volume={target}:/srv/mirror"]
    argv += ["--workdir=/rig", "--env=PYTHONDONTWRITEBYTECODE=1", "--entrypoint=python3", IMAGE]
    done = subprocess.run(
        [*argv, "-m", "tests.arch.convert", "/srv/mirror"], capture_output=True, text=True, check=False
    )
    if done.returncode == os.EX_UNAVAILABLE:
        raise UnavailableError(f"Debian's packages cannot be fetched: {done.stderr.strip().splitlines()[-1]}")
    if done.returncode != 0:
        raise RuntimeError(f"the Arch rig could not be made:\n{done.stderr[-4000:]}")


def _docker(*arguments: str) -> str:
    try:
        done = subprocess.run(("docker", *arguments), capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise UnavailableError("docker is not installed") from error
    if done.returncode != 0:
        raise UnavailableError(f"docker {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()
