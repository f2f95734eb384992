import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from ci_toolkit.cli import main
from ci_toolkit.cli.main import VERBS
from ci_toolkit.errors import (
    BuildError,
    ExitCode,
    ForgeError,
    HostError,
    ToolkitError,
    UnreadableError,
    UsageError,
)


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[object], int]]:
    """Run a verb that raises or returns what it is given."""

    def run(outcome: object) -> int:
        @click.command
        def command() -> object:
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        monkeypatch.setattr(main.Verbs, "get_command", lambda *_: command)
        return main.run(["doctor"])

    yield run


@pytest.mark.parametrize(
    ("kind", "code"),
    [(UsageError, 2), (HostError, 3), (BuildError, 4), (ForgeError, 5), (UnreadableError, 6)],
)
def test_each_error_is_its_exit_code_one_line_and_a_hint(
    ends: Callable[[object], int], capfd: pytest.CaptureFixture[str], kind: type[ToolkitError], code: int
) -> None:
    assert ends(kind("it broke", hint="Mend it.")) == code
    assert capfd.readouterr() == ("", "error: it broke\n  Mend it.\n")


@pytest.mark.parametrize(("outcome", "code"), [(None, 0), (ExitCode.POLICY, 1), (ExitCode.HOST, 3)])
def test_the_exit_code_is_what_the_verb_returns(ends: Callable[[object], int], outcome: object, code: int) -> None:
    assert ends(outcome) == code


def test_an_interrupt_is_130(ends: Callable[[object], int], capfd: pytest.CaptureFixture[str]) -> None:
    assert ends(KeyboardInterrupt()) == 130
    assert "error: interrupted\n" in capfd.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, 3), (errno.EDQUOT, 3), (errno.EACCES, 6), (errno.EIO, 6)])
def test_an_error_of_the_system_is_one_line_with_the_name_of_the_file(
    ends: Callable[[object], int], capfd: pytest.CaptureFixture[str], number: int, code: int
) -> None:
    assert ends(OSError(number, os.strerror(number), "/some/file")) == code
    error, hint = capfd.readouterr().err.splitlines()
    assert error == f"error: {os.strerror(number)} '/some/file'"
    assert hint.startswith("  ")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_text_from_elsewhere_in_an_error_is_no_workflow_command(
    ends: Callable[[object], int], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], number: int
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    ends(BuildError("a\n::set-env name=A::b", hint="c\n##[add-path]d"))
    ends(OSError(number, "e", "f\n::set-env name=A::b\n##[add-path]g"))
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2
    assert [line for line in lines if not line.startswith("::error::") or "##[" in line] == []


def test_a_wrong_call_is_one_line_and_names_the_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert main.run(["compare", "a"]) == ExitCode.USAGE
    assert capfd.readouterr() == ("", "error: Missing argument 'B'.\n  See `ci-toolkit compare --help`.\n")


def test_on_github_a_wrong_call_is_one_annotation(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert main.run(["doctor", "/nonexistent\n::set-env name=A::b"]) == ExitCode.USAGE
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("::error::")


@pytest.mark.parametrize("arguments", [[], ["upload"]])
def test_without_a_verb_or_with_an_unknown_one_the_verbs_are_told(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main.run(arguments) == ExitCode.USAGE
    captured = capfd.readouterr()
    assert captured.out == ""
    assert all(f"  {verb} " in captured.err for verb in VERBS)


def test_the_help_of_every_verb_goes_to_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    for verb in VERBS:
        assert main.run([verb, "-h"]) == ExitCode.FINE
        captured = capfd.readouterr()
        assert captured.out.startswith(f"Usage: ci-toolkit {verb} ")
        assert captured.err == ""


def test_the_version_is_that_of_the_package(capfd: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == ExitCode.FINE
    assert capfd.readouterr().out == f"ci-toolkit {version('ci-toolkit')}\n"


# A verb that works until it is interrupted and then takes its time to tidy up.
WORKING = """
import click, time
from ci_toolkit.cli import main
@click.command
def command():
    try:
        print("working", flush=True)
        time.sleep(60)
    finally:
        print("tidying", flush=True)
        time.sleep(0.3)
        print("tidy", flush=True)
main.Verbs.get_command = lambda *_: command
raise SystemExit(main.run(["doctor"]))
"""


def working(*words: str) -> "subprocess.Popen[str]":
    argv = (*words, sys.executable, "-c", WORKING)
    root = Path(__file__).parents[2]
    return subprocess.Popen(argv, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_a_job_is_an_interrupt_and_a_second_one_lets_it_tidy_up(number: signal.Signals) -> None:
    with working() as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(number)
        assert process.stdout.readline() == "tidying\n"
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        said, complaint = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "tidy\n")
    assert complaint.lstrip().startswith("error: interrupted\n")  # click begins a new line after ^C


def test_a_signal_that_nohup_ignores_stays_ignored() -> None:
    with working("nohup") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        process.terminate()
    ignored = int(next(line for line in status.splitlines() if line.startswith("SigIgn:")).split()[1], 16)
    assert ignored & 1 << signal.SIGHUP - 1
