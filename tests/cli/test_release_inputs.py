"""`command: release`: the inputs of a CI make the release that the command line would."""

import json
from collections.abc import Callable
from pathlib import Path

import fake_github
import fake_gitlab
import pytest
from call import Call
from fake_github import FakeGitHub
from fake_gitlab import FakeGitLab
from fake_runner import FakeRunner
from markdown_it import MarkdownIt

from ci_toolkit.cli.results import DOTENV
from ci_toolkit.errors import BuildError, ExitCode, UsageError

pytestmark = pytest.mark.slow
Use = Callable[[FakeRunner], FakeRunner]


@pytest.fixture
def call(tmp_path: Path, github: FakeGitHub) -> Call:
    return Call(
        tmp_path,
        "github/push",
        CI_TOOLKIT_DATE="2026-11-28",
        GITHUB_API_URL=github.server.url,
        INPUT_TOKEN=fake_github.TOKEN,
        INPUT_COMMAND="release",
    )


def test_it_goes_to_the_forge_whose_job_it_is_and_the_second_time_it_is_not_due(
    call: Call, use: Use, github: FakeGitHub
) -> None:
    runner = use(FakeRunner(lambda _: "same"))
    assert call("action") == ExitCode.FINE
    assert runner.place is not None
    assert len(runner.place.built) == 2
    assert set(github.releases.published()) == {"2026.11.28"}
    found = call.outputs_of_step()
    assert (found["released"], found["version"]) == ("true", "2026.11.28")
    assert json.loads(found["places"]) == [github.releases.releases[0]["html_url"]]
    assert found["output"] == str(call.output)
    summary = call.summary.read_text(encoding="utf-8")
    assert summary.startswith("## Released 2026.11.28\n")
    assert "image.txt" in summary
    assert call("action") == ExitCode.FINE
    found = call.outputs_of_step()
    assert (found["released"], found["version"], found["places"]) == ("false", "", "[]")
    assert "## Nothing to release" in call.summary.read_text(encoding="utf-8")
    assert len(runner.place.built) == 2


def test_the_old_ones_go_and_force_needs_no_fortnight(call: Call, use: Use, github: FakeGitHub) -> None:
    use(FakeRunner(lambda _: "same"))
    call.environ |= {"INPUT_FORCE": "true", "INPUT_KEEP": "2"}
    for day in ("26", "27", "28"):
        call.environ["CI_TOOLKIT_DATE"] = f"2026-11-{day}"
        assert call("action") == ExitCode.FINE
    assert set(github.releases.published()) == {"2026.11.27", "2026.11.28"}


def test_every_week_is_every_week(call: Call, use: Use, github: FakeGitHub) -> None:
    use(FakeRunner(lambda _: "same"))
    call.environ["INPUT_EVERY"] = "1"
    for day in ("16", "23"):
        call.environ["CI_TOOLKIT_DATE"] = f"2026-11-{day}"
        assert call("action") == ExitCode.FINE
    assert set(github.releases.published()) == {"2026.11.16", "2026.11.23"}


def test_several_images_go_to_several_places(call: Call, use: Use) -> None:
    use(FakeRunner(lambda _: "same"))
    other = call.folder / "other"
    other.mkdir()
    (other / "mkosi.conf").touch()
    call.environ["CI_TOOLKIT_DIRECTORY"] += f", {other}"
    call.environ["INPUT_TO"] = f"dir:{call.folder / 'a'}, dir:{call.folder / 'b'}\n"
    assert call("action") == ExitCode.FINE
    for place in ("a", "b"):
        names = {path.name for path in (call.folder / place / "latest").iterdir()}
        assert {"images.image.txt", "other.image.txt", "SHA256SUMS"} <= names
    assert len(json.loads(call.outputs_of_step()["places"])) == 2


def test_a_dry_run_writes_nothing_but_the_plan(call: Call, use: Use, github: FakeGitHub) -> None:
    runner = use(FakeRunner(lambda _: "same"))
    call.environ["INPUT_DRY_RUN"] = "true"
    assert call("action") == ExitCode.FINE
    assert runner.place is None
    assert {one.method for one in github.server.requests} == {"GET"}
    assert not call.output.exists()
    found = call.outputs_of_step()
    assert (found["released"], found["version"]) == ("false", "2026.11.28")
    assert "1. build images twice, and compare" in call.summary.read_text(encoding="utf-8")


