"""Real builds, made once for all tests; `make test` sets up the Docker engine and the image that they need."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from composite import Outcome
from fake_github import FakeGitHub

from ci_toolkit.workshop import packages_directory
from tests.arch import mirror
from tests.integration import local_gitlab, small, steps

ROOT = Path(__file__).parents[2]
# What is run in examples/debian once it is up.
CHECK = "#!/bin/sh -e\ngrep -q ^ID=debian /etc/os-release\ntest $(id -u) = 0\necho it is Debian\n"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One finished call of the command line, and the report it left."""

    exit_code: int
    stdout: str
    stderr: str
    output: Path

    @property
    def report(self) -> Mapping[str, Any]:
        report: Mapping[str, Any] = json.loads((self.output / "report.json").read_text(encoding="utf-8"))
        return report


def toolkit(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `ci-toolkit` as a user would, from the checkout."""
    return subprocess.run(
        (sys.executable, "-m", "ci_toolkit", *arguments),
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.fixture(scope="session")
def runner() -> None:
    """Skip where nothing can build, with the doctor's own reasons."""
    completed = toolkit("doctor", "--json")
    report = json.loads(completed.stdout)
    if report["runner"] is None:
        pytest.skip(f"no runner fits this machine: {completed.stdout}")


@pytest.fixture(scope="module")
def served(runner: None) -> Iterator[tuple[str, ...]]:
    """mkosi's options for a mirror of Arch that is made of Debian's packages; skips where there can be none."""
    try:
        with mirror.serve() as options:
            yield options
    except mirror.UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def gitlab_ci_local() -> Path:
    """The program; skips where it cannot be had."""
    try:
        return local_gitlab.program()
    except local_gitlab.UnavailableError as error:
        pytest.skip(str(error))


@dataclass(frozen=True, kw_only=True)
class OnGitHub:
    """What the steps of the action did in WORKSPACE, and what the pull request's GitHub was told meanwhile."""

    outcome: Outcome
    workspace: Path
    github: FakeGitHub


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The action, as GitHub's runner downloads it."""
    return steps.checkout(tmp_path_factory.mktemp("action"))


@pytest.fixture(scope="session")
def packages(leaky: Run) -> Path:
    """What a build of examples/debian fetches, as a cache of a CI has it: examples/leaky wants it all."""
    return packages_directory(None, os.environ)


@pytest.fixture(scope="session")
def debian_on_github(checkout: Path, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> OnGitHub:
    """examples/debian of a checkout, verified by the action's own steps for a pull request, converted and started."""
    workspace, temporary = tmp_path_factory.mktemp("workspace"), tmp_path_factory.mktemp("temp")
    shutil.copytree(ROOT / "examples/debian", workspace / "examples/debian")
    small.write(workspace, {"check.sh": CHECK})
    small.commit(workspace)
    shutil.copytree(packages, temporary / "ci-toolkit-packages/packages")  # as actions/cache/restore does
    github = FakeGitHub()
    job = steps.job(workspace, temporary, github)
    given = {"directory": "examples/debian", "image": steps.IMAGE}
    made = {"formats": "qcow2", "boot": "uefi", "boot-check": "check.sh"}
    with github.server:
        outcome = job.run(steps.ACTION, checkout, given | made)
    assert github.server.violations == []
    return OnGitHub(outcome=outcome, workspace=workspace, github=github)


@pytest.fixture(scope="session")
def debian(debian_on_github: OnGitHub) -> Run:
    """examples/debian, verified: the same run, for those who look at its files."""
    outcome = debian_on_github.outcome
    output = debian_on_github.workspace / "output"
    assert (output / "report.json").exists(), outcome.log
    return Run(exit_code=1 if outcome.failed else 0, stdout=outcome.log, stderr=outcome.log, output=output)


@pytest.fixture(scope="session")
def leaky(runner: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """examples/leaky, verified."""
    output = tmp_path_factory.mktemp("leaky") / "output"
    completed = toolkit("verify", "examples/leaky", "--output", str(output))
    assert completed.returncode in (0, 1), completed.stderr
    return Run(exit_code=completed.returncode, stdout=completed.stdout, stderr=completed.stderr, output=output)
