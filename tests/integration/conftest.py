"""Real builds, made once for all tests; `make test` sets up the Docker engine and the image that they need."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.arch import mirror
from tests.integration import local_gitlab

ROOT = Path(__file__).parents[2]


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


def verify(example: str, output: Path) -> Run:
    completed = toolkit("verify", f"examples/{example}", "--output", str(output))
    assert completed.returncode in (0, 1), completed.stderr
    return Run(exit_code=completed.returncode, stdout=completed.stdout, stderr=completed.stderr, output=output)


@pytest.fixture(scope="session")
def debian(runner: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """examples/debian, verified."""
    return verify("debian", tmp_path_factory.mktemp("debian") / "output")


@pytest.fixture(scope="session")
def leaky(runner: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """examples/leaky, verified."""
    return verify("leaky", tmp_path_factory.mktemp("leaky") / "output")
