"""The GitLab template as a Docker executor runs it on examples/debian: its job in a container of the toolkit's image,
by the lines for `config.toml` that docs/gitlab.md has for the runner `unprivileged`."""

import json
import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fake_gitlab
import pytest
from fake_gitlab import FakeGitLab

from ci_toolkit.runners.container import LOCAL_IMAGE
from tests.integration import small

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
IMAGE = os.environ.get("CI_TOOLKIT_IMAGE", LOCAL_IMAGE)
# What gitlab-ci-local moves files with; GitLab's runner has its own image for that.
HELPER = "ci-toolkit-helper:test"
HELPER_FILE = f"""\
FROM {IMAGE}
RUN apt-get update -q && apt-get install -y -q --no-install-recommends rsync
ENTRYPOINT []
"""
# gitlab-ci-local has no option for what a runner's configuration says.
ENGINE = """\
#!/bin/sh
case "$1" in
create|run)
    verb="$1"
    shift
    exec docker "$verb" --security-opt seccomp={profile} --security-opt apparmor=unconfined "$@"
    ;;
*)
    exec docker "$@"
    ;;
esac
"""
# Where the job looks for its cache; gitlab-ci-local restores none whose policy is a variable, as the template has it.
CACHE = "/builds/images/cloud/.ci-toolkit-packages"
PIPELINE = f"""\
include:
  - local: templates/verify.yml
    inputs:
      directory: examples/debian
      image: {IMAGE}
"""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How the pipeline ended, where the artifacts of its job are, and the notes of the merge request."""

    exit_code: int
    log: str
    artifacts: Path
    notes: list[str]


@pytest.fixture(scope="module")
def helper() -> Iterator[str]:
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed")
    argv = ("docker", "build", "--quiet", "--network=host", "--tag", HELPER, "-")
    built = subprocess.run(argv, input=HELPER_FILE, capture_output=True, text=True, check=False)
    if built.returncode != 0:
        pytest.skip(f"no image for gitlab-ci-local could be built: {built.stderr.strip()[-500:]}")
    yield HELPER
    subprocess.run(("docker", "image", "rm", HELPER), capture_output=True, check=False)


@pytest.fixture(scope="module")
def finished(helper: str, gitlab_ci_local: Path, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    repository, programs = tmp_path_factory.mktemp("repository"), tmp_path_factory.mktemp("programs")
    printed = subprocess.run(
        ("docker", "run", "--rm", "--network=none", IMAGE, "seccomp"), capture_output=True, check=True
    )
    (programs / "seccomp.json").write_bytes(printed.stdout)
    small.write(programs, {"engine": ENGINE.format(profile=programs / "seccomp.json")})
    template = (ROOT / "templates/verify.yml").read_text(encoding="utf-8")
    small.write(
        repository, {".gitignore": ".gitlab-ci-local/\n", ".gitlab-ci.yml": PIPELINE, "templates/verify.yml": template}
    )
    shutil.copytree(ROOT / "examples/debian", repository / "examples/debian")
    small.commit(repository)
    restored = tmp_path_factory.mktemp("cache")
    shutil.copytree(packages, restored / "packages")
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
        engine = ("--container-executable", "engine", "--helper-image", helper, "--pull-policy", "if-not-present")
        volume = ("--volume", f"{restored}:{CACHE}")
        completed = subprocess.run(
            (gitlab_ci_local, "--home", programs, *engine, *volume, "--network", "host", *options),
            cwd=repository,
            env={**environ, "PATH": os.pathsep.join((str(programs), environ["PATH"]))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    assert fake.server.violations == []
    return Finished(
        exit_code=completed.returncode,
        log=completed.stdout,
        artifacts=repository / ".gitlab-ci-local/artifacts/verify-image/output",
        notes=fake.bodies,
    )


def test_the_job_builds_in_its_own_container_without_a_privilege(finished: Finished) -> None:
    assert finished.exit_code == 0, finished.log
    report = json.loads((finished.artifacts / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"] == "identical"
    facts = {fact["name"]: fact["value"] for fact in report["facts"]}
    assert facts["runner"].startswith("unprivileged: ")


def test_the_merge_request_gets_its_note_and_its_tests(finished: Finished) -> None:
    (note,) = finished.notes
    report = json.loads((finished.artifacts / "report.json").read_text(encoding="utf-8"))
    assert report["builds"][0]["artefacts"][0]["sha256"] in note
    (suite,) = ET.parse(finished.artifacts / "report.junit.xml").getroot()
    assert suite.attrib["failures"] == "0"


def test_every_file_that_the_template_keeps_of_a_build_that_succeeds_is_there(finished: Finished) -> None:
    kept = {path.name for path in finished.artifacts.iterdir()}
    reports = {f"report.{kind}" for kind in ("html", "md", "json", "files.mtree.gz", "junit.xml", "metrics.txt")}
    assert kept == reports | {"build-record.json", "first.log", "second.log"}
    assert fake_gitlab.TOKEN not in finished.log
