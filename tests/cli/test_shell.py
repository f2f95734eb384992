"""`ci-toolkit shell`."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from call import Call
from fake_runner import FakeRunner

from ci_toolkit import pipeline
from ci_toolkit.console import Console
from ci_toolkit.errors import UsageError
from ci_toolkit.site import Wishes

Use = Callable[[FakeRunner], FakeRunner]


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)


@pytest.mark.usefixtures("at_a_terminal")
def test_a_shell_opens_where_the_build_would_run_with_the_build_at_hand(
    tmp_path: Path, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = use(FakeRunner(lambda _: "same", exit_code=7))
    call = Call(tmp_path, "local/laptop", TERM="xterm", SECRET="hunter2")
    scripts: list[str] = []

    def read(sandbox: object, command: object) -> int:
        assert runner.place is not None
        scripts.append((runner.place.scratch / "build").read_text(encoding="utf-8"))
        runner.place.attached.append(command)  # type: ignore[arg-type] # a Command
        return 7

    monkeypatch.setattr("fake_runner.FakeMkosi.attach", read)
    assert call("shell", str(tmp_path / "images"), "--output", str(call.output), "--", "--debug") == 7
    assert runner.place is not None
    (shell,) = runner.place.attached
    assert (shell.environment["TERM"], shell.environment["TZ"]) == ("xterm", "UTC")
    assert "hunter2" not in str(shell)
    assert str(shell.directory) == "/var/tmp/ci-toolkit/source"
    assert not call.output.exists()
    # The script calls mkosi as the build does.
    runner = use(FakeRunner(lambda _: "same"))
    directory = Path(call.environ["CI_TOOLKIT_DIRECTORY"])
    wishes = Wishes(directory=directory, output=call.output, mkosi_arguments=("--debug",))
    pipeline.build(wishes, call.environ, Console(quiet=True))
    assert runner.place is not None
    ((_, built),) = runner.place.built
    assert scripts == [f'#!/bin/sh\nexec {" ".join(built.argv[:-1])} "$@" build\n']


@pytest.mark.parametrize("event", ["github/pull_request", "gitlab/merge_request", "unknown/ci", "forgejo/pull_request"])
@pytest.mark.usefixtures("at_a_terminal")
def test_in_a_job_it_is_refused_with_the_next_step(tmp_path: Path, use: Use, event: str) -> None:
    runner = use(FakeRunner(lambda _: "same"))
    with pytest.raises(UsageError, match="nobody could type") as refused:
        Call(tmp_path, event)("shell", str(tmp_path / "images"))
    assert refused.value.hint is not None
    assert "your own machine" in refused.value.hint
    assert runner.place is None


def test_without_a_terminal_it_is_refused(tmp_path: Path, use: Use) -> None:
    use(FakeRunner(lambda _: "same"))
    with pytest.raises(UsageError, match="no terminal"):
        Call(tmp_path, "local/laptop")("shell", str(tmp_path / "images"))
