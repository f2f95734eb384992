"""A commit status on each forge."""

from collections.abc import Iterator
from dataclasses import replace

import fake_github
import fake_gitlab
import pytest
from fake_github import FakeGitHub
from fake_gitlab import FakeGitLab
from forge_server import Fault
from waits import Waits

from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.forges import status
from ci_toolkit.forges.deliver import Outcome
from ci_toolkit.forges.forge import State

COMMIT = "8f14e45fceea167a5a36dedd4bea2543c6d3a1b0"


@pytest.fixture
def forgejo() -> Iterator[FakeGitHub]:
    fake = FakeGitHub(prefix="/api/v1", login="robot", description="forgejo.json")
    with fake.server:
        yield fake
    assert fake.server.violations == []


def pushed(job: Job) -> Job:
    """A status needs no change."""
    return replace(job, change=None, commit=COMMIT, run_url="https://forge.example/run/1")


def test_a_status_on_github_names_verdict_image_and_job(github: FakeGitHub, on_github: Job, waits: Waits) -> None:
    words = "Reproducible · 835 MB · 102 s"
    done = status.put(
        pushed(on_github),
        fake_github.TOKEN,
        State.SUCCESS,
        words,
        "examples/debian",
        patience=waits.patience(),
    )
    assert done.commented
    (said,) = github.statuses
    assert (said["sha"], said["state"], said["description"]) == (COMMIT, "success", words)
    assert (said["context"], said["target_url"]) == ("ci-toolkit: examples/debian", "https://forge.example/run/1")
    assert github.server.sent() == [f"POST /repos/archlinux/images/statuses/{COMMIT}"]


def test_a_status_on_forgejo_has_githubs_shape(forgejo: FakeGitHub, waits: Waits) -> None:
    job = Job(provider=Provider.FORGEJO, repository=fake_github.REPOSITORY, api_url=forgejo.server.url, may_write=True)
    done = status.put(
        pushed(job), fake_github.TOKEN, State.ERROR, "Not built", "examples/debian", patience=waits.patience()
    )
    assert done.commented
    assert [one["state"] for one in forgejo.statuses] == ["error"]


@pytest.mark.parametrize(
    ("state", "word"), [(State.SUCCESS, "success"), (State.FAILURE, "failed"), (State.ERROR, "failed")]
)
def test_a_status_on_gitlab_has_gitlabs_words(
    gitlab: FakeGitLab, on_gitlab: Job, waits: Waits, state: State, word: str
) -> None:
    assert status.put(pushed(on_gitlab), fake_gitlab.TOKEN, state, "words", "a", patience=waits.patience()).commented
    assert [(one["sha"], one["status"], one["name"]) for one in gitlab.statuses] == [(COMMIT, word, "ci-toolkit: a")]
    assert gitlab.server.sent() == [f"POST /api/v4/projects/7/statuses/{COMMIT}"]


def test_a_state_that_gitlab_has_already_is_done(gitlab: FakeGitLab, on_gitlab: Job, waits: Waits) -> None:
    message = 'Cannot transition status via :drop from :failed (Reason(s): Status cannot transition via "drop")'
    gitlab.server.faults.append(Fault(method="POST", answer=fake_gitlab.refusal(400, message)))
    done = status.put(pushed(on_gitlab), fake_gitlab.TOKEN, State.FAILURE, "no", "a", patience=waits.patience())
    assert done.commented
    assert len(gitlab.server.sent()) == 1


def test_another_400_of_gitlab_is_a_failure(gitlab: FakeGitLab, on_gitlab: Job, waits: Waits) -> None:
    gitlab.server.faults.append(Fault(method="POST", answer=fake_gitlab.refusal(400, "State is required")))
    done = status.put(pushed(on_gitlab), fake_gitlab.TOKEN, State.FAILURE, "no", "a", patience=waits.patience())
    assert done.outcome is Outcome.FAILED
    assert "State is required" in (done.reason or "")


def test_gitlab_at_work_on_the_same_commit_is_asked_again(gitlab: FakeGitLab, on_gitlab: Job, waits: Waits) -> None:
    busy = fake_gitlab.refusal(409, "Another update to this commit status is in progress")
    gitlab.server.faults.append(Fault(method="POST", answer=busy))
    assert status.put(
        pushed(on_gitlab), fake_gitlab.TOKEN, State.SUCCESS, "yes", "a", patience=waits.patience()
    ).commented
    assert waits.seconds == [2.0]


@pytest.mark.parametrize("text", ["x" * 500, "\N{PACKAGE}" * 100, "x" + "\N{PACKAGE}" * 100], ids=["x", "wide", "odd"])
def test_a_description_is_cut_to_what_github_takes(github: FakeGitHub, on_github: Job, waits: Waits, text: str) -> None:
    assert status.put(
        pushed(on_github), fake_github.TOKEN, State.SUCCESS, text, text, patience=waits.patience()
    ).commented
    (said,) = github.statuses
    for cut, limit in ((said["description"], 140), (said["context"], 100)):
        assert limit - 2 <= len(cut.encode("utf-16-le")) // 2 <= limit
        assert cut.endswith("…")


@pytest.mark.parametrize(
    ("job", "outcome"),
    [
        (Job(provider=Provider.LOCAL), Outcome.NO_CHANGE),
        (Job(provider=Provider.UNKNOWN, commit=COMMIT), Outcome.NO_CHANGE),
        (Job(provider=Provider.GITHUB, may_write=True), Outcome.NO_CHANGE),
        (Job(provider=Provider.GITHUB, commit=COMMIT, may_not_write_because="a fork"), Outcome.NOT_PERMITTED),
    ],
    ids=["local", "unknown", "no commit", "fork"],
)
def test_where_no_status_can_be_set_nobody_is_asked(job: Job, outcome: Outcome, waits: Waits) -> None:
    done = status.put(job, fake_github.TOKEN, State.SUCCESS, "yes", "a", patience=waits.patience())
    assert done.outcome is outcome
    assert done.reason
