"""Forgejo and Gitea, whose API for comments has GitHub's shape below /api/v1."""

from collections.abc import Iterator

import pytest
from fake_github import REPOSITORY, TOKEN, FakeGitHub, refusal
from forge_server import Answer, Fault
from waits import Waits

from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.forges.deliver import Outcome, deliver
from ci_toolkit.forges.marker import carry, mark

MARK = mark("examples/debian")


@pytest.fixture
def forgejo() -> Iterator[FakeGitHub]:
    """There is no description of this API to check against."""
    fake = FakeGitHub(prefix="/api/v1", login="robot", description="forgejo.json")
    with fake.server:
        yield fake
    assert fake.server.violations == []


@pytest.fixture
def on_forgejo(forgejo: FakeGitHub) -> Job:
    return Job(provider=Provider.FORGEJO, repository=REPOSITORY, change=42, api_url=forgejo.server.url, may_write=True)


def test_a_second_delivery_edits_the_comment_of_the_first(forgejo: FakeGitHub, on_forgejo: Job, waits: Waits) -> None:
    forgejo.add(carry(MARK, "copied"), "mallory")
    deliver(on_forgejo, TOKEN, MARK, "different", "", patience=waits.patience())
    delivery = deliver(on_forgejo, TOKEN, MARK, "identical", "", patience=waits.patience())
    assert forgejo.bodies == [carry(MARK, "copied"), carry(MARK, "identical")]
    assert delivery.url == forgejo.comments[1]["html_url"]


def test_a_jobs_own_token_finds_the_comment_of_the_jobs_account(
    forgejo: FakeGitHub, on_forgejo: Job, waits: Waits
) -> None:
    forgejo.login = None
    forgejo.add(carry(MARK, "old"), "forgejo-actions")
    assert deliver(on_forgejo, TOKEN, MARK, "new", "", patience=waits.patience()).commented
    assert forgejo.bodies == [carry(MARK, "new")]


def test_of_several_comments_of_ours_the_first_is_kept(forgejo: FakeGitHub, on_forgejo: Job, waits: Waits) -> None:
    for text in ("one", "two"):
        forgejo.add(carry(MARK, text), "robot")
    assert deliver(on_forgejo, TOKEN, MARK, "new", "", patience=waits.patience()).commented
    assert forgejo.bodies == [carry(MARK, "new")]


def test_a_lost_answer_to_a_created_comment_makes_no_second_one(
    forgejo: FakeGitHub, on_forgejo: Job, waits: Waits
) -> None:
    forgejo.server.faults.append(Fault(method="POST", answer=Answer(status=0), after=True))
    assert deliver(on_forgejo, TOKEN, MARK, "report", "", patience=waits.patience()).commented
    assert forgejo.bodies == [carry(MARK, "report")]


def test_a_missing_permission_is_not_asked_again(forgejo: FakeGitHub, on_forgejo: Job, waits: Waits) -> None:
    forgejo.server.faults.append(Fault(method="POST", answer=refusal(403, "token does not have the scope"), times=9))
    delivery = deliver(on_forgejo, TOKEN, MARK, "report", "", patience=waits.patience())
    assert delivery.outcome is Outcome.NOT_PERMITTED
    assert waits.seconds == []


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=302, headers={"Location": "http://192.0.2.1/"}),
        Answer(status=200, content="<html>"),
        Answer(status=200, content={"message": "hello"}),
        Answer(status=200, content=[{"name": "no comment"}]),
    ],
    ids=["redirection", "html", "mapping", "no-comment"],
)
def test_an_odd_answer_is_a_failure_in_one_line(
    forgejo: FakeGitHub, on_forgejo: Job, waits: Waits, answer: Answer
) -> None:
    forgejo.server.faults.append(Fault(method="GET", path_part="/comments", answer=answer))
    delivery = deliver(on_forgejo, TOKEN, MARK, "report", "", patience=waits.patience())
    assert delivery.outcome is Outcome.FAILED
    assert delivery.reason == "the forge's answer cannot be read"
