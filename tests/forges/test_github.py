"""The real PyGithub against a GitHub on loopback."""

from dataclasses import replace

import pytest
from fake_github import BOT, TOKEN, TOO_LONG, FakeGitHub, refusal
from forge_server import Answer, Fault
from waits import Waits

from ci_toolkit.ci.job import Head, Job
from ci_toolkit.forges.deliver import COMMENT_LIMIT_CHARACTERS, Outcome, deliver
from ci_toolkit.forges.marker import carry, mark

MARK = mark("examples/debian", "Images / verify")
LIMITED = {"message": "You have exceeded a secondary rate limit.", "documentation_url": "https://docs.github.com/rest"}


def test_the_first_delivery_creates_a_comment_and_names_its_address(
    github: FakeGitHub, on_github: Job, waits: Waits
) -> None:
    delivery = deliver(on_github, TOKEN, MARK, "identical", "", patience=waits.patience())
    assert delivery.commented
    assert delivery.url == github.comments[0]["html_url"]
    assert github.bodies == [carry(MARK, "identical")]


def test_a_second_delivery_edits_the_comment_of_the_first(github: FakeGitHub, on_github: Job, waits: Waits) -> None:
    for text in ("different", "identical"):
        deliver(on_github, TOKEN, MARK, text, "", patience=waits.patience())
    assert github.bodies == [carry(MARK, "identical")]
    assert [line.split()[0] for line in github.server.sent()] == ["GET", "GET", "POST", "GET", "GET", "GET", "PATCH"]


def test_two_jobs_of_a_matrix_have_a_comment_each(github: FakeGitHub, on_github: Job, waits: Waits) -> None:
    for image in ("debian", "arch", "debian"):
        deliver(on_github, TOKEN, mark(image), image, "", patience=waits.patience())
    assert github.bodies == [carry(mark("debian"), "debian"), carry(mark("arch"), "arch")]


def test_a_comment_on_the_third_page_is_found(github: FakeGitHub, on_github: Job, waits: Waits) -> None:
    for number in range(250):
        github.add(f"Remark {number}", "levente")
    ours = github.add(carry(MARK, "old"))
    github.add("Thank you", "levente")
    deliver(on_github, TOKEN, MARK, "new", "", patience=waits.patience())
    assert ours["body"] == carry(MARK, "new")
    assert len(github.comments) == 252


def test_a_marker_in_a_comment_of_somebody_else_is_left_alone(github: FakeGitHub, on_github: Job, waits: Waits) -> None:
    theirs = github.add(carry(MARK, "You have been had"), "mallory")
    deliver(on_github, TOKEN, MARK, "report", "", patience=waits.patience())
    assert theirs["body"] == carry(MARK, "You have been had")
    assert github.bodies[1:] == [carry(MARK, "report")]


def test_a_marker_that_our_own_account_quotes_is_left_alone(github: FakeGitHub, on_github: Job, waits: Waits) -> None:
    github.add(f"> {MARK}\n> old report")
    deliver(on_github, TOKEN, MARK, "report", "", patience=waits.patience())
    assert github.bodies == [f"> {MARK}\n> old report", carry(MARK, "report")]


def test_a_personal_token_knows_its_own_comments_and_not_those_of_a_bot(
    enterprise: FakeGitHub, on_github: Job, waits: Waits
) -> None:
    job = replace(on_github, api_url=enterprise.server.url)
    enterprise.add(carry(MARK, "by the bot"))
    enterprise.add(carry(MARK, "by us"), "levente")
    assert deliver(job, TOKEN, MARK, "new", "", patience=waits.patience()).commented
    assert enterprise.bodies == [carry(MARK, "by the bot"), carry(MARK, "new")]


def test_an_app_without_a_bots_name_finds_out_who_it_is_by_commenting(
    github: FakeGitHub, on_github: Job, waits: Waits
) -> None:
    github.add(carry(MARK, "old"), "robot")
    github.add(carry(MARK, "copied"), "mallory")
    github.server.faults.append(Fault(method="GET", path_part="/user", answer=refusal(403, "Not for you")))
    github.login = "robot"
    delivery = deliver(on_github, TOKEN, MARK, "new", "", patience=waits.patience())
    assert github.bodies == [carry(MARK, "new"), carry(MARK, "copied")]
    assert delivery.url == github.comments[0]["html_url"]


