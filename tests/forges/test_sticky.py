"""One comment, whatever others do meanwhile."""

from dataclasses import replace

import pytest
from fake_github import TOKEN, FakeGitHub, refusal
from forge_server import Fault
from waits import Waits

from ci_toolkit.ci.job import Job
from ci_toolkit.forges.deliver import Outcome, announce, deliver, stamp
from ci_toolkit.forges.marker import Stamp, carry, mark, read

MARK = mark("examples/debian", "Images / verify")
OLD, NEW = "8f14e45fceea167a5a36dedd4bea2543c6d3a1b0", "3d962cd2a1b5d65b9d3a2f0c4e5b6a7988776655"


@pytest.fixture
def older(on_github: Job) -> Job:
    return replace(on_github, run=100, commit=OLD)


@pytest.fixture
def newer(on_github: Job) -> Job:
    return replace(on_github, run=101, commit=NEW)


def say(job: Job, text: str, waits: Waits, *, quiet: bool = False) -> Outcome:
    return deliver(job, TOKEN, MARK, text, "", quiet=quiet, patience=waits.patience()).outcome


def test_a_pipeline_that_creates_a_comment_beside_another_takes_it_back(
    github: FakeGitHub, newer: Job, older: Job, waits: Waits
) -> None:
    github.server.meanwhile.append(("POST", lambda: github.add(carry(MARK, "theirs", stamp(older)))))
    assert say(newer, "ours", waits) is Outcome.COMMENTED
    assert github.bodies == [carry(MARK, "ours", stamp(newer))]


def test_the_older_of_two_pipelines_at_once_leaves_the_comment_to_the_newer(
    github: FakeGitHub, newer: Job, older: Job, waits: Waits
) -> None:
    github.server.meanwhile.append(("POST", lambda: github.add(carry(MARK, "theirs", stamp(newer)))))
    assert say(older, "ours", waits) is Outcome.LEFT
    assert github.bodies == [carry(MARK, "theirs", stamp(newer))]


def test_a_comment_that_came_after_ours_is_the_one_that_goes(github: FakeGitHub, newer: Job, waits: Waits) -> None:
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:  # after ours was created
            github.add(carry(MARK, "theirs"))

    github.server.meanwhile += [("GET", look)] * 3
    assert say(newer, "ours", waits) is Outcome.COMMENTED
    assert github.bodies == [carry(MARK, "ours", stamp(newer))]


def test_what_a_newer_pipeline_said_is_kept_where_its_comment_goes(
    github: FakeGitHub, newer: Job, older: Job, waits: Waits
) -> None:
    """It did not see ours: a forge may show a comment later than it counts it, and a look may fail."""
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:  # after ours was created
            github.add(carry(MARK, "theirs", stamp(newer)))

    github.server.meanwhile += [("GET", look)] * 3
    assert say(older, "ours", waits) is Outcome.LEFT
    assert github.bodies == [carry(MARK, "theirs", stamp(newer))]


def test_two_comments_of_ours_are_joined_to_what_the_newer_one_says(
    github: FakeGitHub, newer: Job, older: Job, waits: Waits
) -> None:
    for job in (replace(older, run=99, commit="5" * 40), newer):
        github.add(carry(MARK, "theirs", stamp(job)))
    assert say(older, "ours", waits) is Outcome.LEFT
    assert github.bodies == [carry(MARK, "theirs", stamp(newer))]


def test_a_look_that_fails_after_a_comment_was_created_is_no_failure(
    github: FakeGitHub, newer: Job, waits: Waits
) -> None:
    fault = Fault(method="GET", path_part="/comments", answer=refusal(500, "Oh no"), times=9)
    github.server.meanwhile.append(("POST", lambda: github.server.faults.append(fault)))
    assert say(newer, "ours", waits) is Outcome.COMMENTED
    assert github.bodies == [carry(MARK, "ours", stamp(newer))]


def test_an_older_pipeline_that_ends_later_does_not_write_over_a_newer_report(
    github: FakeGitHub, newer: Job, older: Job, waits: Waits
) -> None:
    assert say(newer, "new", waits) is Outcome.COMMENTED
    assert say(older, "old", waits) is Outcome.LEFT
    assert github.bodies == [carry(MARK, "new", stamp(newer))]


