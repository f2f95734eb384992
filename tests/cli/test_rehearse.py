"""`--dry-run` of build and verify."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from call import Call
from fake_github import FakeGitHub
from fake_runner import FakeRunner

from ci_toolkit.cli import main
from ci_toolkit.errors import ExitCode, HostError, UsageError

Use = Callable[[FakeRunner], FakeRunner]


def lines(call: Call) -> dict[str, str]:
    rows = (line.split("  ", 1) for line in call.shown.splitlines()[1:])
    return {name.strip(): text.strip() for name, text in rows}


def test_a_dry_run_tells_what_would_be_done_and_builds_nothing(tmp_path: Path, use: Use, github: FakeGitHub) -> None:
    runner = use(FakeRunner(lambda _: "same"))
    call = Call(tmp_path, "github/pull_request", GITHUB_API_URL=github.server.url, GITHUB_TOKEN="t0ken")
    assert call("verify", str(tmp_path / "images"), "--output", str(call.output), "--dry-run") == ExitCode.FINE
    assert runner.place is not None
    assert runner.place.built == []
    assert not call.output.exists()
    assert github.server.sent() == []
    assert call.shown.startswith("Nothing was built. What would be done:\n")
    told = lines(call)
    assert told["image"] == "main: custom 1 tar, as image"
    assert told["order"] == "one after the other: a fake does one thing after the other"
    assert told["output"] == str(call.output)
    assert told["comment"] == "github, archlinux/images, number 42"
    assert told["disk"].endswith("how much it takes is not known before a first build")
    assert call.shown.count("mkosi's call") == 2
    assert "t0ken" not in call.shown


def test_a_dry_run_as_json_holds_the_same(tmp_path: Path, use: Use) -> None:
    use(FakeRunner(lambda _: "same"))
    call = Call(tmp_path, "local/laptop")
    assert call("build", str(tmp_path / "images"), "--output", str(call.output), "--dry-run", "--json") == ExitCode.FINE
    found = json.loads(call.shown)
    assert found["schema"] == 1
    assert found["images"][-1]["format"] == "tar"
    assert found["runner"] == {"name": "unprivileged", "description": "fake", "passed_over": []}
    (build,) = found["commands"]
    assert build["argv"][0] == "mkosi"
    assert build["environment"]["TZ"] == "UTC"
    assert (found["in_turn"], found["minutes"], found["disk"]["needed"]) == (None, 120, None)
    assert found["comment"] == "none: a single build writes no comment"


def test_where_nothing_comments_the_reason_is_told(tmp_path: Path, use: Use) -> None:
    use(FakeRunner(lambda _: "same"))
    call = Call(tmp_path, "github/pull_request_from_fork")
    call("verify", str(tmp_path / "images"), "--output", str(call.output), "--dry-run")
    assert lines(call)["comment"].startswith("none: the pull request comes from a fork")


def test_json_is_only_of_a_dry_run(tmp_path: Path) -> None:
    for verb in ("build", "verify"):
        (tmp_path / verb).mkdir()
        with pytest.raises(UsageError, match="--json"):
            Call(tmp_path / verb, "local/laptop")(verb, "--json")


def test_without_a_runner_the_exit_code_is_that_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise HostError("nothing here can run the build")

    monkeypatch.setattr("ci_toolkit.runners.choose.choose", refuse)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "mkosi.conf").touch()
    output = str(tmp_path / "out")
    codes = [main.run(["verify", str(tmp_path), "--output", output, *more]) for more in ([], ["--dry-run"])]
    assert codes == [ExitCode.HOST, ExitCode.HOST]
    assert "nothing here can run the build" in capsys.readouterr().err
    assert main.run(["build", str(tmp_path / "none"), "--dry-run"]) == ExitCode.USAGE
