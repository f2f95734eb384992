"""gitlab-ci-local, which runs pipelines as GitLab would, installed into the user's cache once."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

VERSION: Final = "4.73.0"  # the last one that runs on Node 20


class UnavailableError(Exception):
    """Why there is none here."""


def program() -> Path:
    """Return the program; raises UnavailableError with the reason where it cannot be had."""
    for name in ("npm", "node", "rsync", "git", "bash"):
        if shutil.which(name) is None:
            raise UnavailableError(f"{name} is not installed")
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    cache = (named if named.is_absolute() else Path.home() / ".cache") / "ci-toolkit"
    place = cache / f"gitlab-ci-local-{VERSION}"
    found = place / "node_modules" / ".bin" / "gitlab-ci-local"
    if not found.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as fresh:
            argv = ("npm", "install", "--no-audit", "--no-fund", "--prefix", fresh, f"gitlab-ci-local@{VERSION}")
            installed = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=fresh)
            if installed.returncode != 0:
                raise UnavailableError(
                    f"gitlab-ci-local {VERSION} cannot be installed: {installed.stderr.strip()[-500:]}"
                )
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(fresh, place, symlinks=True)
    started = subprocess.run((found, "--version"), capture_output=True, text=True, check=False)
    if started.returncode != 0:
        raise UnavailableError(f"gitlab-ci-local {VERSION} does not start: {started.stderr.strip()[-500:]}")
    return found
