"""The real python-gitlab against a GitLab on loopback."""

from dataclasses import replace

import pytest
from fake_gitlab import TOKEN, FakeGitLab, refusal
from forge_server import Answer, Fault
from waits import Waits

from ci_toolkit.ci.job import Job
from ci_toolkit.forges.deliver import Outcome, deliver
from ci_toolkit.forges.marker import carry, mark

MARK = mark("examples/debian", "verify")
LATER = Answer(status=429, content="Retry later\n", headers={"Retry-After": "11"})


def test_the_first_delivery_creates_a_note_and_names_its_address(
    gitlab: FakeGitLab, on_gitlab: Job, waits: Waits
) -> None:
    delivery = deliver(on_gitlab, TOKEN, MARK, "identical", "", patience=waits.patience())
    assert delivery.url == f"{gitlab.server.url}/images/cloud/-/merge_requests/42#note_5001"
    assert gitlab.bodies == [carry(MARK, "identical")]


def test_a_second_delivery_edits_the_note_of_the_first(gitlab: FakeGitLab, on_gitlab: Job, waits: Waits) -> None:
    urls = {
        deliver(on_gitlab, TOKEN, MARK, text, "", patience=waits.patience()).url for text in ("different", "identical")
    }
    assert gitlab.bodies == [carry(MARK, "identical")]
    assert len(urls) == 1


def test_a_gitlab_below_a_path_is_reached_there_on_every_page(
    below_a_path: FakeGitLab, on_gitlab: Job, waits: Waits
) -> None:
    for number in range(230):
        below_a_path.add(f"Remark {number}", "levente")
    ours = below_a_path.add(carry(MARK, "old"))
    job = replace(on_gitlab, api_url=below_a_path.api_url)
    assert deliver(job, TOKEN, MARK, "new", "", patience=waits.patience()).commented
    assert ours["body"] == carry(MARK, "new")
    assert sum("/notes" in request.path and request.method == "GET" for request in below_a_path.server.requests) == 3


def test_a_note_of_somebody_else_and_one_of_gitlab_itself_are_left_alone(
    gitlab: FakeGitLab, on_gitlab: Job, waits: Waits
) -> None:
    gitlab.add(carry(MARK, "copied"), "mallory")
    gitlab.add(carry(MARK, "changed the title"), system=True)
    deliver(on_gitlab, TOKEN, MARK, "report", "", patience=waits.patience())
    assert gitlab.bodies == [carry(MARK, "copied"), carry(MARK, "report")]


def test_a_token_that_may_not_ask_who_it_is_finds_its_note_by_commenting(
    gitlab: FakeGitLab, on_gitlab: Job, waits: Waits
) -> None:
    gitlab.login = None
    for text in ("different", "identical"):
        assert deliver(on_gitlab, TOKEN, MARK, text, "", patience=waits.patience()).commented
    assert gitlab.bodies == [carry(MARK, "identical")]


def test_of_several_notes_of_ours_the_first_is_kept(gitlab: FakeGitLab, on_gitlab: Job, waits: Waits) -> None:
    for text in ("one", "two", "three"):
        gitlab.add(carry(MARK, text))
    assert deliver(on_gitlab, TOKEN, MARK, "new", "", patience=waits.patience()).commented
    assert gitlab.bodies == [carry(MARK, "new")]


def test_a_note_that_is_deleted_before_it_is_edited_is_created_again(
    gitlab: FakeGitLab, on_gitlab: Job, waits: Waits
) -> None:
    gitlab.add(carry(MARK, "old"))
    gitlab.server.faults.append(Fault(method="PUT", answer=refusal(404, "404 Note Not Found")))
    assert deliver(on_gitlab, TOKEN, MARK, "new", "", patience=waits.patience()).commented
    assert gitlab.bodies[1:] == [carry(MARK, "new")]


