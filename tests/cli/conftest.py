"""No CI system but the one of the test, and a runner that builds nothing."""

import os
from collections.abc import Callable

import fake_runner
import pytest
from fake_runner import FakeRunner


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever CI system runs the tests is not seen by what reads the environment."""
    for name in list(os.environ):
        if name.startswith(("CI", "GITHUB_", "GITLAB_", "INPUT_", "FORGEJO_", "GITEA_")):
            monkeypatch.delenv(name)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeRunner], FakeRunner]:
    """Let this runner build."""
    return lambda runner: fake_runner.install(monkeypatch, runner)
