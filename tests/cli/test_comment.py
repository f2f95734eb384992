"""`ci-toolkit comment`, from a report in a file to a comment on a forge on loopback."""

import io
from collections.abc import Iterator
from pathlib import Path

import fake_github
import fake_gitlab
import pytest
from fake_github import FakeGitHub
from fake_gitlab import FakeGitLab
from forge_server import Answer, Fault
from waits import Waits

from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.cli import post, reading
from ci_toolkit.cli.main import cli
from ci_toolkit.compare.comparison import Verdict
from ci_toolkit.console import Console, Fold
from ci_toolkit.errors import ExitCode, UnreadableError
from ci_toolkit.reports import json
from ci_toolkit.reports.report import Report

EVENTS = Path(__file__).parents[1] / "fixtures" / "events"
REPORT = Report(title="examples/debian", verdict=Verdict.IDENTICAL, comparison=None)


class Run:
    """One run of the verb: its environment, and what it wrote."""

    def __init__(self, folder: Path, event: str, **environ: str) -> None:
        lines = (EVENTS / f"{event}.env").read_text(encoding="utf-8").splitlines()
        self.environ = dict(line.split("=", 1) for line in lines)
        self.summary = folder / "summary.md"
        self.summary.touch()
        self.environ |= {
            "GITHUB_EVENT_PATH": str(EVENTS / f"{event}.json"),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            **environ,
        }
        self.report = folder / "report.json"
        self.report.write_text(json.render(REPORT), encoding="utf-8")
        self.narration = io.StringIO()

    def __call__(self, *arguments: str, fold: Fold = Fold.NONE) -> int:
        console = Console(fold, narration=self.narration)
        obj = {"environ": self.environ, "console": console}
        code = cli.main(["comment", str(self.report), *arguments], standalone_mode=False, obj=obj)
        assert isinstance(code, int)
        return code

    @property
    def said(self) -> str:
        return self.narration.getvalue()


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    fake = FakeGitHub()
    with fake.server:
        yield fake
    assert fake.server.violations == []


@pytest.fixture
def gitlab() -> Iterator[FakeGitLab]:
    fake = FakeGitLab()
    with fake.server:
        yield fake
    assert fake.server.violations == []


def on_github(folder: Path, github: FakeGitHub, event: str = "pull_request", token: str = fake_github.TOKEN) -> Run:
    return Run(folder, f"github/{event}", GITHUB_API_URL=github.server.url, GITHUB_TOKEN=token)


def test_a_report_becomes_one_comment_that_is_kept_up_to_date(tmp_path: Path, github: FakeGitHub) -> None:
    run = on_github(tmp_path, github)
    assert [run(), run()] == [ExitCode.FINE, ExitCode.FINE]
    assert len(github.comments) == 1
    assert "examples/debian" in github.bodies[0]
    assert github.bodies[0].startswith("<!-- ci-toolkit report ")
    assert github.comments[0]["html_url"] in run.said


def test_the_report_is_kept_in_the_step_summary_as_well(tmp_path: Path, github: FakeGitHub) -> None:
    run = on_github(tmp_path, github)
    run()
    summary = run.summary.read_text(encoding="utf-8")
    assert "examples/debian" in summary
    assert github.bodies[0].endswith(summary)


def test_names_tell_the_comments_of_a_matrix_apart(tmp_path: Path, github: FakeGitHub) -> None:
    run = on_github(tmp_path, github)
    for names in (["--name", "x86-64"], ["--name", "arm64"], ["--name", "x86-64"], ["--name", "x86-64", "--name", "b"]):
        run(*names)
    assert len(github.comments) == 3


def test_a_report_from_another_job_keeps_that_jobs_comment(tmp_path: Path, github: FakeGitHub) -> None:
    run = on_github(tmp_path, github)
    run()
    run.environ["GITHUB_JOB"] = "publish"
    job = Job(provider=Provider.GITHUB, name="Images / verify")
    run.report.write_text(
        json.render(Report(title="examples/debian", verdict=Verdict.IDENTICAL, comparison=None, job=job)),
        encoding="utf-8",
    )
    run()
    assert len(github.comments) == 1


def test_a_report_becomes_a_note_on_gitlab(tmp_path: Path, gitlab: FakeGitLab) -> None:
    run = Run(tmp_path, "gitlab/merge_request", CI_API_V4_URL=gitlab.api_url, GITLAB_TOKEN=fake_gitlab.TOKEN)
    assert [run(), run()] == [ExitCode.FINE, ExitCode.FINE]
    assert len(gitlab.bodies) == 1
    assert "#note_" in run.said