def test_of_several_comments_of_ours_the_first_is_kept(github: FakeGitHub, on_github: Job, waits: Waits) -> None:
    first = github.add(carry(MARK, "one"))
    github.add("Hello", "levente")
    github.add(carry(MARK, "two"))
    delivery = deliver(on_github, TOKEN, MARK, "new", "", patience=waits.patience())
    assert github.bodies == [carry(MARK, "new"), "Hello"]
    assert delivery.url == first["html_url"]


def test_a_second_comment_that_cannot_be_removed_is_no_failure(
    github: FakeGitHub, on_github: Job, waits: Waits
) -> None:
    github.add(carry(MARK, "one"))
    github.add(carry(MARK, "two"))
    github.server.faults.append(Fault(method="DELETE", answer=refusal(403, "Resource not accessible by integration")))
    assert deliver(on_github, TOKEN, MARK, "new", "", patience=waits.patience()).commented
    assert github.bodies == [carry(MARK, "new"), carry(MARK, "two")]


def test_a_comment_that_is_deleted_before_it_is_edited_is_created_again(
    github: FakeGitHub, on_github: Job, waits: Waits
) -> None:
    github.add(carry(MARK, "old"))
    github.server.faults.append(Fault(method="PATCH", answer=refusal(404, "Not Found")))
    assert deliver(on_github, TOKEN, MARK, "new", "", patience=waits.patience()).commented
    assert github.bodies[1:] == [carry(MARK, "new")]


def test_a_lost_answer_to_a_created_comment_makes_no_second_one(
    github: FakeGitHub, on_github: Job, waits: Waits
) -> None:
    github.server.faults.append(Fault(method="POST", answer=refusal(502, "Server Error"), after=True))
    delivery = deliver(on_github, TOKEN, MARK, "report", "", patience=waits.patience())
    assert delivery.commented
    assert github.bodies == [carry(MARK, "report")]
    assert waits.seconds == [2.0]


def test_a_connection_that_breaks_after_the_comment_was_created_makes_no_second_one(
    github: FakeGitHub, on_github: Job, waits: Waits
) -> None:
    github.server.faults.append(Fault(method="POST", answer=Answer(status=0), after=True))
    assert deliver(on_github, TOKEN, MARK, "report", "", patience=waits.patience()).commented
    assert github.bodies == [carry(MARK, "report")]


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_a_server_that_stumbles_is_asked_again_with_growing_waits(
    github: FakeGitHub, on_github: Job, waits: Waits, method: str
) -> None:
    if method == "PATCH":
        github.add(carry(MARK, "old"))
    github.server.faults.append(Fault(method=method, path_part="/issues", answer=refusal(503, "Busy"), times=3))
    assert deliver(on_github, TOKEN, MARK, "report", "", patience=waits.patience()).commented
    assert waits.seconds == [2.0, 4.0, 8.0]
    assert github.bodies == [carry(MARK, "report")]


def test_a_server_that_stays_down_is_given_up(github: FakeGitHub, on_github: Job, waits: Waits) -> None:
    github.server.faults.append(Fault(method="GET", answer=refusal(500, "Oh no"), times=100))
    delivery = deliver(on_github, TOKEN, MARK, "report", "", patience=waits.patience())
    assert delivery.outcome is Outcome.FAILED
    assert delivery.reason == "the forge failed (500: Oh no)"
    assert waits.seconds == [2.0, 4.0, 8.0, 16.0, 32.0]


def test_a_server_that_is_not_there_is_a_failure_in_one_line(on_github: Job, waits: Waits) -> None:
    job = replace(on_github, api_url="http://127.0.0.1:9")
    delivery = deliver(job, TOKEN, MARK, "report", "", patience=waits.patience())
    assert delivery.outcome is Outcome.FAILED
    assert delivery.reason == "the forge cannot be reached (ConnectionError)"


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (refusal(403, "Slow down", retry_after="7"), 7.0),
        (refusal(429, "Slow down", retry_after="9", x_ratelimit_remaining="0", x_ratelimit_reset="1800000050"), 9.0),
        (refusal(403, "Enough", x_ratelimit_remaining="0", x_ratelimit_reset="1800000050"), 50.0),
        (refusal(429, "Enough", x_ratelimit_remaining="0", x_ratelimit_reset="1800000050"), 50.0),
        (Answer(status=403, content=LIMITED), 60.0),
        (refusal(429, "Too many"), 60.0),
        (refusal(429, "Too many", retry_after="Fri, 15 Jan 2027 08:01:00 GMT"), 60.0),
    ],
    ids=["retry-after", "retry-after-first", "reset", "reset-429", "message", "no-time", "a-date"],
)
def test_a_rate_limit_is_waited_for(
    github: FakeGitHub, on_github: Job, waits: Waits, answer: Answer, seconds: float
) -> None:
    github.server.faults.append(Fault(method="POST", answer=answer))
    assert deliver(on_github, TOKEN, MARK, "report", "", patience=waits.patience()).commented
    assert waits.seconds == [seconds]
    assert "rate limit" in waits.told[0]


