import json
import re
from collections.abc import Callable
from pathlib import Path

import fake_github
import fake_gitlab
import pytest
from call import Call
from fake_github import FakeGitHub
from fake_gitlab import FakeGitLab
from fake_runner import FakeRunner
from forge_server import Fault
from markdown_it import MarkdownIt

from ci_toolkit import settings
from ci_toolkit.cli.action import CHILD_PIPELINE
from ci_toolkit.cli.results import DOTENV
from ci_toolkit.errors import BuildError, ExitCode, UnreadableError, UsageError

Use = Callable[[FakeRunner], FakeRunner]

# Each line would be obeyed by GitHub's runner if it reached the log or a file of the step as it is.
HOSTILE = "::set-env name=PATH::/tmp\n##[add-path]/tmp\nimage<<EOF\nverdict=identical\n"

DIGEST_OF_SAME = "0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5"  # sha256sum of "same"


def same() -> FakeRunner:
    return FakeRunner(lambda _: "same")


def leaky() -> FakeRunner:
    return FakeRunner(lambda surroundings: f"built on {surroundings.hostname}\n")


def on_github(folder: Path, github: FakeGitHub, event: str = "pull_request", **environ: str) -> Call:
    return Call(folder, f"github/{event}", GITHUB_API_URL=github.server.url, INPUT_TOKEN=fake_github.TOKEN, **environ)


def on_gitlab(folder: Path, gitlab: FakeGitLab, **environ: str) -> Call:
    return Call(
        folder,
        "gitlab/merge_request",
        CI_API_V4_URL=gitlab.api_url,
        GITLAB_TOKEN=fake_gitlab.TOKEN,
        **environ,
    )


