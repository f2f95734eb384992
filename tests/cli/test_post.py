"""What a job says on the forge from its beginning to its end, through `ci-toolkit action`."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import disks
import fake_github
import fake_gitlab
import pytest
from call import Call
from fake_github import FakeGitHub
from fake_gitlab import FakeGitLab
from fake_runner import FakeRunner
from forge_server import Fault

from ci_toolkit.errors import BuildError, ExitCode
from ci_toolkit.reports import stored

Use = Callable[[FakeRunner], FakeRunner]
HEAD = "8f14e45fceea167a5a36dedd4bea2543c6d3a1b0"


def on_github(folder: Path, github: FakeGitHub, run: int = 9123456789, **environ: str) -> Call:
    folder.mkdir(exist_ok=True)
    return Call(
        folder,
        "github/pull_request",
        GITHUB_API_URL=github.server.url,
        INPUT_TOKEN=fake_github.TOKEN,
        GITHUB_RUN_ID=str(run),
        **environ,
    )


def with_commit(call: Call, commit: str) -> Call:
    """CALL for another head of the pull request."""
    event = Path(call.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8").replace(HEAD, commit)
    file = call.folder / "event.json"
    file.write_text(event, encoding="utf-8")
    call.environ["GITHUB_EVENT_PATH"] = str(file)
    return call


def test_a_verdict_is_a_comment_and_a_status(tmp_path: Path, use: Use, github: FakeGitHub) -> None:
    use(FakeRunner(lambda _: "same"))
    assert on_github(tmp_path, github)("action") == ExitCode.FINE
    (status,) = github.statuses
    assert (status["sha"], status["state"]) == (HEAD, "success")
    assert status["description"].startswith("Reproducible · 4 bytes")
    assert status["context"] == "ci-toolkit: images"
    assert status["target_url"] == "https://github.com/archlinux/images/actions/runs/9123456789"
    assert f"commit `{HEAD[:12]}`" in github.bodies[0]


@pytest.mark.parametrize(("fail_on", "state"), [("any", "failure"), ("unexplained", "success"), ("never", "success")])
def test_a_status_is_as_good_as_the_exit_code(
    tmp_path: Path, use: Use, github: FakeGitHub, fail_on: str, state: str
) -> None:
    use(FakeRunner(lambda surroundings: f"built on {surroundings.hostname}\n"))
    on_github(tmp_path, github, INPUT_FAIL_ON=fail_on)("action")
    assert [status["state"] for status in github.statuses] == [state]
    assert github.statuses[0]["description"].startswith("Not reproducible: ")


def test_the_same_on_gitlab(tmp_path: Path, use: Use, gitlab: FakeGitLab) -> None:
    use(FakeRunner(lambda _: "same"))
    call = Call(tmp_path, "gitlab/merge_request", CI_API_V4_URL=gitlab.api_url, GITLAB_TOKEN=fake_gitlab.TOKEN)
    assert call("action") == ExitCode.FINE
    assert [(status["sha"], status["status"]) for status in gitlab.statuses] == [(HEAD, "success")]
    assert gitlab.statuses[0]["description"].startswith("Reproducible · 4 bytes")
    assert len(gitlab.bodies) == 1


def test_a_token_that_may_not_set_a_status_is_one_quiet_line(tmp_path: Path, use: Use, github: FakeGitHub) -> None:
    use(FakeRunner(lambda _: "same"))
    refusal = fake_github.refusal(403, "Resource not accessible by integration")
    github.server.faults.append(Fault(method="POST", path_part="/statuses/", answer=refusal, times=9))
    call = on_github(tmp_path, github)
    assert call("action") == ExitCode.FINE
    assert call.said.count("no commit status was set: ") == 1
    assert "::warning::" not in call.said
    assert sum("/statuses/" in line for line in github.server.sent()) == 1


def test_a_status_may_be_unwanted(tmp_path: Path, use: Use, github: FakeGitHub) -> None:
    use(FakeRunner(lambda _: "same"))
    on_github(tmp_path, github, INPUT_STATUS="false")("action")
    assert github.statuses == []
    assert len(github.comments) == 1


def test_the_comment_is_outdated_while_the_next_commit_is_built(tmp_path: Path, use: Use, github: FakeGitHub) -> None:
    seen: list[str] = []
    use(FakeRunner(lambda _: "same"))
    on_github(tmp_path / "a", github)("action")
    use(FakeRunner(lambda _: seen.append(github.bodies[0]) or "other"))  # type: ignore[func-returns-value] # told in passing
    with_commit(on_github(tmp_path / "b", github, run=9123456790), "5" * 40)("action")
    assert "> **Outdated:** `555555555555` is being built." in seen[0]
    assert "Reproducible" in seen[0]
    assert len(github.comments) == 1
    assert "Outdated" not in github.bodies[0]
    assert "commit `555555555555`" in github.bodies[0]


def test_a_build_that_fails_is_a_comment_a_status_and_a_report(tmp_path: Path, use: Use, github: FakeGitHub) -> None:
    use(FakeRunner(lambda _: "half", exit_code=1, words="E: No space left on device\n"))
    call = on_github(tmp_path, github)
    with pytest.raises(BuildError):
        call("action")
    assert "### ❌ Not built: mkosi failed with exit code 1: a file system is full" in github.bodies[0]
    assert "E: No space left on device" in github.bodies[0]
    assert [(status["state"], status["description"]) for status in github.statuses] == [
        ("error", "Not built: mkosi failed")
    ]
    text = (tmp_path / "output.failed" / "report.json").read_text(encoding="utf-8")
    report = stored.parse(text)
    assert report.failure is not None
    assert report.failure.exit_code == 4


def test_the_comment_of_a_failed_build_is_that_of_the_image(tmp_path: Path, use: Use, github: FakeGitHub) -> None:
    use(FakeRunner(lambda _: "half", exit_code=1))
    with pytest.raises(BuildError):
        on_github(tmp_path / "a", github)("action")
    use(FakeRunner(lambda _: "same"))
    call = on_github(tmp_path / "b", github)
    assert call("action") == ExitCode.FINE
    assert len(github.comments) == 1
    assert "Reproducible" in github.bodies[0]


def test_a_report_of_a_failure_goes_when_the_next_build_begins(tmp_path: Path, use: Use) -> None:
    call = Call(tmp_path, "github/push")
    use(FakeRunner(lambda _: "half", exit_code=1))
    with pytest.raises(BuildError):
        call("action")
    assert (tmp_path / "output.failed").is_dir()
    use(FakeRunner(lambda _: "same"))
    assert call("action") == ExitCode.FINE
    assert not (tmp_path / "output.failed").exists()


def test_a_token_that_a_failed_build_prints_is_nowhere(tmp_path: Path, use: Use, github: FakeGitHub) -> None:
    use(FakeRunner(lambda _: "half", exit_code=1, words=f"token {fake_github.TOKEN}\n"))
    call = on_github(tmp_path, github)
    with pytest.raises(BuildError):
        call("action")
    written = [path.read_text(encoding="utf-8") for path in (tmp_path / "output.failed").iterdir()]
    texts = (*written, github.bodies[0], call.summary.read_text(encoding="utf-8"), json.dumps(github.statuses))
    assert not any(fake_github.TOKEN in text for text in texts)
    assert "token ***" in github.bodies[0]


def baseline(folder: Path, use: Use, content: str) -> Path:
    """The report of a build on the base branch."""
    folder.mkdir()
    use(FakeRunner(lambda _: content))
    call = Call(folder, "github/push")
    assert call("action") == ExitCode.FINE
    return call.output / "report.json"


def test_against_a_baseline_the_comment_tells_what_changed(tmp_path: Path, use: Use, github: FakeGitHub) -> None:
    base = baseline(tmp_path / "base", use, "12")
    use(FakeRunner(lambda _: "1234567"))
    call = on_github(tmp_path / "new", github, INPUT_BASELINE=str(base))
    assert call("action") == ExitCode.FINE
    first = github.bodies[0].splitlines()[2]
    assert first.startswith("### ✅ Reproducible · 7 bytes (+5 bytes) · ")
    assert "+5 bytes (+250.0 %)" in github.bodies[0].replace("\N{NO-BREAK SPACE}", " ")
    assert "compared with `45c48cce2e2d`" in github.bodies[0]
    assert github.statuses[0]["description"].startswith("Reproducible · 7 bytes (+5 bytes)")
    assert "+5 bytes" in (call.output / "report.md").read_text(encoding="utf-8")


def initrd(folder: Path, **sizes: int) -> str:
    """An initrd with files of SIZES; all of it is ASCII."""
    tree = folder / "tree"
    tree.mkdir(parents=True)
    for name, size in sizes.items():
        (tree / name).write_text("x" * size)
    return disks.cpio(folder / "initrd", tree, *sorted(sizes)).read_text(encoding="ascii")


def test_against_several_baselines_the_comment_tells_which_files_changed(
    tmp_path: Path, use: Use, github: FakeGitHub
) -> None:
    main = baseline(tmp_path / "main", use, initrd(tmp_path / "1", kept=10, gone=3_000, grows=5))
    old = baseline(tmp_path / "old", use, "no archive")
    content = initrd(tmp_path / "2", kept=10, grows=70_005)
    use(FakeRunner(lambda _: content))
    call = on_github(tmp_path / "new", github, INPUT_BASELINE=f"main={main},\nv1={old}, none={tmp_path / 'no'}")
    assert call("action") == ExitCode.FINE
    assert [path.name for path in main.parent.glob("*.mtree.gz")] == ["report.files.mtree.gz"]
    assert not list(old.parent.glob("*.mtree.gz"))
    text = github.bodies[0].replace("\N{NO-BREAK SPACE}", " ")
    assert "compared with `main` `45c48cce2e2d`, `v1` `45c48cce2e2d`" in text
    assert re.search(r"`main`: \+6\d\.\d kB \(\+[\d,.]+ %\)<br>`v1`: \+7\d\.\d kB", text)
    _, _, rest = text.partition("Since `main`:\n\n<details>\n<summary>Files: 1 removed, 1 larger</summary>")
    assert "| `grows` | 5 bytes | 70.0 kB | +70.0 kB |\n| `gone` | 3.0 kB | – | −3.0 kB |" in rest
    assert "Since `v1`" not in text
    assert "there is no baseline" in call.said
    # The same of stored reports, beside which the lists lie.
    base = f"{main}"
    call = on_github(
        tmp_path / "later", github, INPUT_COMMAND="comment", INPUT_REPORT=str(tmp_path / "new"), INPUT_BASELINE=base
    )
    assert call("action") == ExitCode.FINE
    assert len(github.bodies) == 1
    assert "<summary>Files: 1 removed, 1 larger</summary>" in github.bodies[0]
    assert "Since" not in github.bodies[0]


@pytest.mark.parametrize("broken", [b"", b"\x1f\x8b\x08", gzip.compress(b"#mtree\n::error::\n", mtime=0)])
def test_a_list_of_files_that_is_none_is_a_warning(tmp_path: Path, use: Use, github: FakeGitHub, broken: bytes) -> None:
    content = initrd(tmp_path / "1", kept=10)
    base = baseline(tmp_path / "base", use, content)
    (base.parent / "report.files.mtree.gz").write_bytes(broken)
    use(FakeRunner(lambda _: content + "\0" * 512))
    call = on_github(tmp_path / "new", github, INPUT_BASELINE=str(base))
    assert call("action") == ExitCode.FINE
    assert "nothing is said of changed files" in call.said
    assert "+512 bytes" in github.bodies[0].replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no baseline"),
        ("{", "the baseline was not read"),
        ('{"schema": 9}', "the baseline was not read"),
    ],
)
def test_a_baseline_that_is_none_does_not_keep_the_report_back(
    tmp_path: Path, use: Use, github: FakeGitHub, content: str | None, said: str
) -> None:
    file = tmp_path / "base.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    use(FakeRunner(lambda _: "same"))
    call = on_github(tmp_path, github, INPUT_BASELINE=str(file))
    assert call("action") == ExitCode.FINE
    assert said in call.said
    assert "| change |" not in github.bodies[0]


def test_a_baseline_of_another_image_is_said(tmp_path: Path, use: Use, github: FakeGitHub) -> None:
    base = baseline(tmp_path / "base", use, "12")
    text = base.read_text(encoding="utf-8").replace('"title": "images"', '"title": "others"')
    base.write_text(text, encoding="utf-8")
    use(FakeRunner(lambda _: "same"))
    call = on_github(tmp_path / "new", github, INPUT_BASELINE=str(base))
    assert call("action") == ExitCode.FINE
    assert "is of no image that was built here" in call.said


def test_below_the_threshold_no_comment_is_begun(tmp_path: Path, use: Use, github: FakeGitHub) -> None:
    use(FakeRunner(lambda _: "same"))
    call = on_github(tmp_path / "a", github, INPUT_COMMENT_THRESHOLD="1")
    assert call("action") == ExitCode.FINE
    assert github.comments == []
    assert "nothing in the report crosses the threshold" in call.said
    assert "Reproducible" in call.summary.read_text(encoding="utf-8")
    assert len(github.statuses) == 1
    use(FakeRunner(lambda surroundings: surroundings.hostname))
    on_github(tmp_path / "b", github, INPUT_COMMENT_THRESHOLD="1")("action")
    assert "Not reproducible" in github.bodies[0]


def test_stored_reports_of_a_matrix_become_one_comment_and_one_status(
    tmp_path: Path, use: Use, github: FakeGitHub
) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    for name, content in (("good", "same"), ("bad", "")):
        use(FakeRunner(lambda surroundings, content=content: content or surroundings.hostname))  # type: ignore[misc] # a default binds it
        call = on_github(tmp_path / name, github, INPUT_COMMENT="false", INPUT_STATUS="false", INPUT_PROFILE=name)
        call("action")
        (call.output).rename(reports / name)
    use(FakeRunner(lambda _: "half", exit_code=1))
    call = on_github(tmp_path / "failed", github, INPUT_COMMENT="false", INPUT_STATUS="false", INPUT_PROFILE="failed")
    with pytest.raises(BuildError):
        call("action")
    (tmp_path / "failed" / "output.failed").rename(reports / "failed")
    call = on_github(tmp_path / "last", github, INPUT_COMMAND="comment", INPUT_REPORT=str(reports))
    assert call("action") == ExitCode.FINE
    assert len(github.comments) == 1
    assert "### ❌ 2 of 3 images are not as they should be" in github.bodies[0]
    for title in ("images (good)", "images (bad)", "images (failed)"):
        assert f"| `{title}` |" in github.bodies[0]
    assert [status["state"] for status in github.statuses] == ["error"]
    assert github.statuses[0]["context"] == "ci-toolkit: Images / verify"
