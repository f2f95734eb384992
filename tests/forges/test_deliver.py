"""Where a report goes when there is no forge to ask, or no leave to."""

from dataclasses import replace
from pathlib import Path

import pytest
from fake_github import TOKEN, FakeGitHub
from waits import Waits

from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.forges.deliver import COMMENT_LIMIT_CHARACTERS, Outcome, deliver, fit
from ci_toolkit.forges.marker import mark

MARK = mark("a")


@pytest.fixture
def summary(tmp_path: Path) -> Path:
    file = tmp_path / "summary.md"
    file.touch()
    return file


def test_a_fork_gets_a_reason_and_a_summary_and_the_forge_is_not_asked(
    github: FakeGitHub, on_github: Job, waits: Waits, summary: Path
) -> None:
    job = replace(on_github, may_write=False, may_not_write_because="it is a fork", summary_file=str(summary))
    delivery = deliver(job, TOKEN, MARK, "comment", "summary", patience=waits.patience())
    assert delivery.outcome is Outcome.NOT_PERMITTED
    assert delivery.reason == "it is a fork"
    assert summary.read_text(encoding="utf-8") == "summary\n"
    assert github.server.sent() == []


def test_without_a_token_the_forge_is_not_asked(github: FakeGitHub, on_github: Job, waits: Waits) -> None:
    delivery = deliver(on_github, None, MARK, "comment", "", patience=waits.patience())
    assert delivery.outcome is Outcome.NOT_PERMITTED
    assert delivery.hint
    assert "GITHUB_TOKEN" in delivery.hint
    assert github.server.sent() == []


@pytest.mark.parametrize(
    "job",
    [
        Job(provider=Provider.LOCAL),
        Job(provider=Provider.UNKNOWN, change=42, may_not_write_because="this is Jenkins"),
        Job(provider=Provider.GITHUB, repository="a/b", api_url="http://127.0.0.1:9", may_write=True),
        Job(provider=Provider.GITLAB, repository="7", api_url="http://127.0.0.1:9/api/v4", may_write=True),
    ],
    ids=["local", "unknown", "push", "branch"],
)
def test_where_nothing_is_a_change_there_is_nothing_to_comment_on(job: Job, waits: Waits) -> None:
    delivery = deliver(job, TOKEN, MARK, "comment", "", patience=waits.patience())
    assert delivery.outcome is Outcome.NO_CHANGE
    assert delivery.reason
    assert delivery.reason.startswith("nothing to comment on")


@pytest.mark.parametrize("missing", ["api_url", "repository"])
def test_a_job_whose_variables_were_not_passed_on_is_told_so(on_github: Job, waits: Waits, missing: str) -> None:
    job = replace(on_github, api_url=None) if missing == "api_url" else replace(on_github, repository=None)
    delivery = deliver(job, TOKEN, MARK, "comment", "", patience=waits.patience())
    assert delivery.outcome is Outcome.NOT_PERMITTED
    assert "variables" in (delivery.reason or "")


def test_the_summary_is_written_beside_the_comment(
    github: FakeGitHub, on_github: Job, waits: Waits, summary: Path
) -> None:
    job = replace(on_github, summary_file=str(summary))
    assert deliver(job, TOKEN, MARK, "comment", "summary", patience=waits.patience()).commented
    assert summary.read_text(encoding="utf-8") == "summary\n"


def test_a_summary_that_cannot_be_written_does_not_keep_the_comment_back(
    github: FakeGitHub, on_github: Job, waits: Waits, tmp_path: Path
) -> None:
    job = replace(on_github, summary_file=str(tmp_path / "missing" / "summary.md"))
    delivery = deliver(job, TOKEN, MARK, "comment", "summary", patience=waits.patience())
    assert delivery.commented
    assert "GITHUB_STEP_SUMMARY" in (delivery.summary_trouble or "")


def test_a_text_that_fits_is_left_as_it_is() -> None:
    text = "x" * (COMMENT_LIMIT_CHARACTERS - 1) + "\n"
    assert fit(text) == text


@pytest.mark.parametrize("text", ["x" * 200_000, "\N{PACKAGE}" * 40_000, "```\n" + "x\n" * 50_000 + "```\n"])
def test_a_text_that_does_not_fit_is_cut_and_says_so(text: str) -> None:
    cut = fit(text)
    assert len(cut.encode("utf-16-le")) // 2 <= COMMENT_LIMIT_CHARACTERS
    assert "The rest is cut" in cut
    assert cut.count("```") % 2 == 0
