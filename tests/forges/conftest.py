"""Forges of other addresses, their jobs, and a patience that does not sleep."""

from collections.abc import Iterator

import pytest
from fake_github import REPOSITORY, FakeGitHub
from fake_gitlab import FakeGitLab
from waits import Waits

from ci_toolkit.ci.job import Job, Provider


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def enterprise() -> Iterator[FakeGitHub]:
    """GitHub Enterprise Server has its API below /api/v3."""
    fake = FakeGitHub(prefix="/api/v3", login="levente")
    with fake.server:
        yield fake
    assert fake.server.violations == []


@pytest.fixture
def below_a_path() -> Iterator[FakeGitLab]:
    """A GitLab that is installed below a relative URL."""
    fake = FakeGitLab(base="/forge/gitlab")
    with fake.server:
        yield fake
    assert fake.server.violations == []


@pytest.fixture
def on_github(github: FakeGitHub) -> Job:
    return Job(
        provider=Provider.GITHUB,
        repository=REPOSITORY,
        change=42,
        api_url=github.server.url,
        name="Images / verify",
        may_write=True,
    )


@pytest.fixture
def on_gitlab(gitlab: FakeGitLab) -> Job:
    return Job(
        provider=Provider.GITLAB,
        repository="7",
        change=42,
        api_url=gitlab.api_url,
        name="verify",
        may_write=True,
    )