def test_a_rate_limit_that_names_no_time_is_waited_for_longer_each_time(
    github: FakeGitHub, on_github: Job, waits: Waits
) -> None:
    github.server.faults.append(Fault(method="POST", answer=refusal(429, "Too many"), times=100))
    delivery = deliver(on_github, TOKEN, MARK, "report", "", patience=waits.patience())
    assert delivery.outcome is Outcome.FAILED
    assert waits.seconds == [60.0, 120.0]


def test_a_limit_that_ends_in_an_hour_is_not_waited_for(github: FakeGitHub, on_github: Job, waits: Waits) -> None:
    answer = refusal(403, "Enough", x_ratelimit_remaining="0", x_ratelimit_reset="1800003600")
    github.server.faults.append(Fault(method="GET", path_part="/issues", answer=answer, times=100))
    delivery = deliver(on_github, TOKEN, MARK, "report", "", patience=waits.patience())
    assert delivery.outcome is Outcome.FAILED
    assert waits.seconds == []


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_missing_permission_is_not_asked_again(
    github: FakeGitHub, on_github: Job, waits: Waits, method: str, status: int
) -> None:
    answer = refusal(status, "Resource not accessible by integration")
    github.server.faults.append(Fault(method=method, path_part="/comments", answer=answer, times=100))
    delivery = deliver(on_github, TOKEN, MARK, "report", "", patience=waits.patience())
    assert delivery.outcome is Outcome.NOT_PERMITTED
    assert f"({status}: " in (delivery.reason or "")
    assert delivery.hint
    assert waits.seconds == []
    assert sum(line.startswith(f"{method} /repos") for line in github.server.sent()) == 1


def test_a_wrong_token_is_a_missing_permission_and_is_not_shown(
    github: FakeGitHub, on_github: Job, waits: Waits
) -> None:
    delivery = deliver(on_github, "ghp_wrong", MARK, "report", "", patience=waits.patience())
    assert delivery.outcome is Outcome.NOT_PERMITTED
    assert "ghp_wrong" not in repr(delivery)


def test_a_token_that_the_forge_repeats_is_not_shown(github: FakeGitHub, on_github: Job, waits: Waits) -> None:
    github.server.faults.append(Fault(method="POST", answer=refusal(403, f"Bad token {TOKEN} for this")))
    delivery = deliver(on_github, TOKEN, MARK, "report", "", patience=waits.patience())
    assert delivery.reason == "the forge does not permit it (403: Bad token *** for this)"


def test_a_token_with_a_line_break_is_refused_without_being_shown(on_github: Job, waits: Waits) -> None:
    delivery = deliver(on_github, "ghp_one\nghp_two", MARK, "report", "", patience=waits.patience())
    assert delivery.outcome is Outcome.NOT_PERMITTED
    assert "ghp_" not in repr(delivery)


def test_a_comment_that_would_be_too_long_is_cut_before_it_is_sent(
    github: FakeGitHub, on_github: Job, waits: Waits
) -> None:
    text = "```\n" + "\N{PACKAGE} usr/lib/modules\n" * 5000 + "```\n"
    assert deliver(on_github, TOKEN, MARK, text, "", patience=waits.patience()).commented
    body = github.bodies[0]
    assert len(body.encode("utf-16-le")) // 2 < 65536
    assert len(body.encode("utf-16-le")) // 2 > COMMENT_LIMIT_CHARACTERS - 500
    assert body.count("```") == 2
    assert body.endswith("The whole report is with the job.*\n")


def test_a_forge_that_finds_the_comment_too_long_is_believed(github: FakeGitHub, on_github: Job, waits: Waits) -> None:
    github.server.faults.append(Fault(method="POST", answer=TOO_LONG))
    delivery = deliver(on_github, TOKEN, MARK, "report", "", patience=waits.patience())
    assert delivery.outcome is Outcome.FAILED
    assert delivery.reason == "the forge rejects it (422: Validation Failed)"


