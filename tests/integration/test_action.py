"""action.yml, its steps run one by one, for a pull request of a GitHub on loopback."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import fake_github
import pytest
import yaml
from composite import Job, Outcome
from fake_github import FakeGitHub

from ci_toolkit.runners.container import LOCAL_IMAGE
from tests.integration import small

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
IMAGE = os.environ.get("CI_TOOLKIT_IMAGE", LOCAL_IMAGE)
EVENT = ROOT / "tests/fixtures/events/github/pull_request"
ACTION: Mapping[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
UPLOAD, RESTORE, SAVE = "actions/upload-artifact", "actions/cache/restore", "actions/cache/save"

REPRODUCIBLE = 'echo built > "$BUILDROOT/etc/motd"'
LEAKY = 'uname --nodename > "$BUILDROOT/etc/built-on"'
BROKEN = 'echo "::set-env name=PATH::/nowhere" >&2; exit 7'

KINDS = ("json", "md", "html", "junit.xml", "metrics.txt")

Run = Callable[..., Outcome]


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    fake = FakeGitHub()
    with fake.server:
        yield fake
    assert fake.server.violations == []


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What GitHub's runner downloads of this repository; pip builds in it."""
    place = tmp_path_factory.mktemp("action")
    for name in ("action.yml", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place / name)
    shutil.copytree(ROOT / "ci_toolkit", place / "ci_toolkit", ignore=shutil.ignore_patterns("__pycache__"))
    return place


@pytest.fixture(scope="module")
def job(runner: None, github: FakeGitHub, tmp_path_factory: pytest.TempPathFactory) -> Job:
    if shutil.which("bash") is None or shutil.which("git") is None:
        pytest.skip("bash or git is not installed")
    recorded = dict(line.split("=", 1) for line in EVENT.with_suffix(".env").read_text(encoding="utf-8").splitlines())
    told = {name: value for name, value in recorded.items() if name.startswith(small.CI_PREFIXES)}
    environ = small.environ()
    python = Path(sys.executable).parent  # whose python3 is one that the toolkit supports
    temporary = tmp_path_factory.mktemp("temp")
    return Job(
        workspace=tmp_path_factory.mktemp("workspace"),
        temporary=temporary,
        environ={
            **environ,
            **told,
            "PATH": os.pathsep.join((str(python), environ["PATH"])),
            "GITHUB_API_URL": github.server.url,
            "GITHUB_EVENT_PATH": str(EVENT.with_suffix(".json")),
        },
        contexts={
            "github": {"token": fake_github.TOKEN, "job": recorded["GITHUB_JOB"], "event_name": "pull_request"},
            "runner": {"temp": str(temporary)},
            "strategy": {"job-index": "0"},
        },
    )


@pytest.fixture(scope="module")
def run(job: Job, checkout: Path) -> Run:
    """Call the action for a definition whose script is given; each in a directory of its own."""

    def call(name: str, script: str, **given: str) -> Outcome:
        repository = job.workspace / name
        small.custom(repository, script)
        inputs = {
            "directory": f"{name}/images",
            "output": f"{name}-output",
            "vary": "hostname",
            "image": IMAGE,
            **{key.replace("_", "-"): value for key, value in given.items()},
        }
        return job.run(ACTION, checkout, inputs)

    return call


@pytest.fixture(scope="module")
def leaky(run: Run) -> Outcome:
    return run("leaky", LEAKY)


def uploaded(job: Job, outcome: Outcome) -> set[str]:
    """The files that the upload step would find."""
    patterns = outcome.used[UPLOAD]["path"].split()
    return {path.relative_to(job.workspace).as_posix() for one in patterns for path in job.workspace.glob(one)}


def test_a_difference_fails_the_step_and_is_told_in_comment_summary_and_log(leaky: Outcome, github: FakeGitHub) -> None:
    assert leaky.failed, leaky.log
    assert leaky.outputs["verdict"] == "different"
    (comment,) = github.bodies
    for text in (leaky.log, leaky.summary, comment):
        assert "etc/built-on" in text


def test_the_outputs_name_the_image_and_its_digest(job: Job, leaky: Outcome) -> None:
    with (job.workspace / leaky.outputs["image"]).open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == leaky.outputs["sha256"]