def test_what_differs_is_told_with_its_report_and_in_an_issue(call: Call, use: Use, github: FakeGitHub) -> None:
    use(FakeRunner(lambda surroundings: surroundings.hostname))
    assert call("action") == ExitCode.POLICY
    assert call.outputs_of_step()["released"] == "false"
    summary = call.summary.read_text(encoding="utf-8")
    assert "## ✗ Not released" in summary
    assert "### ❌ Not reproducible" in summary
    assert (call.output / "builds/images/report.html").is_file()
    assert len(github.issues.issues) == 1
    assert github.releases.published() == {}


def test_no_issue_is_opened_where_none_is_wished(call: Call, use: Use, github: FakeGitHub) -> None:
    use(FakeRunner(lambda _: "half", exit_code=1, words="No space left in the image\n"))
    call.environ["INPUT_ISSUE"] = "false"
    with pytest.raises(BuildError):
        call("action")
    assert github.issues.issues == []
    assert call.outputs_of_step()["output"] == str(call.output)
    assert "exit code 4" in call.summary.read_text(encoding="utf-8")


def test_a_hostile_name_is_text_in_the_summary(call: Call, use: Use) -> None:
    use(FakeRunner(lambda _: "same"))
    named = call.folder / "a<img src=x>`b"
    (call.folder / "images").rename(named)
    call.environ["CI_TOOLKIT_DIRECTORY"] = str(named)
    call.environ["INPUT_TO"] = f"dir:{call.folder / 'mirror'}"
    assert call("action") == ExitCode.FINE
    tokens = MarkdownIt("commonmark").parse(call.summary.read_text(encoding="utf-8"))
    assert not any("<img" in token.content for token in tokens if token.type == "html_block")
    inline = [child for token in tokens for child in token.children or ()]
    assert not any("<img" in child.content for child in inline if child.type == "html_inline")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("INPUT_EVERY", "0", "every is '0'"),
        ("INPUT_EVERY", "a fortnight", "every is"),
        ("INPUT_KEEP", "-1", "keep is"),
        ("INPUT_KEEP", "9" * 5000, "keep is"),
        ("INPUT_FORCE", "yes", "force is 'yes'"),
        ("INPUT_TO", "ftp:x", "no target"),
        ("CI_TOOLKIT_DIRECTORY", ",", "names nothing"),
    ],
)
def test_an_input_that_is_odd_is_told_and_nothing_is_built(
    call: Call, use: Use, name: str, value: str, reason: str
) -> None:
    runner = use(FakeRunner(lambda _: "same"))
    call.environ[name] = value
    with pytest.raises(UsageError, match=reason):
        call("action")
    assert runner.place is None


def test_on_a_laptop_somebody_has_to_say_where_it_goes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing says where"):
        Call(tmp_path, "local/laptop", INPUT_COMMAND="release")("action")


def test_on_gitlab_later_jobs_get_the_version(tmp_path: Path, use: Use, gitlab: FakeGitLab) -> None:
    use(FakeRunner(lambda _: "same"))
    call = Call(
        tmp_path,
        "gitlab/push",
        CI_TOOLKIT_DATE="2026-11-28",
        CI_API_V4_URL=gitlab.api_url,
        CI_PROJECT_ID="7",
        CI_JOB_TOKEN=fake_gitlab.JOB_TOKEN,
        CI_TOOLKIT_COMMAND="release",
    )
    for released in ("true", "false"):
        assert call("action") == ExitCode.FINE
        lines = (call.output / DOTENV).read_text(encoding="ascii").splitlines()
        assert f"CI_TOOLKIT_RESULT_RELEASED={released}" in lines
    assert set(gitlab.releases.published()) == {"2026.11.28"}
    call.environ |= {"CI_TOOLKIT_DATE": "2026-12-12"}  # and what is left there does not keep the next one
    assert call("action") == ExitCode.FINE
    assert "CI_TOOLKIT_RESULT_VERSION=2026.12.12" in (call.output / DOTENV).read_text(encoding="ascii").splitlines()
