"""How a build that does not end well is told."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sandbox import Answer, FakeSandbox

from ci_toolkit.errors import BuildError
from ci_toolkit.host.environment import NORMAL
from ci_toolkit.mkosi import build, complaint
from ci_toolkit.mkosi.command import Call
from ci_toolkit.process import Command, Completed

CALL = Call(directory=Path("/d"), profiles=(), arguments=(), environment=NORMAL, epoch=None)


def run(sandbox: FakeSandbox, log: Path, minutes: float | None = None) -> BuildError:
    with pytest.raises(BuildError) as raised:
        build.run(sandbox, CALL, log, lambda _: None, minutes)
    return raised.value


@pytest.mark.parametrize(("minutes", "told"), [(1, "1 minute"), (0.5, "0.5 minutes"), (120, "120 minutes")])
def test_a_build_that_takes_too_long_is_told_with_its_last_lines(tmp_path: Path, minutes: float, told: str) -> None:
    sandbox = FakeSandbox(answer=lambda _: Answer(exit_code=124, late=True, lines=("one\n", "two\n")))
    error = run(sandbox, tmp_path / "log", minutes)
    assert error.message == f"mkosi was still running after {told} (time-limit)\none\ntwo"
    assert error.hint is not None and "--time-limit" in error.hint
    assert sandbox.limits == [minutes * 60]
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


def test_an_exit_code_124_of_mkosi_itself_is_no_time_limit(tmp_path: Path) -> None:
    sandbox = FakeSandbox(answer=lambda _: Answer(exit_code=124))
    assert run(sandbox, tmp_path / "log", 1).message == "mkosi failed with exit code 124:\n(it said nothing)"


def test_a_fault_far_up_is_shown_before_the_last_lines(tmp_path: Path) -> None:
    lines = ("dd: writing to x: No space left on device\n", *(f"line {number}\n" for number in range(30)))
    error = run(FakeSandbox(answer=lambda _: Answer(exit_code=1, lines=lines)), tmp_path / "log")
    first, *words = error.message.split("\n")
    assert first == "mkosi failed with exit code 1: a file system is full"
    assert words[:2] == ["dd: writing to x: No space left on device", "…"]
    assert words[2:] == [f"line {number}" for number in range(30 - complaint.LAST, 30)]


def test_a_mkosi_that_was_killed_says_nothing_and_is_explained(tmp_path: Path) -> None:
    error = run(FakeSandbox(answer=lambda _: Answer(exit_code=137, lines=("working\n",))), tmp_path / "log")
    assert error.message == (
        "mkosi failed with exit code 137: a program was killed, as the kernel does where memory runs out\nworking"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending(FakeSandbox):
    """A place that fails after a line."""

    error: Exception

    def run(
        self,
        command: Command,
        *,
        on_line: Callable[[str], None] | None = None,
        timeout_seconds: float | None = None,
    ) -> Completed:
        assert on_line is not None
        on_line("the last\n")
        raise self.error


def test_a_place_that_is_gone_leaves_the_last_lines(tmp_path: Path) -> None:
    error = run(Ending(error=BuildError("the place is gone", hint="Look.")), tmp_path / "log")
    assert (error.message, error.hint) == ("the place is gone\nthe last", "Look.")


def test_a_disk_that_has_no_room_for_the_log_ends_the_build(tmp_path: Path) -> None:
    error = run(Ending(error=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))), tmp_path / "log")
    assert error.message == "the disk is full: there is no room for the log\nthe last"


def test_another_error_than_a_full_disk_is_handed_on(tmp_path: Path) -> None:
    with pytest.raises(PermissionError):
        run(Ending(error=PermissionError(errno.EACCES, "no")), tmp_path / "log")


def test_a_manifest_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "image.manifest").touch()
    with pytest.raises(BuildError, match="left no image"):
        build.main_output(tmp_path, "image")
    (tmp_path / "image.raw").touch()
    assert build.main_output(tmp_path, "image") == "image.raw"