@pytest.mark.parametrize(
    ("event", "because"),
    [
        ("github/pull_request_from_fork", "comes from a fork"),
        ("gitlab/merge_request_from_fork", "comes from a fork"),
        ("gitlab/merge_request_with_job_token_only", "CI_JOB_TOKEN"),
        ("forgejo/pull_request_from_fork", "comes from a fork"),
    ],
)
def test_without_permission_it_says_so_once_and_keeps_the_report(tmp_path: Path, event: str, because: str) -> None:
    run = Run(tmp_path, event, GITHUB_TOKEN=fake_github.TOKEN)
    assert run() == ExitCode.FINE
    assert run.said.count("warning: ") == 1
    assert because in run.said
    if not event.startswith("gitlab/"):
        assert "examples/debian" in run.summary.read_text(encoding="utf-8")


def test_without_a_token_it_says_so_and_asks_nobody(tmp_path: Path, github: FakeGitHub) -> None:
    run = on_github(tmp_path, github, token="")
    assert run() == ExitCode.FINE
    assert "there is no token" in run.said
    assert github.server.sent() == []


def test_a_refused_token_is_a_warning_and_is_never_shown(tmp_path: Path, github: FakeGitHub) -> None:
    run = on_github(tmp_path, github, token="ghp_thatIsWrong")
    assert run() == ExitCode.FINE
    assert "401" in run.said
    assert "ghp_thatIsWrong" not in run.said


def test_on_github_the_token_is_announced_as_a_secret(tmp_path: Path, github: FakeGitHub) -> None:
    run = on_github(tmp_path, github)
    run(fold=Fold.GITHUB)
    assert run.said.startswith(f"::add-mask::{fake_github.TOKEN}\n")
    assert run.said.count(fake_github.TOKEN) == 1


def test_the_token_may_be_in_a_variable_of_any_name(tmp_path: Path, github: FakeGitHub) -> None:
    run = on_github(tmp_path, github, token="ghp_thatIsWrong")
    run.environ["COMMENT_TOKEN"] = fake_github.TOKEN
    assert run("--token-env", "COMMENT_TOKEN") == ExitCode.FINE
    assert len(github.comments) == 1


def test_a_named_variable_that_is_empty_is_not_made_up_for(tmp_path: Path, github: FakeGitHub) -> None:
    run = on_github(tmp_path, github)
    assert run("--token-env", "COMMENT_TOKEN") == ExitCode.FINE
    assert "there is no token" in run.said
    assert github.comments == []


def test_a_named_token_makes_up_for_the_job_token_of_gitlab(tmp_path: Path, gitlab: FakeGitLab) -> None:
    run = Run(
        tmp_path, "gitlab/merge_request_with_job_token_only", CI_API_V4_URL=gitlab.api_url, MINE=fake_gitlab.TOKEN
    )
    assert run("--token-env", "MINE") == ExitCode.FINE
    assert len(gitlab.bodies) == 1


@pytest.mark.parametrize("event", ["github/push", "gitlab/push", "local/laptop", "woodpecker/pull_request"])
def test_where_nothing_is_a_pull_request_it_says_so(tmp_path: Path, event: str) -> None:
    run = Run(tmp_path, event, CI_TOOLKIT_STATUS="false")
    assert run() == ExitCode.FINE
    assert "nothing to comment on" in run.said
    assert "warning" not in run.said


def test_a_forge_that_rejects_the_comment_is_a_warning_and_exit_code_5(tmp_path: Path, github: FakeGitHub) -> None:
    github.server.faults.append(Fault(method="POST", answer=fake_github.TOO_LONG))
    run = on_github(tmp_path, github)
    assert run() == ExitCode.FORGE
    assert run.said.startswith("warning: the comment failed: the forge rejects it (422: Validation Failed)")


def test_what_a_forge_says_cannot_speak_to_the_terminal_or_the_runner(tmp_path: Path, github: FakeGitHub) -> None:
    content = {"message": "\x1b[2J\n::set-env name=PATH::/evil", "documentation_url": "https://docs.github.com/rest"}
    github.server.faults.append(Fault(method="POST", answer=Answer(status=403, content=content)))
    run = on_github(tmp_path, github)
    run(fold=Fold.GITHUB)
    assert "\x1b" not in run.said
    assert not any(line.lstrip().startswith("::set-env") for line in run.said.splitlines())


def test_a_wait_is_announced(tmp_path: Path, github: FakeGitHub, waits: Waits) -> None:
    github.server.faults.append(Fault(method="POST", answer=fake_github.refusal(429, "Slow down", retry_after="7")))
    run = on_github(tmp_path, github)
    console = Console(narration=run.narration)
    assert post.tell(post.comment(post.poster(run.environ, console, patience=waits.patience()), [REPORT]), console) == 0
    assert waits.seconds == [7.0]


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"{}", b'{"schema": 99}'])
def test_a_file_that_is_no_report_is_an_unreadable_input(tmp_path: Path, content: bytes) -> None:
    run = Run(tmp_path, "local/laptop")
    run.report.write_bytes(content)
    with pytest.raises(UnreadableError) as caught:
        run()
    assert caught.value.hint


