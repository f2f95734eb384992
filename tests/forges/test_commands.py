"""Commands in comments, against a GitHub on loopback."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from fake_github import REPOSITORY, TOKEN, refusal
from fake_runs import HEAD, FakeRuns
from forge_server import Answer, Fault
from waits import Waits

from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.ci.remark import Remark
from ci_toolkit.forges import commands
from ci_toolkit.forges.commands import Answer as Answered

REMARK = Remark(comment=1001, change=42, author="levente", word="verify")


@pytest.fixture
def runs() -> Iterator[FakeRuns]:
    fake = FakeRuns()
    with fake.server:
        yield fake
    assert fake.server.violations == []


@pytest.fixture
def job(runs: FakeRuns) -> Job:
    return Job(provider=Provider.GITHUB, repository=REPOSITORY, change=42, api_url=runs.server.url)


def obeyed(job: Job, remark: Remark = REMARK, workflow: str = "verify.yml", waits: Waits | None = None) -> Answered:
    return commands.obey(job, TOKEN, remark, workflow, (waits or Waits()).patience())


def test_the_newest_run_of_the_head_starts_again(runs: FakeRuns, job: Job) -> None:
    runs.add_run(7)
    runs.add_run(8, path=".github/workflows/verify.yml@refs/pull/42/merge")
    runs.add_run(9, path=".github/workflows/other.yml")
    runs.add_run(10, head_sha="3" * 40)
    runs.add_run(11, event="push")
    found = obeyed(job)
    assert runs.started == [8]
    assert runs.reactions == [(1001, "rocket")]
    assert (found.commit, found.failed) == (HEAD, False)
    assert found.reason == f"started again: https://github.com/{REPOSITORY}/actions/runs/8"


@pytest.mark.parametrize("author", ["reader", "stranger", "nobody"])
def test_whoever_may_not_write_starts_nothing(runs: FakeRuns, job: Job, author: str) -> None:
    runs.add_run(7)
    for word in ("verify", None):
        found = obeyed(job, replace(REMARK, author=author, word=word))
        assert (found.commit, found.failed) == (None, False)
        assert found.reason == f"{author} may not write to this repository"
    assert runs.started == []
    assert runs.reactions == [(1001, "-1")] * 2
    assert not any("/pulls/" in line or "/runs" in line for line in runs.server.sent())


def test_an_unknown_command_and_a_closed_pull_request_start_nothing(runs: FakeRuns, job: Job) -> None:
    runs.add_run(7)
    assert obeyed(job, replace(REMARK, word=None)).reason == "the command is unknown: `/ci-toolkit verify` is"
    runs.pulls[0]["state"] = "closed"
    found = obeyed(job, replace(REMARK, author="admin"))
    assert (found.reason, found.commit) == ("the pull request is closed", None)
    assert runs.reactions == [(1001, "confused")] * 2
    assert runs.started == []


@pytest.mark.parametrize("status", ["queued", "in_progress", "waiting", "pending"])
def test_what_is_running_is_left_running(runs: FakeRuns, job: Job, status: str) -> None:
    runs.add_run(7, status=status)
    assert "is running already" in obeyed(job).reason
    assert (runs.started, runs.reactions) == ([], [(1001, "eyes")])


def test_where_there_is_no_run_to_start_again_the_next_step_is_told(runs: FakeRuns, job: Job) -> None:
    for conclusion, words in ((None, "no run of verify.yml for commit 8f14e45fceea"), ("action_required", "waits for")):
        if conclusion:
            runs.add_run(7, conclusion=conclusion)
        found = obeyed(job)
        assert words in found.reason
        assert found.hint is not None
        assert "approve its run" in found.hint
        assert not found.failed
    assert (runs.started, runs.reactions) == ([], [(1001, "confused")] * 2)


def test_for_a_workflow_of_ones_own_the_head_is_told_and_nothing_starts(runs: FakeRuns, job: Job) -> None:
    found = obeyed(job, workflow="none")
    assert (found.commit, found.reason) == (HEAD, f"levente asks to verify {HEAD}")
    assert (runs.started, runs.reactions) == ([], [(1001, "eyes")])


def test_missing_rights_are_asked_for_once_and_named(runs: FakeRuns, job: Job, waits: Waits) -> None:
    runs.add_run(7)
    runs.denied = {"reactions"}
    assert obeyed(job).reason.endswith("(no reaction: the job lacks pull-requests: write)")
    assert runs.started == [7]
    runs.add_run(8)
    runs.denied = {"rerun"}
    found = obeyed(job, waits=waits)
    assert found.failed
    assert found.hint is not None
    assert "actions: write" in found.hint
    assert (waits.seconds, runs.started) == ([], [7])


def test_a_connection_that_breaks_after_the_start_starts_nothing_twice(runs: FakeRuns, job: Job, waits: Waits) -> None:
    runs.add_run(7)
    runs.server.faults.append(Fault(method="POST", path_part="/rerun", answer=Answer(status=0), after=True))
    runs.server.faults.append(Fault(method="GET", path_part="/pulls", answer=refusal(502, "Bad Gateway"), times=2))
    found = obeyed(job, waits=waits)
    assert (runs.started, runs.reactions) == ([7], [(1001, "eyes")])
    assert (found.commit, found.failed, len(waits.seconds)) == (HEAD, False, 3)


@pytest.mark.parametrize("content", ["<html>", [], {}, {"permission": ["write"]}, {"permission": "Write"}])
def test_an_answer_of_another_shape_gives_nobody_a_right(runs: FakeRuns, job: Job, content: object) -> None:
    runs.add_run(7)
    runs.server.faults.append(Fault(method="GET", path_part="/permission", answer=Answer(status=200, content=content)))
    obeyed(job)
    assert runs.started == []


def test_the_token_is_in_no_answer(runs: FakeRuns, job: Job, waits: Waits) -> None:
    runs.server.faults.append(Fault(method="GET", answer=refusal(403, f"no {TOKEN}"), times=9))
    runs.server.faults.append(Fault(method="GET", answer=refusal(500, f"no {TOKEN}"), times=9))
    found = obeyed(job, waits=waits)
    assert found.failed
    assert TOKEN not in str(found) + str(waits.told)


def test_elsewhere_and_without_a_token_nothing_is_sent(runs: FakeRuns, job: Job) -> None:
    patience = Waits().patience()
    for other, token in (
        (replace(job, provider=Provider.FORGEJO), TOKEN),
        (job, None),
        (replace(job, api_url=None), TOKEN),
    ):
        assert commands.obey(other, token, REMARK, "verify.yml", patience).failed
    assert runs.server.sent() == []