@pytest.mark.parametrize("answer", [refusal(502, "Bad Gateway"), Answer(status=0)], ids=["502", "hang-up"])
def test_a_lost_answer_to_a_created_note_makes_no_second_one(
    gitlab: FakeGitLab, on_gitlab: Job, waits: Waits, answer: Answer
) -> None:
    gitlab.server.faults.append(Fault(method="POST", answer=answer, after=True))
    assert deliver(on_gitlab, TOKEN, MARK, "report", "", patience=waits.patience()).commented
    assert gitlab.bodies == [carry(MARK, "report")]
    assert waits.seconds == [2.0]


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (LATER, 11.0),
        (refusal(429, "429", ratelimit_remaining="0", ratelimit_reset="1800000030"), 30.0),
        (refusal(429, "429"), 60.0),
    ],
    ids=["retry-after", "reset", "no-time"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_rate_limit_is_waited_for_once_and_by_us(
    gitlab: FakeGitLab, on_gitlab: Job, waits: Waits, method: str, answer: Answer, seconds: float
) -> None:
    if method == "PUT":
        gitlab.add(carry(MARK, "old"))
    gitlab.server.faults.append(Fault(method=method, path_part="/notes", answer=answer))
    assert deliver(on_gitlab, TOKEN, MARK, "report", "", patience=waits.patience()).commented
    assert waits.seconds == [seconds]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_missing_permission_is_not_asked_again(
    gitlab: FakeGitLab, on_gitlab: Job, waits: Waits, method: str, status: int
) -> None:
    answer = refusal(status, f"{status} insufficient_scope")
    gitlab.server.faults.append(Fault(method=method, path_part="/notes", answer=answer, times=100))
    delivery = deliver(on_gitlab, TOKEN, MARK, "report", "", patience=waits.patience())
    assert delivery.outcome is Outcome.NOT_PERMITTED
    assert f"({status}: " in (delivery.reason or "")
    assert waits.seconds == []
    assert sum(line.startswith(method) and line.endswith("/notes") for line in gitlab.server.sent()) == 1


def test_a_wrong_token_is_a_missing_permission_and_is_not_shown(on_gitlab: Job, waits: Waits) -> None:
    delivery = deliver(on_gitlab, "glpat-wrong", MARK, "report", "", patience=waits.patience())
    assert delivery.outcome is Outcome.NOT_PERMITTED
    assert "glpat-wrong" not in repr(delivery)


def test_a_note_that_gitlab_finds_too_long_is_a_failure(gitlab: FakeGitLab, on_gitlab: Job, waits: Waits) -> None:
    answer = Answer(status=400, content={"message": {"note": ["is too long (maximum is 1000000 characters)"]}})
    gitlab.server.faults.append(Fault(method="POST", answer=answer))
    delivery = deliver(on_gitlab, TOKEN, MARK, "report", "", patience=waits.patience())
    assert delivery.outcome is Outcome.FAILED
    assert "is too long" in (delivery.reason or "")


@pytest.mark.parametrize("part", ["/merge_requests/42", "/notes"])
@pytest.mark.parametrize(
    "content",
    ["<html>", "[[", {"data": []}, [{"name": "x"}], ["x"], 7, [{"id": 1, "author": 3, "system": False}]],
    ids=str,
)
def test_content_of_another_shape_is_a_failure_in_one_line(
    gitlab: FakeGitLab, on_gitlab: Job, waits: Waits, part: str, content: object
) -> None:
    gitlab.server.faults.append(Fault(method="GET", path_part=part, answer=Answer(status=200, content=content)))
    delivery = deliver(on_gitlab, TOKEN, MARK, "report", "", patience=waits.patience())
    assert not delivery.commented
    assert delivery.reason
    gitlab.server.violations.clear()  # the answer was meant to be none of GitLab's


def test_an_address_that_is_not_that_of_the_api_is_said(on_gitlab: Job, waits: Waits) -> None:
    job = replace(on_gitlab, api_url="http://127.0.0.1:9")
    delivery = deliver(job, TOKEN, MARK, "report", "", patience=waits.patience())
    assert delivery.outcome is Outcome.FAILED
    assert "/api/v4" in (delivery.reason or "")


def test_every_exchange_is_checked_against_gitlabs_own_description(
    gitlab: FakeGitLab, on_gitlab: Job, waits: Waits
) -> None:
    deliver(on_gitlab, TOKEN, MARK, "report", "", patience=waits.patience())
    if not gitlab.server.checked:
        pytest.skip("GitLab's OpenAPI description is not beside the checkout: ../shared/openapi/gitlab.json")
    assert gitlab.server.checked == len(gitlab.server.requests) == 5