def test_a_file_that_is_not_there_is_an_unreadable_input(tmp_path: Path) -> None:
    run = Run(tmp_path, "local/laptop")
    run.report.unlink()
    with pytest.raises(UnreadableError, match="No such file"):
        run()


def test_a_file_of_no_likely_size_is_not_read(tmp_path: Path) -> None:
    run = Run(tmp_path, "local/laptop")
    with run.report.open("ab") as file:
        file.truncate(reading.REPORT_LIMIT_BYTES + 1)
    with pytest.raises(UnreadableError, match="larger"):
        run()


HEAD = "8f14e45fceea167a5a36dedd4bea2543c6d3a1b0"


def of_commit(commit: str, name: str = "Images / verify") -> str:
    job = Job(provider=Provider.GITHUB, name=name, commit=commit, change=7)
    return json.render(Report(title="examples/debian", verdict=Verdict.IDENTICAL, comparison=None, job=job))


def test_a_workflow_run_comments_on_the_pull_request_of_a_fork_whatever_number_the_report_names(
    tmp_path: Path, github: FakeGitHub
) -> None:
    github.open_pull(42, "levente/images", "drop-log", HEAD)
    run = on_github(tmp_path, github, "workflow_run_of_fork")
    run.report.write_text(of_commit(HEAD), encoding="utf-8")
    assert run() == ExitCode.FINE
    assert len(github.comments) == 1
    assert "⚠️ This change comes from a fork." in github.bodies[0]


def test_the_verdict_of_a_fork_is_no_commit_status(tmp_path: Path, github: FakeGitHub) -> None:
    github.open_pull(42, "levente/images", "drop-log", HEAD)
    run = on_github(tmp_path, github, "workflow_run_of_fork")
    run.report.write_text(of_commit(HEAD), encoding="utf-8")
    assert run() == ExitCode.FINE
    assert len(github.comments) == 1
    assert [line for line in github.server.sent() if "/statuses/" in line] == []


def test_what_a_fork_wrote_chooses_no_comment_of_another_job(tmp_path: Path, github: FakeGitHub) -> None:
    github.open_pull(42, "levente/images", "drop-log", HEAD)
    run = on_github(tmp_path, github, "workflow_run_of_fork")
    for name in ("Images / verify", "Release / sign"):
        run.report.write_text(of_commit(HEAD, name), encoding="utf-8")
        assert run() == ExitCode.FINE
    assert len(github.comments) == 1, "the job that posts is one, whatever it was handed"


@pytest.mark.parametrize("text", [of_commit("0" * 40), json.render(REPORT)])
def test_a_workflow_run_refuses_the_report_of_another_commit(tmp_path: Path, github: FakeGitHub, text: str) -> None:
    run = on_github(tmp_path, github, "workflow_run_of_fork")
    run.report.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableError, match=HEAD):
        run()
    assert github.server.sent() == []


def test_reports_are_looked_for_in_a_directory_but_not_through_links(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").touch()
    (tmp_path / "c").symlink_to(tmp_path / "a")
    (tmp_path / "d").mkdir()
    (tmp_path / "d/report.json").symlink_to("/etc/passwd")
    assert reading.files(tmp_path) == (tmp_path / "a/report.json", tmp_path / "b/report.json")
    assert reading.files(tmp_path / "a/report.json") == (tmp_path / "a/report.json",)


def test_where_no_report_is_nothing_is_found(tmp_path: Path) -> None:
    assert reading.files(tmp_path) == reading.files(tmp_path / "missing") == ()


def test_more_reports_than_anybody_made_are_an_unreadable_input(tmp_path: Path) -> None:
    for number in range(reading.REPORTS_LIMIT + 1):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "report.json").touch()
    with pytest.raises(UnreadableError):
        reading.files(tmp_path)


def test_reports_that_are_too_large_together_are_not_read(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        found.append(tmp_path / name)
        with found[-1].open("wb") as file:
            file.truncate(reading.REPORT_LIMIT_BYTES // 2 + 1)
    with pytest.raises(UnreadableError, match="together"):
        reading.every(found, Job(provider=Provider.LOCAL))


def test_several_reports_on_the_command_line_become_one_comment(tmp_path: Path, github: FakeGitHub) -> None:
    run = on_github(tmp_path, github)
    other = tmp_path / "other.json"
    other.write_text(json.render(Report(title="images/b", verdict=Verdict.IDENTICAL, comparison=None)), "utf-8")
    assert run(str(other)) == ExitCode.FINE
    assert len(github.comments) == 1
    assert "All 2 images are as they should be" in github.bodies[0]
    assert run() == ExitCode.FINE
    assert len(github.comments) == 2  # of one image it is another
