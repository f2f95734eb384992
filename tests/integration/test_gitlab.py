"""The GitLab template in a pipeline that gitlab-ci-local runs, for a merge request of a GitLab on loopback."""

import hashlib
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fake_gitlab
import pytest
from fake_gitlab import FakeGitLab

from ci_toolkit.mkosi.matrix import Row
from ci_toolkit.reports import matrix
from ci_toolkit.runners.container import LOCAL_IMAGE
from tests.integration import small

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
IMAGE = os.environ.get("CI_TOOLKIT_IMAGE", LOCAL_IMAGE)

PIPELINE = f"""\
include:
  - local: ci/verify.yml
    inputs:
      job: look
      stage: build
      command: doctor
      directory: images
      image: {IMAGE}
  - local: ci/verify.yml
    inputs:
      directory: images
      image: {IMAGE}
      vary: hostname,zone,time
  - local: ci/build.yml
    inputs:
      directory: other
      image: {IMAGE}
      output: built
  - local: ci/report.yml
    inputs:
      image: {IMAGE}

later:
  stage: deploy
  needs: [verify-image]
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
  script:
    - echo "verdict=$CI_TOOLKIT_RESULT_VERDICT sha256=$CI_TOOLKIT_RESULT_SHA256"
"""


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A finished pipeline: its repository, its exit code, its log, and the notes of the merge request."""

    repository: Path
    exit_code: int
    log: str
    notes: list[str]

    def artifact(self, job: str, name: str) -> Path:
        return self.repository / ".gitlab-ci-local" / "artifacts" / job / name

    def job_log(self, job: str) -> str:
        return (self.repository / ".gitlab-ci-local" / "output" / f"{job}.log").read_text(encoding="utf-8")

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(
            self.artifact("verify-image", "output/report.json").read_text(encoding="utf-8")
        )
        return report


def template(name: str) -> str:
    return (ROOT / f"templates/{name}.yml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pipeline(runner: None, gitlab_ci_local: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    repository = tmp_path_factory.mktemp("gitlab")
    programs = tmp_path_factory.mktemp("programs")
    small.write(
        repository,
        {
            ".gitignore": ".gitlab-ci-local/\n",
            ".gitlab-ci.yml": PIPELINE,
            "images/mkosi.conf": small.DEBIAN,
            "other/mkosi.conf": small.CUSTOM,
            "other/mkosi.skeleton/usr/lib/os-release": "ID=small\nNAME=Small\n",
            **{f"ci/{name}.yml": template(name) for name in ("verify", "build", "report")},
        },
    )
    small.commit(repository)
    small.write(programs, {"ci-toolkit": f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m ci_toolkit "$@"\n'})
    environ = small.environ()
    fake = FakeGitLab()
    with fake.server:
        variables = {
            "CI_PIPELINE_SOURCE": "merge_request_event",
            "CI_MERGE_REQUEST_IID": "42",
            "CI_MERGE_REQUEST_PROJECT_ID": "7",
            "CI_PROJECT_ID": "7",
            "CI_API_V4_URL": fake.api_url,
            "GITLAB_CI": "true",  # which gitlab-ci-local sets to false
            "GITLAB_TOKEN": fake_gitlab.TOKEN,
        }
        options = [word for name, value in variables.items() for word in ("--variable", f"{name}={value}")]
        completed = subprocess.run(
            (gitlab_ci_local, "--force-shell-executor", "--home", programs, *options),
            cwd=repository,
            env={**environ, "PATH": os.pathsep.join((str(programs), environ["PATH"]))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    assert fake.server.violations == []
    yield Pipeline(repository=repository, exit_code=completed.returncode, log=completed.stdout, notes=fake.bodies)


def test_the_pipeline_succeeds(pipeline: Pipeline) -> None:
    assert pipeline.exit_code == 0, pipeline.log


def test_the_image_was_built_twice_in_surroundings_that_differ(pipeline: Pipeline) -> None:
    first, second = pipeline.report["builds"]
    assert pipeline.report["verdict"] == "identical"
    assert first["artefacts"] == second["artefacts"]
    assert {variation["name"] for variation in pipeline.report["variations"]} == {"hostname", "zone", "time"}
    logs = [pipeline.artifact("verify-image", f"output/{name}.log").read_text("utf-8") for name in ("first", "second")]
    assert all("Creating tar archive" in log for log in logs)


def test_the_merge_request_has_a_note_of_each_job_that_builds(pipeline: Pipeline) -> None:
    verified, built = sorted(pipeline.notes, key=lambda note: "✅ Built" in note)
    assert pipeline.report["builds"][0]["artefacts"][0]["sha256"] in verified
    with pipeline.artifact("build-image", "built/small.tar").open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() in built


def test_a_later_job_gets_the_verdict_and_the_digest_of_the_image(pipeline: Pipeline) -> None:
    with (pipeline.repository / "output/small.tar").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    assert f"verdict=identical sha256={digest}" in pipeline.job_log("later")


def test_the_image_is_a_test_that_passes_and_its_numbers_are_metrics(pipeline: Pipeline) -> None:
    (suite,) = ET.parse(pipeline.artifact("verify-image", "output/report.junit.xml")).getroot()
    assert {case.attrib["name"] for case in suite} >= {"small.tar"}
    assert suite.attrib["failures"] == "0"
    metrics = pipeline.artifact("verify-image", "output/report.metrics.txt").read_text(encoding="utf-8")
    assert "\nci_toolkit_reproducible 1\n" in metrics


def test_the_job_that_builds_keeps_the_image_and_its_digest(pipeline: Pipeline) -> None:
    with pipeline.artifact("build-image", "built/small.tar").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    told = pipeline.artifact("build-image", "built/ci-toolkit.env").read_text("utf-8")
    assert f"CI_TOOLKIT_RESULT_SHA256={digest}\n" in told
    (suite,) = ET.parse(pipeline.artifact("build-image", "built/report.junit.xml")).getroot()
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("1", "0")
    assert "ci_toolkit_artifact_size_bytes" in pipeline.artifact("build-image", "built/report.metrics.txt").read_text()


def test_the_job_that_reports_updates_the_one_note_from_the_stored_report(pipeline: Pipeline) -> None:
    assert "commented: " in pipeline.job_log("report-image")
    assert len(pipeline.notes) == 2


def test_the_doctor_names_the_ci_system_and_a_runner(pipeline: Pipeline) -> None:
    log = pipeline.job_log("look")
    assert "GitLab" in log
    assert "What a runner needs" in log


def test_the_token_is_nowhere_in_the_log(pipeline: Pipeline) -> None:
    assert fake_gitlab.TOKEN not in pipeline.log + pipeline.job_log("verify-image")


def test_a_word_that_is_no_choice_is_refused_before_any_job(gitlab_ci_local: Path, tmp_path: Path) -> None:
    include = "include:\n  - local: ci/verify.yml\n    inputs:\n      runner: moon\n"
    small.write(tmp_path, {".gitlab-ci.yml": include, "ci/verify.yml": template("verify")})
    small.commit(tmp_path)
    completed = subprocess.run(
        (gitlab_ci_local, "--list"), cwd=tmp_path, env=small.environ(), capture_output=True, text=True, check=False
    )
    assert completed.returncode != 0
    assert "moon" in completed.stdout + completed.stderr


def test_a_child_pipeline_has_a_job_for_each_row_of_the_matrix(gitlab_ci_local: Path, tmp_path: Path) -> None:
    rows = (
        Row(name=name, artifact=f"{name}-x86-64", directory=f"images/{name}", profile="", architecture="", arguments=())
        for name in ("debian", "arch")
    )
    templates = {f"ci/{name}.yml": template(name) for name in ("verify", "report")}
    small.write(tmp_path, {".gitlab-ci.yml": matrix.for_gitlab(rows, "/ci"), **templates})
    small.commit(tmp_path)
    completed = subprocess.run(
        (gitlab_ci_local, "--list-json", "--variable", "CI_PIPELINE_SOURCE=parent_pipeline"),
        cwd=tmp_path,
        env=small.environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    listed = json.loads(completed.stdout[completed.stdout.index("\n[") :])
    assert {job["name"]: job["when"] for job in listed} == {
        "debian-x86-64": "on_success",
        "arch-x86-64": "on_success",
        "report-image": "always",
    }
    (needs,) = (job["needs"] for job in listed if job["name"] == "report-image")
    assert [need["job"] for need in needs] == ["debian-x86-64", "arch-x86-64"]


def listed_releases(gitlab_ci_local: Path, place: Path, **variables: str) -> list[str]:
    """The jobs of a pipeline that releases; a job that its rules leave out is not listed."""
    options = [word for name, value in variables.items() for word in ("--variable", f"{name}={value}")]
    completed = subprocess.run(
        (gitlab_ci_local, "--list-json", *options),
        cwd=place, env=small.environ(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert completed.returncode == 0, completed.stdout + completed.stderr
    found = json.loads(completed.stdout[completed.stdout.index("\n[") :])
    return [job["name"] for job in found if job["when"] != "never"]


RELEASING = """\
include:
  - local: ci/release.yml
    inputs: { directory: images, formats: "tar.zst", keep: "3", dry-run: "true", every: "1" }