def test_the_report_and_the_logs_are_uploaded_although_the_step_failed(job: Job, leaky: Outcome) -> None:
    assert leaky.used[UPLOAD]["name"] == "ci-toolkit-verify-0"
    assert uploaded(job, leaky) == {
        f"leaky-output/{name}"
        for name in (*(f"report.{kind}" for kind in KINDS), "build-record.json", "first.log", "second.log")
    }


def test_the_token_is_masked_and_nowhere_else(leaky: Outcome) -> None:
    assert leaky.log.count(fake_github.TOKEN) == leaky.log.count(f"::add-mask::{fake_github.TOKEN}\n") > 0
    assert fake_github.TOKEN not in leaky.summary


def test_a_reproducible_image_passes_without_a_word_where_none_is_wished(run: Run, github: FakeGitHub) -> None:
    before = len(github.server.requests)
    outcome = run("good", REPRODUCIBLE, comment="false", status="false", artifact="mine")
    assert not outcome.failed, outcome.log
    assert outcome.outputs["verdict"] == "identical"
    assert outcome.outputs["sha256"] in outcome.summary
    assert outcome.used[UPLOAD]["name"] == "mine"
    assert len(github.server.requests) == before


def test_a_pull_request_reads_the_package_cache_and_a_push_writes_it(
    run: Run, job: Job, checkout: Path, tmp_path: Path
) -> None:
    read = run("read", REPRODUCIBLE, comment="false", command="build", cache=str(tmp_path / "cache"))
    assert not read.failed, read.log
    assert SAVE not in read.used
    restored = read.used[RESTORE]
    near, wider = restored["restore-keys"].split()
    assert restored["key"].startswith(near) and near.startswith(wider)
    assert restored["path"] == str(tmp_path / "cache")
    assert (tmp_path / "cache/packages").is_dir()
    github = job.contexts["github"]
    assert isinstance(github, dict)
    pushed = Job(
        workspace=job.workspace,
        temporary=job.temporary,
        environ=job.environ,
        contexts={**job.contexts, "github": github | {"event_name": "push"}},
        steps_run=job.steps_run,
    )
    small.custom(job.workspace / "pushed", REPRODUCIBLE)
    inputs = {"directory": "pushed/images", "output": "pushed-output", "command": "build", "image": IMAGE}
    outcome = pushed.run(ACTION, checkout, inputs | {"comment": "false", "cache": str(tmp_path / "cache")})
    job.steps_run = pushed.steps_run
    assert not outcome.failed, outcome.log
    assert outcome.used[SAVE] == {"path": restored["path"], "key": restored["key"]}


def test_a_build_that_fails_is_told_in_the_summary_and_its_log_is_uploaded(job: Job, run: Run) -> None:
    outcome = run("broken", BROKEN, command="build")
    assert outcome.failed
    assert outcome.outputs["verdict"] == ""
    assert "exit code 4" in outcome.summary
    assert uploaded(job, outcome) == {"broken-output.first.log"}
    before, stopped, rest = outcome.log.partition("::stop-commands::")
    token = rest.partition("\n")[0]
    assert stopped
    assert "set-env" in rest.partition(f"::{token}::\n")[0]
    assert "\n::set-env" not in before + rest.partition(f"::{token}::\n")[2]


def test_the_doctor_writes_the_summary_and_uploads_nothing(run: Run) -> None:
    outcome = run("anything", REPRODUCIBLE, command="doctor")
    assert not outcome.failed, outcome.log
    assert "What a runner needs" in outcome.summary
    assert outcome.used == {}


def test_the_matrix_of_the_action_names_what_the_action_then_builds(run: Run) -> None:
    outcome = run("many", REPRODUCIBLE, command="matrix")
    assert not outcome.failed, outcome.log
    (row,) = json.loads(outcome.outputs["matrix"])["include"]
    assert set(row) & set(ACTION["inputs"]) == {"directory", "profile", "artifact", "mkosi-args"}
    assert row["directory"] == "many/images"
    assert outcome.used == {}


def test_a_stored_report_is_put_on_the_pull_request(run: Run, job: Job, leaky: Outcome, github: FakeGitHub) -> None:
    before = len(github.comments)
    outcome = run("stored", REPRODUCIBLE, command="comment", report=str(job.workspace / leaky.outputs["report-path"]))
    assert not outcome.failed, outcome.log
    assert len(github.comments) == before
    assert outcome.outputs["comment-url"] == leaky.outputs["comment-url"] != ""