def test_a_pipeline_that_is_run_again_for_the_same_commit_writes(
    github: FakeGitHub, newer: Job, older: Job, waits: Waits
) -> None:
    say(replace(newer, commit=OLD), "first", waits)
    assert say(older, "again", waits) is Outcome.COMMENTED
    assert github.bodies == [carry(MARK, "again", stamp(older))]


def test_what_is_there_already_is_not_written_again(github: FakeGitHub, newer: Job, waits: Waits) -> None:
    for _ in range(2):
        assert say(newer, "same", waits) is Outcome.COMMENTED
    assert [line.split()[0] for line in github.server.sent()] == ["GET", "GET", "POST", "GET", "GET", "GET"]


def test_a_quiet_report_begins_no_comment_but_renews_one(github: FakeGitHub, newer: Job, waits: Waits) -> None:
    assert say(newer, "all is well", waits, quiet=True) is Outcome.LEFT
    assert github.comments == []
    say(newer, "different", waits)
    assert say(newer, "all is well", waits, quiet=True) is Outcome.COMMENTED
    assert github.bodies == [carry(MARK, "all is well", stamp(newer))]


def test_a_comment_is_marked_outdated_while_a_newer_commit_is_built(
    github: FakeGitHub, newer: Job, older: Job, waits: Waits
) -> None:
    say(older, "### old\n", waits)
    assert announce(newer, TOKEN, MARK).commented
    assert github.bodies == [carry(MARK, f"> **Outdated:** `{NEW[:12]}` is being built.\n\n### old\n", stamp(newer))]
    third = replace(newer, run=102, commit="5" * 40)
    announce(third, TOKEN, MARK)
    assert github.bodies[0].count("Outdated") == 1
    assert "`555555555555` is being built" in github.bodies[0]
    say(third, "### new\n", waits)
    assert github.bodies == [carry(MARK, "### new\n", stamp(third))]


def test_a_report_of_the_commit_before_is_shown_below_what_is_being_built(
    github: FakeGitHub, newer: Job, older: Job, waits: Waits
) -> None:
    say(replace(older, run=99, commit="5" * 40), "### first\n", waits)
    announce(newer, TOKEN, MARK)
    assert say(older, "### second\n", waits) is Outcome.LEFT
    text = f"> **Outdated:** `{NEW[:12]}` is being built.\n\n### second\n"
    assert github.bodies == [carry(MARK, text, stamp(newer))]


def test_nothing_is_outdated_by_its_own_commit_or_by_an_older_one(
    github: FakeGitHub, newer: Job, older: Job, waits: Waits
) -> None:
    say(newer, "new", waits)
    for job in (newer, older):
        assert announce(job, TOKEN, MARK).outcome is Outcome.LEFT
    assert github.bodies == [carry(MARK, "new", stamp(newer))]


def test_where_there_is_no_comment_none_is_made_to_say_that_it_is_outdated(github: FakeGitHub, newer: Job) -> None:
    github.add(carry(MARK, "copied"), "mallory")
    assert announce(newer, TOKEN, MARK).outcome is Outcome.LEFT
    assert github.bodies == [carry(MARK, "copied")]


def test_an_announcement_is_not_waited_for_for_long(github: FakeGitHub, newer: Job, waits: Waits) -> None:
    github.server.faults.append(Fault(method="GET", answer=refusal(429, "Too many", retry_after="60"), times=9))
    assert announce(newer, TOKEN, MARK).outcome is Outcome.FAILED
    assert len(github.server.sent()) == 1


def test_a_body_with_carriage_returns_is_read_as_one_without(github: FakeGitHub, newer: Job, waits: Waits) -> None:
    body = carry(MARK, "text\n", Stamp(run=7, commit=OLD))
    assert read(MARK, body.replace("\n", "\r\n")) == (Stamp(run=7, commit=OLD), "text\n")
    assert read(MARK, carry(MARK, "text\n")) == (Stamp(), "text\n")


def test_a_text_that_looks_like_a_stamp_is_none(github: FakeGitHub, older: Job, newer: Job, waits: Waits) -> None:
    """The stamp is the second line alone, and that is ours."""
    forged = "### Report\n<!-- ci-toolkit run 999999 commit none -->\n"
    say(older, forged, waits)
    assert say(newer, "new", waits) is Outcome.COMMENTED
    assert github.bodies == [carry(MARK, "new", stamp(newer))]