"""


LATER = """\

later:
  stage: deploy
  needs: [release-image]
  script:
    - echo "released=$CI_TOOLKIT_RESULT_RELEASED version=$CI_TOOLKIT_RESULT_VERSION"
"""


def test_only_a_schedule_of_the_protected_branch_releases(gitlab_ci_local: Path, tmp_path: Path) -> None:
    small.write(tmp_path, {".gitlab-ci.yml": RELEASING, "ci/release.yml": template("release")})
    small.commit(tmp_path)
    ours = {"CI_COMMIT_REF_PROTECTED": "true", "CI_COMMIT_BRANCH": "main", "CI_DEFAULT_BRANCH": "main"}
    for source, jobs in (("schedule", ["release-image"]), ("web", ["release-image"]), ("push", [])):
        assert listed_releases(gitlab_ci_local, tmp_path, CI_PIPELINE_SOURCE=source, **ours) == jobs
    others = ({"CI_COMMIT_REF_PROTECTED": "false"}, {"CI_COMMIT_BRANCH": "patch"})
    for other in others:
        assert listed_releases(gitlab_ci_local, tmp_path, CI_PIPELINE_SOURCE="schedule", **(ours | other)) == []


def test_the_template_tells_what_a_release_would_do(gitlab_ci_local: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    repository = tmp_path / "repository"
    small.write(
        repository,
        {
            ".gitignore": ".gitlab-ci-local/\n",
            ".gitlab-ci.yml": RELEASING + LATER,
            "ci/release.yml": template("release"),
            "images/mkosi.conf": small.CUSTOM,
        },
    )
    small.commit(repository)
    small.write(programs, {"ci-toolkit": f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m ci_toolkit "$@"\n'})
    environ = small.environ()
    fake = FakeGitLab()
    with fake.server:
        variables = {
            "CI_PIPELINE_SOURCE": "schedule",
            "CI_PIPELINE_CREATED_AT": "2026-11-28T04:17:00Z",
            "CI_COMMIT_REF_PROTECTED": "true",
            "CI_COMMIT_BRANCH": "main",
            "CI_DEFAULT_BRANCH": "main",
            "CI_PROJECT_ID": "7",
            "CI_API_V4_URL": fake.api_url,
            "CI_JOB_TOKEN": fake_gitlab.JOB_TOKEN,
            "GITLAB_CI": "true",
        }
        options = [word for name, value in variables.items() for word in ("--variable", f"{name}={value}")]
        completed = subprocess.run(
            (gitlab_ci_local, "--force-shell-executor", "--home", programs, *options),
            cwd=repository,
            env={**environ, "PATH": os.pathsep.join((str(programs), environ["PATH"]))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    assert completed.returncode == 0, completed.stdout
    for told in ("version 2026.11.28", "build images twice", "convert images to tar.zst", "publish on gitlab:"):
        assert told in completed.stdout
    assert "released=false version=2026.11.28" in completed.stdout
    assert fake.server.violations == []
