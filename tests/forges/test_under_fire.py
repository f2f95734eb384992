"""Every fault on every forge, for comments as for statuses: never two, never a lost one, never a token shown."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import fake_github
import fake_gitlab
import pytest
from fake_github import FakeGitHub
from fake_gitlab import FakeGitLab
from forge_server import Answer, Fault, ForgeServer
from waits import Waits

from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.forges import status
from ci_toolkit.forges.deliver import Delivery, Outcome, deliver
from ci_toolkit.forges.forge import State
from ci_toolkit.forges.marker import carry, mark

pytestmark = pytest.mark.slow

MARK = mark("examples/debian", "verify")
COMMIT = "8f14e45fceea167a5a36dedd4bea2543c6d3a1b0"


@dataclass(kw_only=True)
class Site:
    """A forge on loopback, a job that speaks to it, and what has come of it."""

    server: ForgeServer
    job: Job
    token: str
    statuses: list[dict[str, Any]]
    bodies: Callable[[], list[str]]
    add: Callable[[str, str], object]
    clear: Callable[[], None]

    def comment(self, waits: Waits, text: str = "report") -> Delivery:
        return deliver(self.job, self.token, MARK, text, "", patience=waits.patience())

    def status(self, waits: Waits) -> Delivery:
        return status.put(self.job, self.token, State.SUCCESS, "Reproducible", "a", patience=waits.patience())


def github_at(prefix: str, provider: Provider, description: str) -> Iterator[Site]:
    fake = FakeGitHub(prefix=prefix, login="robot", description=description)
    with fake.server:
        job = Job(
            provider=provider,
            repository=fake_github.REPOSITORY,
            change=42,
            commit=COMMIT,
            api_url=fake.server.url,
            may_write=True,
        )
        yield Site(
            server=fake.server,
            job=job,
            clear=fake.comments.clear,
            token=fake_github.TOKEN,
            statuses=fake.statuses,
            bodies=lambda: fake.bodies,
            add=fake.add,
        )


def gitlab_site() -> Iterator[Site]:
    fake = FakeGitLab()
    with fake.server:
        job = Job(
            provider=Provider.GITLAB, repository="7", change=42, commit=COMMIT, api_url=fake.api_url, may_write=True
        )
        yield Site(
            server=fake.server,
            job=job,
            clear=fake.notes.clear,
            token=fake_gitlab.TOKEN,
            statuses=fake.statuses,
            bodies=lambda: fake.bodies,
            add=fake.add,
        )


SITES: dict[str, Callable[[], Iterator[Site]]] = {
    "github": lambda: github_at("", Provider.GITHUB, "github.json"),
    "gitlab": gitlab_site,
    "forgejo": lambda: github_at("/api/v1", Provider.FORGEJO, "forgejo.json"),
}
SAID = {"message": "no", "documentation_url": "https://docs.example/rest"}


def end(server: ForgeServer, before: set[threading.Thread]) -> None:
    """Let what trickles end, and whoever was left behind listening to it: all threads that were not there BEFORE."""
    server.over.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(5)


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    yield from SITES[request.param]()


def answer(code: int, **headers: str) -> Answer:
    return Answer(status=code, content=SAID, headers={name.replace("_", "-"): value for name, value in headers.items()})


# What a forge does once and then no more, and what is waited for it.
PASSING = {
    "500": (answer(500), 2.0),
    "502": (answer(502), 2.0),
    "503": (answer(503), 2.0),
    "503 with a time": (answer(503, retry_after="5"), 5.0),
    "504": (answer(504), 2.0),
    "408": (answer(408), 2.0),
    "429": (answer(429), 60.0),
    "429 with a time": (answer(429, retry_after="7"), 7.0),
    "403 with a time": (answer(403, retry_after="8"), 8.0),
    "403 with a reset": (answer(403, x_ratelimit_remaining="0", x_ratelimit_reset="1800000050"), 50.0),
    "secondary limit": (
        Answer(status=403, content={**SAID, "message": "You have exceeded a secondary rate limit"}),
        60.0,
    ),
    "cut": (Answer(status=0), 2.0),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("fault", PASSING)
def test_a_comment_is_there_once_after_a_fault_that_passes(site: Site, waits: Waits, fault: str, after: bool) -> None:
    """Before the forge acted, or after it, so that only the answer is lost."""
    said, seconds = PASSING[fault]
    site.server.faults.append(Fault(method="POST", answer=said, after=after))
    assert site.comment(waits).commented
    assert site.bodies() == [carry(MARK, "report")]
    assert waits.seconds == [seconds]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("fault", PASSING)
def test_a_status_says_the_same_after_a_fault_that_passes(site: Site, waits: Waits, fault: str, after: bool) -> None:
    """One that was set twice says the same twice; forges show the last one."""
    said, seconds = PASSING[fault]
    site.server.faults.append(Fault(method="POST", answer=said, after=after))
    assert site.status(waits).commented
    assert len({(one["sha"], one["description"]) for one in site.statuses}) == 1
    assert len(site.statuses) == 1 + after
    assert waits.seconds == [seconds]


@pytest.mark.parametrize("fault", PASSING)
def test_an_edit_whose_answer_is_lost_is_made_once_more(site: Site, waits: Waits, fault: str) -> None:
    site.comment(waits, "old")
    for method in ("PATCH", "PUT"):
        site.server.faults.append(Fault(method=method, answer=PASSING[fault][0], after=True))
    assert site.comment(waits, "new").commented
    assert site.bodies() == [carry(MARK, "new")]


@pytest.mark.parametrize("code", [401, 403, 404])
@pytest.mark.parametrize("what", ["comment", "status"])
def test_a_missing_right_is_asked_for_once(site: Site, waits: Waits, what: str, code: int) -> None:
    site.server.faults.append(Fault(method="POST", answer=answer(code), times=99))
    done = site.comment(waits) if what == "comment" else site.status(waits)
    assert done.outcome is Outcome.NOT_PERMITTED
    assert waits.seconds == []
    assert sum(line.startswith("POST") for line in site.server.sent()) == 1


@pytest.mark.parametrize("what", ["comment", "status"])
@pytest.mark.parametrize("said", [answer(500), answer(429), answer(429, retry_after="3600"), Answer(status=0)], ids=str)
def test_a_forge_that_never_recovers_is_given_up_in_bounded_time(
    site: Site, waits: Waits, what: str, said: Answer
) -> None:
    for method in ("GET", "POST"):
        site.server.faults.append(Fault(method=method, answer=said, times=99))
    done = site.comment(waits) if what == "comment" else site.status(waits)
    assert done.outcome is Outcome.FAILED
    assert done.reason
    assert sum(waits.seconds) <= 300
    assert len(site.server.sent()) <= 6


@pytest.mark.parametrize("what", ["comment", "status"])
@pytest.mark.parametrize("content", ["<html>", "[[", {"data": []}, ["x"], 7, ""], ids=str)
def test_an_answer_that_is_none_of_the_forges_is_no_traceback(
    site: Site, waits: Waits, what: str, content: object
) -> None:
    site.server.faults.append(Fault(method="POST", answer=Answer(status=201, content=content), after=True, times=9))
    done = site.comment(waits) if what == "comment" else site.status(waits)
    assert done.outcome in (Outcome.COMMENTED, Outcome.FAILED)
    assert done.outcome is Outcome.COMMENTED or done.reason
    assert len(site.bodies()) + len(site.statuses) == 1


@pytest.mark.parametrize("what", ["comment", "status"])
@pytest.mark.parametrize("code", [400, 401, 403, 404, 422, 500])
def test_a_token_that_the_forge_repeats_is_never_shown(site: Site, waits: Waits, what: str, code: int) -> None:
    said = Answer(status=code, content={**SAID, "message": f"Bad token {site.token} here"})
    site.server.faults.append(Fault(method="POST", answer=said, times=99))
    done = site.comment(waits) if what == "comment" else site.status(waits)
    assert not done.commented
    assert site.token not in f"{done} {waits.told}"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answer_that_trickles_is_left_behind(site: Site, waits: Waits, method: str) -> None:
    slow = Answer(status=200, content={**SAID, "more": "x" * 40}, trickle=0.02)
    site.server.faults.append(Fault(method=method, answer=slow, times=9))
    patience = replace(waits.patience(), end_seconds=0.5, attempts=1)
    before = set(threading.enumerate())
    done = deliver(site.job, site.token, MARK, "report", "", patience=patience)
    assert done.outcome is Outcome.FAILED
    assert "had not answered in full" in (done.reason or "")
    end(site.server, before)


def test_our_comment_is_found_behind_many_pages(site: Site, waits: Waits) -> None:
    for number in range(250):
        site.add(f"Remark {number}", "levente")
    for text in ("old", "new"):
        assert site.comment(waits, text).commented
    assert site.bodies()[250:] == [carry(MARK, "new")]


@pytest.mark.parametrize("newer_first", [True, False])
def test_two_pipelines_at_once_leave_one_comment_with_the_newer_report(site: Site, newer_first: bool) -> None:
    """Both look before either has written; which of them comes first is left to chance, many times."""
    for _ in range(5):
        runs = (10002, 10001) if newer_first else (10001, 10002)
        jobs = [replace(site.job, run=run, commit=f"{run}" * 8) for run in runs]
        together = threading.Barrier(2)

        def send(job: Job, together: threading.Barrier = together) -> None:
            together.wait()
            deliver(job, site.token, MARK, f"report of {job.run}", "", patience=Waits().patience())

        threads = [threading.Thread(target=send, args=(job,)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (body,) = site.bodies()
        assert body.endswith("report of 10002")
        site.clear()
