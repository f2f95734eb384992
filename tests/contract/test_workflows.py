"""action.yml and the workflows, in the eyes of the schemas and of zizmor."""

import json
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "action.yml"
WORKFLOWS = sorted(path for place in ("workflows/github", ".github/workflows") for path in (ROOT / place).glob("*.yml"))
TEMPLATES = sorted(path for place in ("workflows/gitlab", "templates") for path in (ROOT / place).glob("*.yml"))
VERIFY = ROOT / "workflows/github/verify.yml"
COMMENT = ROOT / "workflows/github/comment.yml"
COMMAND = ROOT / "workflows/github/command.yml"
OURS = re.compile(r"archlinux/mkosi-action@v\d+")
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def tool(name: str) -> str:
    """A program of the development environment, which need not be on PATH."""
    found = shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*argv: str | Path, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, cwd=ROOT)


def schema(name: str, file: Path) -> None:
    completed = run(tool("check-jsonschema"), "--builtin-schema", name, file)
    assert completed.returncode == 0, completed.stdout


def uses(file: Path) -> Iterator[str]:
    for line in file.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"[ -]*uses: *(.*)", line):
            yield found[1]


def test_there_is_something_to_check() -> None:
    assert {VERIFY, COMMENT, COMMAND} <= set(WORKFLOWS)
    assert [path.parent.name for path in TEMPLATES].count("templates") == 4


@pytest.mark.slow
def test_the_action_fits_the_schema() -> None:
    schema("vendor.github-actions", ACTION)


@pytest.mark.slow
@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_fits_the_schema(file: Path) -> None:
    schema("vendor.github-workflows", file)


@pytest.mark.slow
@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_a_template_fits_the_schema(file: Path, tmp_path: Path) -> None:
    """The schema knows no header; with it the file is two documents."""
    header, job = file.read_text(encoding="utf-8").split("\n---\n")
    inputs: dict[str, Any] = yaml.safe_load(header)["spec"]["inputs"]
    for name, given in inputs.items():
        default = given["default"]
        text = default if isinstance(default, str) else json.dumps(default)
        job = job.replace(f"$[[ inputs.{name} ]]", text)
    expanded = tmp_path / ".gitlab-ci.yml"
    expanded.write_text(job, encoding="utf-8")
    assert "$[[" not in job
    schema("vendor.gitlab-ci", expanded)


@pytest.mark.parametrize("file", [ACTION, *WORKFLOWS], ids=lambda file: file.name)
def test_what_is_used_is_named_by_a_commit_and_its_version_but_our_own(file: Path) -> None:
    found = list(uses(file))
    assert found
    assert [one for one in found if not PINNED.fullmatch(one) and not OURS.match(one)] == []


def zizmor(*files: Path) -> "subprocess.CompletedProcess[str]":
    policy = ROOT / "zizmor.yml"
    return run(tool("zizmor"), "--offline", "--no-progress", "--persona=pedantic", "--config", policy, *files)


def test_zizmor_finds_nothing() -> None:
    completed = zizmor(ACTION, *WORKFLOWS)
    assert completed.returncode == 0, completed.stdout + completed.stderr


def test_zizmor_would_find_somebody_elses_tag(tmp_path: Path) -> None:
    text = VERIFY.read_text(encoding="utf-8")
    changed = tmp_path / "workflow.yml"
    changed.write_text(re.sub(r"(actions/checkout)@[0-9a-f]{40}", r"\1@v5", text), encoding="utf-8")
    completed = zizmor(changed)
    assert completed.returncode != 0
    assert "unpinned-uses" in completed.stdout


@pytest.mark.parametrize("file", [COMMENT, COMMAND], ids=lambda file: file.name)
def test_zizmor_would_find_the_trigger_that_the_comment_says_why_it_has(file: Path, tmp_path: Path) -> None:
    changed = tmp_path / "workflow.yml"
    changed.write_text(re.sub(r" # zizmor: .*", "", file.read_text(encoding="utf-8")), encoding="utf-8")
    completed = zizmor(changed)
    assert completed.returncode != 0
    assert "dangerous-triggers" in completed.stdout


def test_what_may_write_checks_nothing_out_and_runs_no_script() -> None:
    """A workflow_run has a token that writes, and what it takes comes from a fork."""
    workflow = yaml.safe_load(COMMENT.read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    assert [step["uses"].partition("@")[0] for step in job["steps"]] == [
        "actions/download-artifact",
        "archlinux/mkosi-action",
    ]
    download, toolkit = (step["with"] for step in job["steps"])
    assert toolkit == {"command": "comment", "report": download["path"]}
    assert download["path"].startswith("${{ runner.temp }}/")
    assert job["permissions"] == {"actions": "read", "pull-requests": "write"}


def test_what_hears_commands_checks_nothing_out_and_runs_no_script() -> None:
    """Whoever reads may comment, and the token can start runs."""
    workflow = yaml.safe_load(COMMAND.read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    (step,) = job["steps"]
    assert step == {"uses": "archlinux/mkosi-action@v1", "with": {"command": "answer", "workflow": VERIFY.name}}
    assert job["permissions"] == {"actions": "write", "pull-requests": "write"}
    assert workflow[True] == {"issue_comment": {"types": ["created"]}}


def test_the_comment_waits_for_the_workflow_that_verify_is() -> None:
    texts = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (VERIFY, COMMENT)]
    assert texts[1][True]["workflow_run"]["workflows"] == [texts[0]["name"]]


def test_the_workflow_that_releases_calls_the_action_with_the_key_in_its_environment_alone() -> None:
    workflow = yaml.safe_load((ROOT / "workflows/github/release.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    _, toolkit, attest = job["steps"]
    assert toolkit["with"]["command"] == "release"
    assert set(toolkit["with"]) <= set(yaml.safe_load(ACTION.read_text(encoding="utf-8"))["inputs"])
    assert all("secrets." in value for value in toolkit["env"].values())
    assert not any("secrets." in str(value) for value in toolkit["with"].values())
    assert attest["if"] == f"steps.{toolkit['id']}.outputs.released == 'true'"


def test_only_one_release_runs_at_once_and_the_key_is_the_protected_branchs() -> None:
    github = yaml.safe_load((ROOT / "workflows/github/release.yml").read_text(encoding="utf-8"))
    assert github["concurrency"] == {"group": "release", "cancel-in-progress": False}
    (job,) = github["jobs"].values()
    assert job["environment"] == "release"
    assert "default_branch" in job["if"]
    *_, gitlab = yaml.safe_load_all((ROOT / "workflows/gitlab/release.yml").read_text(encoding="utf-8"))
    (job,) = gitlab.values()
    assert job["resource_group"] == "release"
    assert job["rules"]
    assert all('$CI_COMMIT_REF_PROTECTED == "true"' in rule["if"] for rule in job["rules"])
