"""`ci-toolkit action` with the command `answer`."""

import json
from pathlib import Path

import fake_github
import pytest
from call import Call
from fake_runs import HEAD, FakeRuns

from ci_toolkit.errors import ExitCode, UsageError


def call(folder: Path, fake: FakeRuns, body: str, **environ: str) -> Call:
    made = Call(
        folder,
        "github/issue_comment_on_pull_request",
        GITHUB_API_URL=fake.server.url,
        INPUT_TOKEN=fake_github.TOKEN,
        INPUT_COMMAND="answer",
        **environ,
    )
    event = json.loads(Path(made.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    event["comment"]["body"] = body
    (folder / "event.json").write_text(json.dumps(event), encoding="utf-8")
    made.environ["GITHUB_EVENT_PATH"] = str(folder / "event.json")
    return made


def test_a_command_starts_the_run_and_gives_outputs(tmp_path: Path) -> None:
    fake = FakeRuns()
    fake.add_run(7)
    with fake.server:
        made = call(tmp_path, fake, "/ci-toolkit verify\n")
        assert made("action") == ExitCode.FINE
    assert (fake.started, fake.reactions) == ([7], [(1001, "rocket")])
    assert made.outputs_of_step() == {"asked": "verify", "commit": HEAD}
    assert "started again: " in made.said
    assert fake_github.TOKEN not in made.said.replace(f"::add-mask::{fake_github.TOKEN}", "")


@pytest.mark.parametrize(
    ("body", "said"),
    [("Nice work", "no command"), ("/ci-toolkit destroy", "the command is unknown"), ("/ci-toolkit verify", "may not")],
)
def test_what_is_no_command_gives_empty_outputs_and_no_failure(tmp_path: Path, body: str, said: str) -> None:
    fake = FakeRuns()
    fake.add_run(7)
    if said == "may not":
        fake.permissions["levente"] = "read"
    with fake.server:
        made = call(tmp_path, fake, body)
        assert made("action") == ExitCode.FINE
    assert said in made.said
    assert made.outputs_of_step() == {"asked": "", "commit": ""}
    assert fake.started == []


def test_a_right_that_the_job_lacks_is_a_failure_of_the_job(tmp_path: Path) -> None:
    fake = FakeRuns()
    fake.add_run(7)
    fake.denied = {"rerun"}
    with fake.server:
        made = call(tmp_path, fake, "/ci-toolkit verify")
        assert made("action") == ExitCode.FORGE
    assert "actions: write" in made.said


@pytest.mark.parametrize("workflow", ["../verify.yml", "verify", "a/b.yml", "x.yml?y=1"])
def test_a_workflow_that_is_no_file_name_is_refused(tmp_path: Path, workflow: str) -> None:
    fake = FakeRuns()
    with fake.server, pytest.raises(UsageError, match="workflow is"):
        call(tmp_path, fake, "/ci-toolkit verify", INPUT_WORKFLOW=workflow)("action")
    assert fake.server.sent() == []
