"""For tests that need a newer program than this machine has: the one in the toolkit's own container image."""

import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

IMAGE = "ci-toolkit:local"


def run(program: str, *arguments: str | Path, shared: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run PROGRAM of the container image on what is below SHARED; skip the test where there is no such image."""
    if not _is_there():
        pytest.skip(f"there is no Docker engine here with the image {IMAGE}")
    variables = [f"--env={name}={value}" for name, value in (environment or {}).items()]
    completed = subprocess.run(
        [
            "docker", "run", "--rm", "--network=none", *variables, f"--volume={shared}:{shared}",
            f"--entrypoint={program}", IMAGE, *map(str, arguments),
        ],
        capture_output=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert completed.returncode == 0, completed.stderr.decode(errors="replace")


@cache
def _is_there() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False).returncode == 0
