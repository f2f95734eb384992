"""No CI system but the one of the test, a runner that builds nothing, and the forges on loopback."""

import os
from collections.abc import Callable, Iterator

import fake_runner
import pytest
from fake_github import FakeGitHub
from fake_gitlab import FakeGitLab
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


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    fake = FakeGitHub()
    with fake.server:
        yield fake
    assert fake.server.violations == []


@pytest.fixture
def gitlab() -> Iterator[FakeGitLab]:
    fake = FakeGitLab()
    with fake.server:
        yield fake
    assert fake.server.violations == []
