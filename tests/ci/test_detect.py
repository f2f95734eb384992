"""What is read out of whole environments, one for each kind of job."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.ci import github, gitlab
from ci_toolkit.ci.detect import detect
from ci_toolkit.ci.job import Head, Job, Provider

EVENTS = Path(__file__).parents[1] / "fixtures" / "events"
Recorded = Callable[[str], dict[str, str]]

HEAD = "8f14e45fceea167a5a36dedd4bea2543c6d3a1b0"
MERGE = "c9f0f895fb98ab9159f51fd0297e236d2f7b0a51"
MAIN = "45c48cce2e2d7fbdea1afc51c7c6ad26a1f5b9c2"
COMMANDS = "/home/runner/work/_temp/_runner_file_commands"


def on_github(**fields: object) -> Job:
    known: dict[str, object] = {
        "provider": Provider.GITHUB,
        "repository": "archlinux/images",
        "api_url": "https://api.github.com",
        "run_url": "https://github.com/archlinux/images/actions/runs/9123456789",
        "run": 9123456789,
        "site": "https://github.com/archlinux/images",
        "name": "Images / verify",
        "may_write": True,
        "summary_file": f"{COMMANDS}/step_summary_4d2f",
        "output_file": f"{COMMANDS}/set_output_4d2f",
    }
    return Job(**{**known, **fields})  # type: ignore[arg-type] # a table of fields


def on_gitlab(**fields: object) -> Job:
    known: dict[str, object] = {
        "provider": Provider.GITLAB,
        "repository": "7",
        "commit": HEAD,
        "api_url": "https://gitlab.archlinux.org/api/v4",
        "run_url": "https://gitlab.archlinux.org/images/cloud/-/jobs/445566",
        "run": 77001,
        "site": "https://gitlab.archlinux.org/images/cloud",
        "name": "verify: [debian, x86-64]",
        "may_write": True,
    }
    return Job(**{**known, **fields})  # type: ignore[arg-type] # a table of fields


def on_forgejo(**fields: object) -> Job:
    return on_github(
        **{
            "provider": Provider.FORGEJO,
            "api_url": "https://codeberg.example.org/api/v1",
            "run_url": "https://codeberg.example.org/archlinux/images/actions/runs/88",
            "run": 88,
            "site": "https://codeberg.example.org/archlinux/images",
            "summary_file": "/var/run/act/workflow/SUMMARY.md",
            "output_file": "/var/run/act/workflow/outputcmd.txt",
            **fields,
        }
    )


def elsewhere(system: str, **fields: object) -> Job:
    because = f"this is {system}, where no comment can be written"
    known: dict[str, object] = {"provider": Provider.UNKNOWN, "may_not_write_because": because}
    return Job(**{**known, **fields})  # type: ignore[arg-type] # a table of fields


FORK: dict[str, object] = {"may_write": False, "may_not_write_because": github.FORK}
COMMENTING = {"name": "Comment / comment"}

JOBS = {
    "github/pull_request": on_github(commit=HEAD, change=42),
    "github/pull_request_from_fork": on_github(
        commit=HEAD,
        change=42,
        run_url="https://github.com/archlinux/images/actions/runs/9123456789/attempts/3",
        **FORK,
    ),
    "github/pull_request_from_deleted_fork": on_github(commit=HEAD, change=42, **FORK),
    "github/pull_request_target_from_fork": on_github(commit=HEAD, change=42),
    "github/pull_request_on_enterprise": on_github(
        commit=HEAD,
        change=5,
        repository="os/images",
        api_url="https://git.example.org/api/v3",
        run_url="https://git.example.org/os/images/actions/runs/9123456789",
        site="https://git.example.org/os/images",
    ),
    "github/push": on_github(commit=MAIN),
    "github/schedule": on_github(commit=MAIN),
    "github/merge_group": on_github(commit=MERGE),
    "github/issue_comment_on_pull_request": on_github(commit=MAIN, change=42),
    "github/issue_comment_on_issue": on_github(commit=MAIN),
    "github/workflow_run": on_github(
        commit=HEAD,
        change=42,
        head=Head(repository="archlinux/images", branch="drop-log", commit=HEAD),
        **COMMENTING,
    ),
    "github/workflow_run_of_fork": on_github(
        commit=HEAD, head=Head(repository="levente/images", branch="drop-log", commit=HEAD), **COMMENTING
    ),
    "forgejo/pull_request": on_forgejo(commit=HEAD, change=42),
    "forgejo/pull_request_from_fork": on_forgejo(commit=HEAD, change=42, **FORK),
    "gitea/push": on_forgejo(provider=Provider.GITEA, commit=MAIN),
    "gitlab/merge_request": on_gitlab(change=42),
    "gitlab/merge_request_with_job_token_only": on_gitlab(
        change=42, may_write=False, may_not_write_because=gitlab.JOB_TOKEN_ONLY
    ),
    "gitlab/merged_results": on_gitlab(change=42),
    "gitlab/merge_request_from_fork": on_gitlab(
        change=42,
        run_url="https://gitlab.archlinux.org/levente/cloud/-/jobs/445566",
        site="https://gitlab.archlinux.org/levente/cloud",
        may_write=False,
        may_not_write_because=gitlab.FORK,
    ),
    "gitlab/merge_request_from_fork_run_by_a_member": on_gitlab(change=42),
    "gitlab/merge_request_below_a_path": on_gitlab(
        change=42,
        api_url="https://example.org/forge/gitlab/api/v4",
        run_url="https://example.org/forge/gitlab/images/cloud/-/jobs/445566",
        site="https://example.org/forge/gitlab/images/cloud",
    ),
    "gitlab/push": on_gitlab(commit=MAIN),
    "gitlab/push_with_open_merge_request": on_gitlab(change=42),
    "gitlab/push_with_two_open_merge_requests": on_gitlab(),
    "gitlab/push_in_fork_with_open_merge_request": on_gitlab(repository="915"),
    "gitlab-ci-local/push": elsewhere("an unknown CI system"),
    "woodpecker/pull_request": elsewhere(
        "Woodpecker",
        commit=HEAD,
        change=42,
        repository="archlinux/images",
        run_url="https://ci.example.org/repos/3/pipeline/9",
    ),
    "buildkite/push": elsewhere(
        "Buildkite",
        commit=MAIN,
        repository="archlinux/images",
        run_url="https://buildkite.com/archlinux/images/builds/9",
    ),
    "buildkite/pull_request": elsewhere(
        "Buildkite",
        commit=HEAD,
        change=42,
        repository="archlinux/images",
        run_url="https://buildkite.com/archlinux/images/builds/10",
    ),
    "cirrus/pull_request": elsewhere("Cirrus CI", commit=HEAD, change=42, repository="archlinux/images"),
    "azure/pull_request": elsewhere("Azure Pipelines", commit=MERGE, change=42, repository="archlinux/images"),
    "sourcehut/push": elsewhere("sourcehut", run_url="https://builds.sr.ht/~levente/job/1403221"),
    "jenkins/change": elsewhere(
        "Jenkins",
        commit=HEAD,
        change=42,
        repository="archlinux/images",
        run_url="https://jenkins.example.org/job/images/9",
    ),
    "drone/pull_request": elsewhere(
        "Drone",
        commit=HEAD,
        change=42,
        repository="archlinux/images",
        run_url="https://drone.example.org/archlinux/images/9",
    ),
    "circleci/pull_request": elsewhere(
        "CircleCI",
        commit=HEAD,
        change=42,
        repository="archlinux/images",
        run_url="https://circleci.com/gh/archlinux/images/9",
    ),
    "travis/push": elsewhere(
        "Travis CI",
        commit=MAIN,
        repository="archlinux/images",
        run_url="https://app.travis-ci.com/archlinux/images/jobs/9",
    ),
    "bitbucket/pull_request": elsewhere("Bitbucket Pipelines", commit=HEAD, change=42, repository="archlinux/images"),
    "unknown/ci": elsewhere("an unknown CI system"),
    "unknown/told": elsewhere("an unknown CI system", commit=HEAD, change=42, repository="archlinux/images"),
    "unknown/build_number": elsewhere("an unknown CI system"),
    "local/laptop": Job(provider=Provider.LOCAL, may_not_write_because="no CI system runs this"),
    "local/ci_is_false": Job(provider=Provider.LOCAL, may_not_write_because="no CI system runs this"),
}


def test_every_recorded_job_has_an_expectation() -> None:
    assert {str(file.relative_to(EVENTS).with_suffix("")) for file in EVENTS.glob("*/*.env")} == set(JOBS)


@pytest.mark.parametrize("name", JOBS)
def test_a_recorded_job_is_recognised(recorded: Recorded, name: str) -> None:
    assert detect(recorded(name)) == JOBS[name]


@pytest.mark.parametrize("value", ["false", "True", "1", "", "yes"])
@pytest.mark.parametrize("name", ["GITHUB_ACTIONS", "GITLAB_CI", "FORGEJO_ACTIONS", "GITEA_ACTIONS"])
def test_only_the_exact_value_proves_a_system(name: str, value: str) -> None:
    assert detect({name: value}).provider is Provider.LOCAL


def test_forgejo_goes_before_gitea_and_both_before_github(recorded: Recorded) -> None:
    environ = recorded("forgejo/pull_request")
    found = []
    for name in ("FORGEJO_ACTIONS", "GITEA_ACTIONS", "GITHUB_ACTIONS"):
        found.append(detect(environ).provider)
        del environ[name]
    assert found == [Provider.FORGEJO, Provider.GITEA, Provider.GITHUB]
    assert detect(environ).provider is Provider.UNKNOWN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"pull_request"',
        '{"pull_request": []}',
        '{"pull_request": {"number": "42; rm", "head": 3, "base": null}}',
        '{"pull_request": {"number": true}}',
        '{"pull_request": {"number": -1}}',
        '{"pull_request": {"number": 1.5}}',
        '{"pull_request": {"number": ' + "9" * 5000 + "}}",
        '{"workflow_run": {"pull_requests": [1, null, {"number": 3}], "head_sha": "x"}}',
        '{"issue": {"pull_request": {}, "number": null}}',
        "[" * 100_000,
        "\N{LATIN SMALL LETTER E WITH ACUTE}",
    ],
)
def test_an_odd_event_is_left_out(recorded: Recorded, tmp_path: Path, text: str) -> None:
    event = tmp_path / "event.json"
    event.write_text(text, encoding="latin-1")
    job = detect({**recorded("github/push"), "GITHUB_EVENT_PATH": str(event)})
    assert job == JOBS["github/push"]


@pytest.mark.parametrize("path", ["/nowhere/event.json", "/", "/dev/zero", "a\0b", "x" * 5000, ""])
def test_an_event_that_cannot_be_read_is_left_out(recorded: Recorded, path: str) -> None:
    assert detect({**recorded("github/push"), "GITHUB_EVENT_PATH": path}) == JOBS["github/push"]


def test_an_event_of_no_likely_size_is_not_read(recorded: Recorded, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 42}}), encoding="utf-8")
    with event.open("ab") as file:
        file.truncate(github.EVENT_LIMIT_BYTES + 1)
    assert detect({**recorded("github/push"), "GITHUB_EVENT_PATH": str(event)}).change is None


def test_without_an_event_the_ref_names_the_pull_request(recorded: Recorded) -> None:
    environ = recorded("github/pull_request")
    del environ["GITHUB_EVENT_PATH"]
    job = detect(environ)
    assert job.change == 42
    assert job.commit == MERGE


NAMES = [
    "GITHUB_ACTIONS", "GITLAB_CI", "FORGEJO_ACTIONS", "GITHUB_EVENT_PATH", "GITHUB_EVENT_NAME", "GITHUB_REPOSITORY",
    "GITHUB_API_URL", "GITHUB_SERVER_URL", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_REF", "GITHUB_SHA",
    "CI_PROJECT_ID", "CI_MERGE_REQUEST_IID", "CI_API_V4_URL", "CI_JOB_URL", "CI_OPEN_MERGE_REQUESTS", "CI_JOB_TOKEN",
    "CI", "BUILDKITE", "BUILDKITE_PULL_REQUEST", "CIRCLECI", "CIRCLE_PULL_REQUEST",
]  # fmt: skip
VALUES = st.one_of(
    st.just("true"),
    st.text("aA0!:/?#@[] \n\0\udcff\xb2\u0661"),
    st.sampled_from(["http://[", "https://a:b@c/", "refs/pull/0/merge", "!", "1" * 5000]),
)


@settings(deadline=None, database=None)
@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_no_environment_is_too_odd(environ: dict[str, str]) -> None:
    job = detect(environ)
    assert job.api_url is None or job.api_url.startswith(("http://", "https://", "HTTP", "hTTP"))
    assert job.may_write == (job.may_not_write_because is None)
