"""Artifacts that nobody needs any more, on a GitHub whose answers are held against its description."""

import io
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from fake_github import REPOSITORY, TOKEN
from forge_server import Answer, Fault
from github_artifacts import FakeArtifacts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waits import Waits

from ci_toolkit.console import Console
from ci_toolkit.errors import ForgeError, UsageError
from ci_toolkit.publish import artifacts, prune, targets
from ci_toolkit.publish.prune import Decision
from ci_toolkit.releases.retention import Policy

TODAY = date(2026, 11, 28)
NAME = "ci-toolkit-verify-0"


@pytest.fixture
def fake() -> Iterator[FakeArtifacts]:
    fake = FakeArtifacts()
    with fake.server:
        yield fake
    assert fake.server.violations == []


def call(
    fake: FakeArtifacts, policy: Policy, pattern: str = artifacts.PATTERN, run: str = "", *, dry: bool = False
) -> tuple[Decision, ...]:
    environ = {
        "GITHUB_API_URL": fake.server.url,
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_RUN_ID": run,
    }
    place = targets.artifacts("github-artifacts", environ, Waits().patience(), pattern)
    assert place is not None
    return prune.prune_artifacts(place, policy, TODAY, Console(narration=io.StringIO()), dry=dry)


def days(number: int) -> str:
    return (TODAY - timedelta(days=number)).isoformat()


def test_the_newest_of_each_name_stay(fake: FakeArtifacts) -> None:
    old = [fake.upload(name, days(20 + number), number + 1) for number in range(3) for name in (NAME, "ci-toolkit-b")]
    new = [fake.upload(name, days(2), 9) for name in (NAME, "ci-toolkit-b")]
    decided = call(fake, Policy(releases=2))
    assert fake.left == {*new, *old[:2]}
    assert len([one for one in decided if one.kept is None]) == 4


def test_artifacts_of_others_are_never_touched(fake: FakeArtifacts) -> None:
    theirs = {fake.upload("coverage", days(number), number + 1) for number in range(300, 303)}
    call(fake, Policy(releases=1))
    assert fake.left == theirs
    call(fake, Policy(releases=1), "cov*")
    assert len(fake.left) == 1


def test_what_a_run_that_is_going_on_has_uploaded_stays(fake: FakeArtifacts) -> None:
    for run, status in enumerate(("queued", "in_progress", "waiting", "completed", "gone", "pending"), 1):
        fake.status[run] = status
    ours = {run: fake.upload(NAME, days(30), run) for run in range(1, 7)}
    newest = fake.upload(NAME, days(1), 50)
    decided = call(fake, Policy(days=7))
    assert fake.left == {newest, *(ours[run] for run in (1, 2, 3, 6))}
    assert [one.kept for one in decided].count("its run is still going on") == 4


def test_what_this_very_run_has_uploaded_stays_and_nobody_is_asked(fake: FakeArtifacts) -> None:
    ours = fake.upload(NAME, days(30), 7)
    newest = fake.upload(NAME, days(1), 8)
    nobodys = fake.upload(NAME, days(40), None)
    call(fake, Policy(days=7), run="7")
    assert fake.left == {ours, newest, nobodys}
    assert [one.path for one in fake.server.requests if "/runs/" in one.path] == []


def test_what_has_expired_is_neither_counted_nor_deleted(fake: FakeArtifacts) -> None:
    kept = fake.upload(NAME, days(30), 1)
    expired = fake.upload(NAME, days(20), 2, expired=True)
    assert len(call(fake, Policy(releases=1))) == 1
    assert fake.left == {kept, expired}


def test_a_dry_run_tells_the_same_and_deletes_nothing(fake: FakeArtifacts) -> None:
    fake.status[2] = "in_progress"
    for number in range(1, 5):
        fake.upload(NAME, days(40 - number), number)
    told = call(fake, Policy(releases=1), dry=True)
    assert [one.method for one in fake.server.requests] == ["GET"] * len(fake.server.requests)
    assert len(fake.left) == 4
    assert call(fake, Policy(releases=1)) == told
    assert len(fake.left) == 2


def test_all_pages_are_read(fake: FakeArtifacts) -> None:
    for number in range(250):
        fake.upload(NAME, "2026-01-01", 1 + number % 3)
    call(fake, Policy(releases=10))
    assert fake.left == set(range(241, 251))
    assert len([one for one in fake.server.requests if "/runs/" in one.path]) == 3


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_forge_that_stumbles_and_somebody_else_who_prunes_change_nothing(fake: FakeArtifacts, after: bool) -> None:
    """Where GitHub deleted it and its answer was lost, it is gone the second time."""
    for number in range(1, 4):
        fake.upload(NAME, days(40 - number), number)
    answer = Answer(status=502, content={"message": "no", "documentation_url": "https://docs.example"})
    fake.server.faults.append(Fault(method="DELETE", answer=answer, after=after))
    fake.server.meanwhile.append(("DELETE", lambda: fake.remove(1)))
    call(fake, Policy(releases=1))
    assert fake.left == {3}


def test_a_token_without_the_right_is_told_which_it_needs(fake: FakeArtifacts) -> None:
    fake.may_write = False
    for number in range(1, 3):
        fake.upload(NAME, days(40 - number), number)
    with pytest.raises(ForgeError) as refused:
        call(fake, Policy(releases=1))
    assert "actions: write" in (refused.value.hint or "")


@pytest.mark.parametrize("content", [[], {}, {"artifacts": [{}]}, {"artifacts": 7}, "<html>"])
def test_a_page_of_somebody_else_is_told(fake: FakeArtifacts, content: object) -> None:
    fake.server.checks = False
    fake.server.faults.append(Fault(method="GET", answer=Answer(status=200, content=content)))
    with pytest.raises(ForgeError, match="not those of GitHub"):
        call(fake, Policy(releases=1))


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from((NAME, "ci-toolkit-b", "theirs")), st.integers(0, 60), st.integers(1, 6)), max_size=12
    ),
    st.sets(st.integers(1, 6)),
    st.integers(1, 4),
    st.none() | st.integers(1, 60),
)
def test_nothing_that_is_to_stay_is_deleted(
    fake: FakeArtifacts, uploads: list[tuple[str, int, int]], busy: set[int], number: int, last: int | None
) -> None:
    """Counted anew from what was uploaded and what GitHub has left."""
    fake.artifacts.clear()
    fake.status = dict.fromkeys(busy, "in_progress")
    made = {fake.upload(name, days(ago), run): (name, ago, run) for name, ago, run in uploads}
    call(fake, Policy(releases=number, days=last), run="6")
    for one in made.keys() - fake.left:
        name, ago, run = made[one]
        newer = sum(other[0] == name and (other[1], -key) < (ago, -one) for key, other in made.items())
        assert name != "theirs"
        assert newer >= number
        assert run not in {*busy, 6}
        assert last is None or ago >= last


def test_artifacts_are_no_target_of_releases() -> None:
    with pytest.raises(UsageError, match="no target"):
        targets.find("github-artifacts", {}, Waits().patience())
    assert targets.artifacts("github:a/b", {}, Waits().patience(), "*") is None
