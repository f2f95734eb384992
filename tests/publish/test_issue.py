"""One issue while releases fail, on both forges."""

from collections.abc import Iterator

import fake_github
import fake_gitlab
import pytest
from fake_github import FakeGitHub
from fake_gitlab import FakeGitLab
from forge_server import Answer, Fault, ForgeServer
from issues import Issues
from markdown_it import MarkdownIt
from waits import Waits

from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.errors import ForgeError
from ci_toolkit.publish import issue
from ci_toolkit.publish.issue import TITLE, Issue

Site = tuple[Job, str, Issues, ForgeServer]


@pytest.fixture(params=["github", "gitlab"])
def site(request: pytest.FixtureRequest, github: FakeGitHub, gitlab: FakeGitLab) -> Iterator[Site]:
    run = "https://forge.invalid/jobs/1"
    if request.param == "github":
        job = Job(provider=Provider.GITHUB, repository=fake_github.REPOSITORY, api_url=github.server.url, run_url=run)
        yield job, fake_github.TOKEN, github.issues, github.server
    else:
        job = Job(provider=Provider.GITLAB, repository="7", api_url=gitlab.api_url, run_url=run)
        yield job, fake_gitlab.TOKEN, gitlab.issues, gitlab.server


def ours(site: Site) -> Issue:
    return issue.of(site[0], site[1], Waits().patience())


def test_one_issue_is_opened_kept_up_to_date_and_closed(site: Site) -> None:
    job, _, kept, _ = site
    assert not ours(site).works()
    assert ours(site).failed("the disk is full", job)
    ours(site).failed("the mirror is gone", job)
    (only,) = kept.opened()
    assert only["title"] == TITLE
    assert "the mirror is gone" in only[kept.text]
    assert "the disk is full" not in only[kept.text]
    assert "https://forge.invalid/jobs/1" in only[kept.text]
    assert ours(site).works()
    assert kept.opened() == []
    ours(site).failed("again", job)
    assert len(kept.issues) == 2


def test_issues_of_people_are_left_alone(site: Site) -> None:
    job, _, kept, _ = site
    for number in range(150):
        kept.add(TITLE if number % 2 else "Broken", f"It does not work {number}")
    ours(site).failed("the disk is full", job)
    ours(site).works()
    assert len(kept.opened()) == 150


@pytest.mark.parametrize("after", [False, True])
def test_a_lost_answer_makes_no_second_issue(site: Site, after: bool) -> None:
    job, _, kept, server = site
    server.faults.append(Fault(method="POST", answer=Answer(status=502, content={"message": "no"}), after=after))
    ours(site).failed("the disk is full", job)
    assert len(kept.issues) == 1


def test_what_failed_is_harmless_in_the_issue(site: Site) -> None:
    job, _, kept, _ = site
    ours(site).failed("```\n@everybody <script> ::set-env::", job)
    (only,) = kept.opened()
    text = only[kept.text]
    shown = str(MarkdownIt("commonmark").render(text))
    assert shown.count("<pre>") == 1
    assert "<script>" not in shown
    assert "@everybody" in shown.partition("<pre>")[2].partition("</pre>")[0]


def test_without_a_forge_or_a_token_it_is_told() -> None:
    with pytest.raises(ForgeError):
        issue.of(Job(provider=Provider.LOCAL), "t", Waits().patience())
    with pytest.raises(ForgeError):
        issue.of(Job(provider=Provider.GITLAB, repository="7", api_url="http://a"), None, Waits().patience())