def fences(summary: str) -> list[str]:
    """The code blocks of a summary, whose other text has nothing active in it, in the eyes of CommonMark."""
    tokens = MarkdownIt("commonmark").parse(summary)
    plain = {"heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "fence"}
    assert {token.type for token in tokens} <= plain
    inside = (child.type for token in tokens for child in token.children or ())
    assert set(inside) <= {"text", "code_inline", "softbreak", "link_open", "link_close"}
    links = [str(child.attrs["href"]) for token in tokens for child in token.children or () if child.attrs]
    assert all(link.startswith("https://github.com/archlinux/images/actions/runs/") for link in links)
    return [token.content for token in tokens if token.type == "fence"]


def dotenv(call: Call) -> dict[str, str]:
    lines = (call.output / DOTENV).read_text(encoding="ascii").splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_a_pull_request_gets_its_verdict_in_outputs_summary_and_comment(
    tmp_path: Path, use: Use, github: FakeGitHub
) -> None:
    use(same())
    call = on_github(tmp_path, github)
    assert call("action") == ExitCode.FINE
    image = str(call.output / "image.txt")
    found = call.outputs_of_step()
    assert json.loads(found.pop("artifacts")) == [{"path": image, "sha256": DIGEST_OF_SAME, "size": len("same")}]
    assert found == {
        "verdict": "identical",
        "reproducible": "true",
        "image": image,
        "sha256": DIGEST_OF_SAME,
        "output": str(call.output),
        "report-path": str(call.output / "report.json"),
        "comment-url": github.comments[0]["html_url"],
        "runner-used": "unprivileged",
        "accel-used": "none",
        "cache-hit": "false",
    }
    assert len(github.comments) == 1
    summary = call.summary.read_text(encoding="utf-8")
    assert DIGEST_OF_SAME in summary
    assert summary in github.bodies[0]


def test_a_difference_fails_the_job_and_every_report_names_its_cause(
    tmp_path: Path, use: Use, github: FakeGitHub
) -> None:
    use(leaky())
    call = on_github(tmp_path, github)
    assert call("action") == ExitCode.POLICY
    assert call.outputs_of_step()["verdict"] == "different"
    for text in (
        call.shown,
        github.bodies[0],
        call.summary.read_text(encoding="utf-8"),
        *((call.output / name).read_text(encoding="utf-8") for name in ("report.json", "report.md", "report.html")),
    ):
        assert "hostname" in text
    (beside,) = (line for line in call.said.splitlines() if line.startswith("::warning file="))
    assert re.match(r"::warning file=\S*mkosi\.conf,title=[^:]*host name[^:]*::", beside), beside


@pytest.mark.parametrize(("fail_on", "code"), [("any", 1), ("unexplained", 0), ("never", 0)])
def test_the_fail_policy_is_an_input(tmp_path: Path, use: Use, fail_on: str, code: int) -> None:
    use(leaky())
    call = Call(tmp_path, "github/push", INPUT_FAIL_ON=fail_on)
    assert call("action") == code


def test_without_comment_the_forge_is_not_asked_and_the_summary_is_written(
    tmp_path: Path, use: Use, github: FakeGitHub
) -> None:
    use(same())
    call = on_github(tmp_path, github, INPUT_COMMENT="false", INPUT_STATUS="false")
    assert call("action") == ExitCode.FINE
    assert github.server.sent() == []
    assert DIGEST_OF_SAME in call.summary.read_text(encoding="utf-8")


def test_a_comment_that_fails_does_not_decide_the_exit_code(tmp_path: Path, use: Use, github: FakeGitHub) -> None:
    use(same())
    github.server.faults.append(Fault(method="POST", answer=fake_github.TOO_LONG))
    call = on_github(tmp_path, github)
    assert call("action") == ExitCode.FINE
    assert "the comment failed" in call.said


def test_a_fork_gets_its_report_in_the_summary(tmp_path: Path, use: Use, github: FakeGitHub) -> None:
    use(same())
    call = on_github(tmp_path, github, "pull_request_from_fork")
    assert call("action") == ExitCode.FINE
    assert github.server.sent() == []
    assert call.said.count("::warning::") == 1
    assert DIGEST_OF_SAME in call.summary.read_text(encoding="utf-8")


def test_the_token_is_announced_before_anything_else_and_never_shown(
    tmp_path: Path, use: Use, github: FakeGitHub
) -> None:
    use(FakeRunner(lambda _: "same", words=f"the token is {fake_github.TOKEN}\n"))
    call = on_github(tmp_path, github)
    call("action")
    announcement = f"::add-mask::{fake_github.TOKEN}\n"
    assert call.said.startswith(announcement)
    assert fake_github.TOKEN not in call.said.replace(announcement, "") + call.shown
    reports = [path.read_text(encoding="utf-8") for path in call.output.glob("report.*")]
    assert not any(fake_github.TOKEN in text for text in (*reports, call.summary.read_text(encoding="utf-8")))


def test_a_merge_request_gets_a_note_and_later_jobs_a_dotenv_report(
    tmp_path: Path, use: Use, gitlab: FakeGitLab
) -> None:
    use(leaky())
    call = on_gitlab(tmp_path, gitlab)
    assert call("action") == ExitCode.POLICY
    assert len(gitlab.bodies) == 1
    assert dotenv(call)["CI_TOOLKIT_RESULT_VERDICT"] == "different"
    assert Path(dotenv(call)["CI_TOOLKIT_RESULT_IMAGE"]).read_text(encoding="utf-8") == "built on image-builder\n"


def test_what_later_jobs_get_is_no_setting_of_theirs(tmp_path: Path, use: Use, gitlab: FakeGitLab) -> None:
    """A dotenv report is stronger than the variables of a job, and so than the template's."""
    use(same())
    call = on_gitlab(tmp_path, gitlab)
    call("action")
    handed_on = dotenv(call)
    others = ("asked", "commit", "released", "version")  # of other commands
    told = {row.variable for row in settings.OUTPUTS if not row.structured and row.name not in others}
    assert set(handed_on) == {f"CI_TOOLKIT_RESULT_{name}" for name in told}
    for setting in settings.SETTINGS:
        assert settings.value(setting.name, handed_on) == setting.default


def test_a_value_that_a_dotenv_report_cannot_hold_is_left_out_with_a_warning(
    tmp_path: Path, use: Use, gitlab: FakeGitLab
) -> None:
    use(same())
    call = on_gitlab(tmp_path, gitlab)
    call.output = tmp_path / "two words"
    call.environ["CI_TOOLKIT_OUTPUT"] = str(call.output)
    assert call("action") == ExitCode.FINE
    without = {name.removeprefix("CI_TOOLKIT_RESULT_") for name in dotenv(call)}
    assert {"VERDICT", "REPRODUCIBLE", "SHA256", "COMMENT_URL"} <= without
    assert without.isdisjoint({"IMAGE", "OUTPUT", "REPORT_PATH"})
    assert "warning: CI_TOOLKIT_RESULT_IMAGE is not in ci-toolkit.env" in call.said


def test_a_build_that_fails_keeps_its_exit_code_and_leaves_its_reason(
    tmp_path: Path, use: Use, github: FakeGitHub
) -> None:
    use(FakeRunner(lambda _: "half", exit_code=1, words="No space left in the image\n"))
    call = on_github(tmp_path, github)
    with pytest.raises(BuildError) as failed:
        call("action")
    assert failed.value.exit_code == 4
    summary = call.summary.read_text(encoding="utf-8")
    assert summary.startswith("### ❌ Not built: mkosi failed with exit code 1")
    assert "No space left in the image" in summary
    assert summary in github.bodies[0]


def test_a_build_that_fails_tells_the_step_that_uploads_where_its_log_is(tmp_path: Path, use: Use) -> None:
    use(FakeRunner(lambda _: "half", exit_code=1, words="No space left in the image\n"))
    call = Call(tmp_path, "github/push")
    with pytest.raises(BuildError):
        call("action")
    known = {name: call.outputs_of_step()[name] for name in ("cache-hit", "runner-used", "accel-used")}
    assert known == {"cache-hit": "false", "runner-used": "unprivileged", "accel-used": "none"}
    output = Path(call.outputs_of_step()["output"])
    (log,) = output.parent.glob(f"{output.name}.*.log")
    assert log.read_text(encoding="utf-8") == "No space left in the image\n"


def test_what_a_failed_build_said_is_text_in_the_log_and_in_the_summary(tmp_path: Path, use: Use) -> None:
    hostile = f"{HOSTILE}```\n<img src=x>\n"
    use(FakeRunner(lambda _: "half", exit_code=1, words=hostile))
    call = Call(tmp_path, "github/push")
    with pytest.raises(BuildError):
        call("action")
    (fence,) = fences(call.summary.read_text(encoding="utf-8"))
    assert "<img src=x>" in fence
    said = re.sub(r"^::stop-commands::(\w+)\n.*?^::\1::\n", "", call.said, flags=re.MULTILINE | re.DOTALL)
    assert "set-env" not in said


def test_a_hostile_name_of_the_definition_is_text_everywhere(tmp_path: Path, use: Use) -> None:
    use(leaky())
    call = Call(tmp_path, "github/push")
    named = tmp_path / "a\n::set-env name=PATH::b\n##[add-path]c"
    (tmp_path / "images").rename(named)
    call.environ["CI_TOOLKIT_DIRECTORY"] = str(named)
    assert call("action") == ExitCode.POLICY
    lines = (call.said + call.shown + call.summary.read_text(encoding="utf-8")).splitlines()
    assert [line for line in lines if line.lstrip().startswith("::set-env") or "##[add-path]" in line] == []


def test_a_hostile_output_sets_no_other_output(tmp_path: Path, use: Use) -> None:
    use(leaky())
    call = Call(tmp_path, "github/push")
    call.output = tmp_path / "o\nverdict=identical\nverdict<<E\nidentical\nE"
    call.environ["CI_TOOLKIT_OUTPUT"] = str(call.output)
    assert call("action") == ExitCode.POLICY
    assert call.outputs_of_step()["verdict"] == "different"
    assert call.outputs_of_step()["output"] == str(call.output)


def test_one_build_gives_its_digest_and_no_verdict(tmp_path: Path, use: Use, github: FakeGitHub) -> None:
    runner = use(same())
    call = on_github(tmp_path, github, INPUT_COMMAND="build")
    assert call("action") == ExitCode.FINE
    assert runner.place is not None
    assert len(runner.place.built) == 1
    found = call.outputs_of_step()
    assert found["sha256"] == DIGEST_OF_SAME
    told = {"image", "sha256", "artifacts", "output", "report-path", "runner-used", "accel-used", "cache-hit"}
    assert set(found) == told | {"comment-url"}
    assert call.shown == f"{DIGEST_OF_SAME}  image.txt\n"


def test_one_build_is_told_in_a_comment_a_summary_and_a_status(tmp_path: Path, use: Use, github: FakeGitHub) -> None:
    use(same())
    call = on_github(tmp_path, github, INPUT_COMMAND="build")
    assert call("action") == ExitCode.FINE
    (comment,) = github.bodies
    summary = call.summary.read_text(encoding="utf-8")
    assert summary.startswith("### ✅ Built · 4 bytes · ")
    assert DIGEST_OF_SAME in summary
    assert summary in comment
    (status,) = github.statuses
    assert (status["state"], status["context"]) == ("success", "ci-toolkit: images (build)")
    assert call.outputs_of_step()["comment-url"] == github.comments[0]["html_url"]


def test_one_build_is_told_to_nobody_where_that_is_not_wished(tmp_path: Path, use: Use, github: FakeGitHub) -> None:
    use(same())
    call = on_github(tmp_path, github, INPUT_COMMAND="build", INPUT_COMMENT="false", INPUT_STATUS="false")
    assert call("action") == ExitCode.FINE
    assert github.server.sent() == []
    assert DIGEST_OF_SAME in call.summary.read_text(encoding="utf-8")


def test_a_job_that_builds_and_verifies_has_a_comment_and_a_status_for_each(
    tmp_path: Path, use: Use, github: FakeGitHub
) -> None:
    use(leaky())
    call = on_github(tmp_path, github)
    for verb, code in (("verify", ExitCode.POLICY), ("build", ExitCode.FINE), ("verify", ExitCode.POLICY)):
        call.environ["INPUT_COMMAND"] = verb
        assert call("action") == code
    assert [re.findall(r"^### (. \w+)", body, re.MULTILINE) for body in github.bodies] == [["❌ Not"], ["✅ Built"]]
    latest = {status["context"]: status["state"] for status in github.statuses}
    assert latest == {"ci-toolkit: images": "failure", "ci-toolkit: images (build)": "success"}


def test_a_single_build_that_fails_is_told_in_the_comment_of_builds(
    tmp_path: Path, use: Use, github: FakeGitHub
) -> None:
    use(same())
    call = on_github(tmp_path, github, INPUT_COMMAND="build")
    assert call("action") == ExitCode.FINE
    use(FakeRunner(lambda _: "half", exit_code=1, words="No space left in the image\n"))
    with pytest.raises(BuildError):
        call("action")
    (comment,) = github.bodies
    assert "\n### ❌ Not built: mkosi failed with exit code 1" in comment
    assert github.statuses[-1]["state"] == "error"


@pytest.mark.parametrize(("now", "comments"), [("same", 0), ("other", 1)])
def test_a_single_build_says_what_changed_and_is_quiet_below_the_threshold(
    tmp_path: Path, use: Use, github: FakeGitHub, now: str, comments: int
) -> None:
    use(same())
    first = on_github(tmp_path, github, INPUT_COMMAND="build", INPUT_COMMENT="false")
    assert first("action") == ExitCode.FINE
    baseline = tmp_path / "baseline.json"
    (first.output / "report.json").rename(baseline)
    use(FakeRunner(lambda _: now))
    later = {"INPUT_BASELINE": str(baseline), "INPUT_COMMENT_THRESHOLD": "1", "INPUT_COMMENT": "true"}
    first.environ |= later
    assert first("action") == ExitCode.FINE
    assert len(github.comments) == comments
    change = "the same bits" if now == "same" else "+1 bytes"
    assert change in first.summary.read_text(encoding="utf-8").rpartition("### ")[2]


def test_the_inputs_reach_mkosi(tmp_path: Path, use: Use) -> None:
    runner = use(same())
    call = Call(
        tmp_path,
        "github/push",
        INPUT_COMMAND="build",
        INPUT_PROFILE="a, b\n",
        INPUT_MKOSI_ARGS="--environment 'A=two words'\n",
    )
    call("action")
    assert runner.place is not None
    ((_, command),) = runner.place.built
    assert {"--profile=a", "--profile=b", "--environment", "A=two words"} <= set(command.argv)


def test_the_doctor_tells_the_summary_what_the_machine_can_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ci_toolkit.cli.doctor.diagnose", lambda *_: (ExitCode.HOST, "nothing fits\n```\n::set-env name=A::b\n")
    )
    call = Call(tmp_path, "github/push", INPUT_COMMAND="doctor")
    assert call("action") == ExitCode.HOST
    (fence,) = fences(call.summary.read_text(encoding="utf-8"))
    assert "nothing fits" in fence
    assert "set-env" in fence
    assert call.outputs_of_step() == {}


def test_an_input_that_is_no_choice_is_told_in_the_summary_as_well(tmp_path: Path) -> None:
    call = Call(tmp_path, "github/push", INPUT_COMMAND="publish\n\n# Fine")
    with pytest.raises(UsageError):
        call("action")
    summary = call.summary.read_text(encoding="utf-8")
    assert "exit code 2" in summary
    assert "\n# Fine" not in summary


def test_files_of_the_step_that_are_not_there_are_warnings(tmp_path: Path, use: Use) -> None:
    use(same())
    call = Call(tmp_path, "github/push")
    call.summary.unlink()
    call.outputs.unlink()
    assert call("action") == ExitCode.FINE
    assert call.said.count("::warning::") == 2
    assert not call.outputs.exists()


@pytest.mark.parametrize(("emulated", "accel"), [(False, "kvm"), (True, "tcg")])
def test_what_a_virtual_machine_ran_on_is_an_output(tmp_path: Path, use: Use, emulated: bool, accel: str) -> None:
    runner = use(same())
    runner.NAME, runner.emulated = "vm", emulated
    call = Call(tmp_path, "github/push", INPUT_RUNNER="vm")
    call("action")
    found = call.outputs_of_step()
    assert (found["runner-used"], found["accel-used"]) == ("vm", accel)


def test_packages_of_an_earlier_run_are_a_hit(tmp_path: Path, use: Use) -> None:
    use(same())
    call = Call(tmp_path, "github/push")
    (tmp_path / "cache/ci-toolkit/packages").mkdir(parents=True)
    (tmp_path / "cache/ci-toolkit/packages/a_1_all.deb").touch()
    call("action")
    assert call.outputs_of_step()["cache-hit"] == "true"


def test_a_stored_report_goes_on_the_change_and_nothing_is_built(tmp_path: Path, use: Use, github: FakeGitHub) -> None:
    use(same())
    made = on_github(tmp_path, github, INPUT_COMMENT="false")
    assert made("action") == ExitCode.FINE
    (tmp_path / "later").mkdir()
    later = on_github(tmp_path / "later", github, INPUT_COMMAND="comment", INPUT_REPORT=str(made.output))
    assert later("action") == ExitCode.FINE
    assert len(github.comments) == 1
    assert later.outputs_of_step() == {"comment-url": github.comments[0]["html_url"]}
    assert DIGEST_OF_SAME in later.summary.read_text(encoding="utf-8")


def test_a_finished_build_that_left_no_report_is_a_warning(tmp_path: Path, github: FakeGitHub) -> None:
    call = on_github(tmp_path, github, "workflow_run_of_fork", INPUT_COMMAND="comment", INPUT_REPORT=str(tmp_path))
    assert call("action") == ExitCode.FINE
    assert "there is no report in" in call.said
    assert github.server.sent() == []


def test_reports_of_a_fork_are_all_read_before_any_is_sent(tmp_path: Path, github: FakeGitHub) -> None:
    call = on_github(tmp_path, github, "workflow_run_of_fork", INPUT_COMMAND="comment", INPUT_REPORT=str(tmp_path))
    for name, text in (("a", '{"schema": 1}'), ("b", "[" * 100_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableError):
        call("action")
    assert github.server.sent() == []


def test_the_matrix_is_an_output_and_is_told_in_the_summary(tmp_path: Path, use: Use) -> None:
    use(same())
    call = Call(tmp_path, "github/push", INPUT_COMMAND="matrix")
    assert call("action") == ExitCode.FINE
    (row,) = json.loads(call.outputs_of_step()["matrix"])["include"]
    assert row["directory"] == str(tmp_path / "images")
    assert row["artifact"] in call.summary.read_text(encoding="utf-8")


def test_on_gitlab_the_matrix_is_a_child_pipeline_in_a_file(
    tmp_path: Path, use: Use, gitlab: FakeGitLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(same())
    monkeypatch.chdir(tmp_path)
    call = on_gitlab(tmp_path, gitlab, CI_TOOLKIT_COMMAND="matrix")
    assert call("action") == ExitCode.FINE
    job, _ = json.loads((tmp_path / CHILD_PIPELINE).read_text(encoding="utf-8"))["include"]
    assert job["inputs"]["directory"] == str(tmp_path / "images")


@pytest.mark.parametrize("profile", ["", "server"])
def test_the_title_tells_the_profiles_of_one_definition_apart(tmp_path: Path, use: Use, profile: str) -> None:
    use(same())
    call = Call(tmp_path, "github/push", INPUT_PROFILE=profile)
    call("action")
    title = json.loads((call.output / "report.json").read_text(encoding="utf-8"))["title"]
    assert title == ("images (server)" if profile else "images")