def test_answers_that_lead_to_another_host_are_not_followed(github: FakeGitHub, on_github: Job, waits: Waits) -> None:
    someone = github.add("Hello", "levente")
    answer = Answer(
        status=200, content=[someone], headers={"Link": '<http://192.0.2.1/repos/archlinux/images?page=2>; rel="next"'}
    )
    github.server.faults.append(Fault(method="GET", path_part="/issues", answer=answer))
    delivery = deliver(on_github, TOKEN, MARK, "report", "", patience=waits.patience())
    assert delivery.outcome is Outcome.FAILED
    assert delivery.reason == "the answers are not those of GitHub's API"


@pytest.mark.parametrize(
    "content", ["<html>", "[[", {"data": []}, [{"name": "x"}], ["x"], 7, [{"id": "x", "body": 1}]], ids=str
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_content_of_another_shape_is_a_failure_in_one_line(
    github: FakeGitHub, on_github: Job, waits: Waits, method: str, content: object
) -> None:
    answer = Answer(status=200, content=content)
    github.server.faults.append(Fault(method=method, path_part="/comments", answer=answer, times=9))
    delivery = deliver(on_github, TOKEN, MARK, "report", "", patience=waits.patience())
    assert delivery.outcome is Outcome.FAILED
    assert delivery.reason
    github.server.violations.clear()  # the answer was meant to be none of GitHub's


def test_a_comment_of_a_deleted_account_is_nobodys(github: FakeGitHub, on_github: Job, waits: Waits) -> None:
    github.add(carry(MARK, "old"))["user"] = None
    assert deliver(on_github, TOKEN, MARK, "new", "", patience=waits.patience()).commented
    assert github.bodies == [carry(MARK, "old"), carry(MARK, "new")]


def test_the_bot_of_actions_is_the_author(github: FakeGitHub, on_github: Job, waits: Waits) -> None:
    deliver(on_github, TOKEN, MARK, "report", "", patience=waits.patience())
    assert github.comments[0]["user"]["login"] == BOT


def test_every_exchange_is_checked_against_githubs_own_description(
    github: FakeGitHub, on_github: Job, waits: Waits
) -> None:
    deliver(on_github, TOKEN, MARK, "report", "", patience=waits.patience())
    if not github.server.checked:
        pytest.skip("GitHub's OpenAPI description is not beside the checkout: ../shared/openapi/github.json")
    assert github.server.checked == len(github.server.requests) == 4


FORK = Head(repository="levente/images", branch="drop-log", commit="8f14e45fceea167a5a36dedd4bea2543c6d3a1b0")


def of_head(job: Job) -> Job:
    return replace(job, change=None, head=FORK)


def test_the_pull_request_of_a_fork_is_found_by_the_head_that_github_names(
    github: FakeGitHub, on_github: Job, waits: Waits
) -> None:
    other = "0" * 40
    github.open_pull(40, "mallory/images", FORK.branch, FORK.commit)
    github.open_pull(41, FORK.repository, FORK.branch, other)
    github.open_pull(42, FORK.repository, FORK.branch, FORK.commit)
    github.open_pull(43, "levente/copy", FORK.branch, FORK.commit)
    github.open_pull(44, None, FORK.branch, FORK.commit)
    assert deliver(of_head(on_github), TOKEN, MARK, "identical", "", patience=waits.patience()).commented
    assert github.bodies == [carry(MARK, "identical")]
    assert {line for line in github.server.sent() if "/issues/" in line} == {
        "GET /repos/archlinux/images/issues/42/comments",
        "POST /repos/archlinux/images/issues/42/comments",
    }


def test_a_pull_request_that_got_a_newer_commit_is_left_alone(github: FakeGitHub, on_github: Job, waits: Waits) -> None:
    github.open_pull(42, FORK.repository, FORK.branch, "0" * 40)
    delivery = deliver(of_head(on_github), TOKEN, MARK, "identical", "", patience=waits.patience())
    assert delivery.outcome is Outcome.NOT_PERMITTED
    assert "8f14e45fceea" in (delivery.reason or "")
    assert github.comments == []


def test_the_search_for_a_pull_request_is_tried_again_where_the_forge_stumbles(
    github: FakeGitHub, on_github: Job, waits: Waits
) -> None:
    github.open_pull(42, FORK.repository, FORK.branch, FORK.commit)
    github.server.faults.append(Fault(method="GET", path_part="/pulls", answer=Answer(status=0)))
    assert deliver(of_head(on_github), TOKEN, MARK, "identical", "", patience=waits.patience()).commented
