"""action.yml, its steps run one by one, for a pull request of a GitHub on loopback."""

import hashlib
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import fake_github
import pytest
from composite import Job, Outcome
from fake_github import FakeGitHub

from tests.integration import small, steps
from tests.integration.conftest import OnGitHub, toolkit
from tests.integration.steps import ACTION, IMAGE, UPLOAD, uploaded

pytestmark = pytest.mark.integration

RESTORE, SAVE = "actions/cache/restore", "actions/cache/save"

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
def job(runner: None, github: FakeGitHub, tmp_path_factory: pytest.TempPathFactory) -> Job:
    return steps.job(tmp_path_factory.mktemp("workspace"), tmp_path_factory.mktemp("temp"), github)


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
def different(run: Run) -> Outcome:
    return run("leaky", LEAKY)


def test_the_debian_example_goes_from_its_checkout_to_one_comment_and_a_status(debian_on_github: OnGitHub) -> None:
    outcome, github = debian_on_github.outcome, debian_on_github.github
    assert not outcome.failed, outcome.log
    (comment,) = github.bodies
    image = debian_on_github.workspace / outcome.outputs["image"]
    with image.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    assert outcome.outputs["sha256"] == digest
    for text in (comment, outcome.summary):
        assert "### ✅ Reproducible · " in text
        assert digest in text
    assert outcome.outputs["comment-url"] == github.comments[0]["html_url"]
    assert [status["state"] for status in github.statuses] == ["success"]


def test_the_debian_example_is_built_twice_by_the_runner_that_the_doctor_names(debian_on_github: OnGitHub) -> None:
    outputs = debian_on_github.outcome.outputs
    report = json.loads((debian_on_github.workspace / outputs["report-path"]).read_text(encoding="utf-8"))
    assert (outputs["reproducible"], len(report["builds"])) == ("true", 2)
    assert outputs["runner-used"] == json.loads(toolkit("doctor", "--json").stdout)["runner"]


def test_the_reports_and_the_logs_of_the_debian_example_are_uploaded(debian_on_github: OnGitHub) -> None:
    reports = (
        *(f"report.{kind}" for kind in (*KINDS, "files.mtree.gz")),
        "build-record.json",
        "first.log",
        "second.log",
    )
    seen = ("boot.json", "boot.junit.xml", "uefi.serial.log", "uefi.journal.log", "uefi.screen.png")
    assert uploaded(debian_on_github.workspace, debian_on_github.outcome) == {
        *(f"output/{name}" for name in reports),
        *(f"output/boot/{name}" for name in seen),
    }


def test_the_debian_example_comes_up_and_is_there_as_a_qcow2(debian_on_github: OnGitHub) -> None:
    outcome, (comment,) = debian_on_github.outcome, debian_on_github.github.bodies
    (qcow2,) = (row for row in json.loads(outcome.outputs["artifacts"]) if row.get("format") == "qcow2")
    with (debian_on_github.workspace / qcow2["path"]).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    assert qcow2["sha256"] == digest
    assert digest in comment
    assert re.search(r"^\| UEFI.* \| ✅ .* \| none \| ✅ 1 of 1 \|$", comment, re.MULTILINE)
    junit = ET.parse(debian_on_github.workspace / "output/report.junit.xml").getroot()
    passed = {case.attrib["name"] for case in junit.iter("testcase") if case.find("failure") is None}
    assert {"converted to qcow2", "it comes up", "check.sh"} <= passed


def test_a_difference_fails_the_step_and_is_told_in_comment_summary_and_log(
    different: Outcome, github: FakeGitHub
) -> None:
    assert different.failed, different.log
    assert different.outputs["verdict"] == "different"
    (comment,) = github.bodies
    for text in (different.log, different.summary, comment):
        assert "etc/built-on" in text


def test_the_outputs_name_the_image_and_its_digest(job: Job, different: Outcome) -> None:
    with (job.workspace / different.outputs["image"]).open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == different.outputs["sha256"]


def test_the_report_and_the_logs_are_uploaded_although_the_step_failed(job: Job, different: Outcome) -> None:
    assert different.used[UPLOAD]["name"] == "ci-toolkit-verify-0"
    assert uploaded(job.workspace, different) == {
        f"leaky-output/{name}"
        for name in (
            *(f"report.{kind}" for kind in KINDS),
            *("build-record.json", "report.files.mtree.gz", "first.log", "second.log"),
        )
    }


def test_the_token_is_masked_and_nowhere_else(different: Outcome) -> None:
    assert different.log.count(fake_github.TOKEN) == different.log.count(f"::add-mask::{fake_github.TOKEN}\n") > 0
    assert fake_github.TOKEN not in different.summary


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


def test_a_build_that_fails_is_told_on_the_pull_request_and_its_log_is_uploaded(
    job: Job, run: Run, github: FakeGitHub
) -> None:
    outcome = run("broken", BROKEN, command="build")
    assert outcome.failed
    assert outcome.outputs["verdict"] == ""
    for text in (outcome.summary, github.bodies[-1]):
        assert "### ❌ Not built: " in text
    assert uploaded(job.workspace, outcome) == {"broken-output.first.log", "broken-output.failed/report.json"}
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


def test_a_stored_report_is_put_on_the_pull_request(run: Run, job: Job, different: Outcome, github: FakeGitHub) -> None:
    before = len(github.comments)
    outcome = run(
        "stored", REPRODUCIBLE, command="comment", report=str(job.workspace / different.outputs["report-path"])
    )
    assert not outcome.failed, outcome.log
    assert len(github.comments) == before
    assert outcome.outputs["comment-url"] == different.outputs["comment-url"] != ""
