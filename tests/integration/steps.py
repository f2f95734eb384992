"""The action's own steps, for a pull request of a GitHub on loopback."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import fake_github
import pytest
import yaml
from composite import Job, Outcome
from fake_github import FakeGitHub

from ci_toolkit.runners.container import LOCAL_IMAGE
from tests.integration import small

ROOT: Final = Path(__file__).parents[2]
IMAGE: Final = os.environ.get("CI_TOOLKIT_IMAGE", LOCAL_IMAGE)
ACTION: Final[Mapping[str, Any]] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
UPLOAD: Final = "actions/upload-artifact"

_EVENT: Final = ROOT / "tests/fixtures/events/github/pull_request"


def checkout(place: Path) -> Path:
    """Put into PLACE what GitHub's runner downloads of this repository; pip builds in it."""
    for name in ("action.yml", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place / name)
    shutil.copytree(ROOT / "ci_toolkit", place / "ci_toolkit", ignore=shutil.ignore_patterns("__pycache__"))
    return place


def job(workspace: Path, temporary: Path, github: FakeGitHub) -> Job:
    """Return a job for the recorded pull request, in WORKSPACE, whose GitHub is GITHUB."""
    if shutil.which("bash") is None or shutil.which("git") is None:
        pytest.skip("bash or git is not installed")
    recorded = dict(line.split("=", 1) for line in _EVENT.with_suffix(".env").read_text(encoding="utf-8").splitlines())
    told = {name: value for name, value in recorded.items() if name.startswith(small.CI_PREFIXES)}
    environ = small.environ()
    environ.pop("PYTHONPATH", None)  # what pip installs is what runs
    python = Path(sys.executable).parent  # whose python3 is one that the toolkit supports
    return Job(
        workspace=workspace,
        temporary=temporary,
        environ={
            **environ,
            **told,
            "PATH": os.pathsep.join((str(python), environ["PATH"])),
            "GITHUB_API_URL": github.server.url,
            "GITHUB_EVENT_PATH": str(_EVENT.with_suffix(".json")),
        },
        contexts={
            "github": {"token": fake_github.TOKEN, "job": recorded["GITHUB_JOB"], "event_name": "pull_request"},
            "runner": {"temp": str(temporary)},
            "strategy": {"job-index": "0"},
        },
    )


def uploaded(workspace: Path, outcome: Outcome) -> set[str]:
    """Return the files that the upload step would find, relative to WORKSPACE."""
    patterns = outcome.used[UPLOAD]["path"].split()
    found = (path for one in patterns for path in workspace.glob(one) if path.is_file())
    return {path.relative_to(workspace).as_posix() for path in found}
