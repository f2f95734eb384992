import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import terminal

from ci_toolkit import process
from ci_toolkit.process import MINIMAL, Command

ROOT = Path(__file__).parent.parent


def python(script: str) -> Command:
    return Command(argv=(sys.executable, "-c", textwrap.dedent(script)))


def shell(script: str) -> Command:
    return Command(argv=("sh", "-c", script))


def is_alive(pid: int) -> bool:
    """Whether PID runs; a zombie that nobody reaps has ended all the same."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def pid_in(path: Path) -> int:
    """Wait until another process has written its id to PATH."""
    for _ in range(1000):
        if path.exists() and path.read_text().endswith("\n"):
            return int(path.read_text())
        time.sleep(0.01)
    raise AssertionError(f"nobody wrote {path}")


def test_output_and_exit_code_are_kept_apart() -> None:
    completed = process.run(shell("echo out; echo err >&2; exit 3"))
    assert (completed.stdout, completed.stderr, completed.exit_code, completed.ok) == ("out\n", "err\n", 3, False)


def test_a_child_that_fills_both_pipes_is_read_to_the_end() -> None:
    script = "import sys\nfor _ in range(20000): sys.stdout.write('o' * 99 + '\\n'); sys.stderr.write('e' * 99 + '\\n')"
    completed = process.run(python(script))
    assert (len(completed.stdout), len(completed.stderr)) == (2_000_000, 2_000_000)


def test_every_line_is_handed_on_as_it_is_whole_and_the_last_one_without_a_newline_too() -> None:
    lines: list[str] = []
    process.run(shell("printf 'one\\ntwo\\nthree'"), on_line=lines.append)
    assert lines == ["one\n", "two\n", "three"]


def test_lines_of_both_pipes_are_handed_on_one_at_a_time() -> None:
    inside: list[str] = []
    crowds: list[int] = []

    def listen(line: str) -> None:
        inside.append(line)
        time.sleep(0.001)
        crowds.append(len(inside))
        inside.remove(line)

    process.run(shell("for n in $(seq 100); do echo out; echo err >&2; done"), on_line=listen)
    assert (len(crowds), set(crowds)) == (200, {1})


def test_a_slow_listener_loses_no_line_of_a_child_that_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_GRACE_SECONDS", 0.02)
    lines: list[str] = []

    def listen(line: str) -> None:
        time.sleep(0.05)
        lines.append(line)

    process.run(shell("seq 10"), on_line=listen)
    assert len(lines) == 10


def test_an_exception_of_the_listener_ends_the_child_and_is_raised() -> None:
    def refuse(_: str) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        process.run(shell("while :; do echo more; done"), on_line=refuse)


def test_standard_input_is_empty_unless_it_is_given() -> None:
    assert process.run(shell("cat")).stdout == ""
    assert process.run(shell("cat"), stdin="given").stdout == "given"


def test_a_child_that_closes_its_standard_input_is_not_an_error() -> None:
    completed = process.run(shell("exec <&-; echo fine"), stdin="x" * 10_000_000)
    assert (completed.stdout, completed.exit_code) == ("fine\n", 0)


def test_a_child_that_never_reads_its_standard_input_is_ended_in_time() -> None:
    assert process.run(shell("sleep 300"), stdin="x" * 10_000_000, timeout_seconds=0.1).exit_code == 124


def test_undecodable_output_is_kept_as_escapes() -> None:
    assert process.run(shell(r"printf 'a\377b'")).stdout == r"a\xffb"


def test_a_missing_program_ends_with_127_as_in_a_shell() -> None:
    completed = process.run(Command(argv=("no-such-program-here",)))
    assert (completed.exit_code, completed.stderr) == (127, "no-such-program-here: not found")


def test_a_missing_directory_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    completed = process.run(Command(argv=("true",), directory=tmp_path / "gone"))
    assert (completed.exit_code, completed.stderr) == (126, f"{tmp_path}/gone: No such file or directory")


def test_a_file_that_is_no_program_ends_with_126(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("just text")
    assert process.run(Command(argv=(str(tmp_path / "text"),))).exit_code == 126


def test_a_signal_gives_128_and_its_number() -> None:
    assert process.run(shell("kill -SEGV $$")).exit_code == 128 + signal.SIGSEGV


def test_nothing_of_the_environment_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    lines = process.run(Command(argv=("env",))).stdout.splitlines()
    assert dict(line.split("=", 1) for line in lines) == dict(MINIMAL)


def test_the_program_is_looked_up_in_the_path_that_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\necho mine\n")
    (tmp_path / "tool").chmod(0o755)
    completed = process.run(Command(argv=("tool",), environment={"PATH": str(tmp_path)}))
    assert completed.stdout == "mine\n"


def test_a_timeout_ends_grandchildren_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_GRACE_SECONDS", 0.1)
    completed = process.run(shell(f"sleep 300 & echo $! > {tmp_path}/pid; wait"), timeout_seconds=0.3)
    assert (completed.exit_code, is_alive(pid_in(tmp_path / "pid"))) == (124, False)


def test_a_grandchild_that_ignores_the_request_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_GRACE_SECONDS", 0.1)
    stubborn = f"(trap '' TERM; sh -c 'echo $PPID > {tmp_path}/pid'; while :; do sleep 1; done) & wait"
    process.run(shell(stubborn), timeout_seconds=0.3)
    assert not is_alive(pid_in(tmp_path / "pid"))


def test_a_child_that_ignores_the_request_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_PATIENCE_SECONDS", 0.2)
    assert process.run(shell("trap '' TERM; while :; do sleep 1; done"), timeout_seconds=0.2).exit_code == 124


def test_a_silent_program_in_the_background_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_GRACE_SECONDS", 0.1)
    completed = process.run(shell("sleep 3 & echo $!"))
    assert is_alive(int(completed.stdout))
    os.kill(int(completed.stdout), signal.SIGKILL)


def test_an_interrupt_ends_the_whole_process_group(tmp_path: Path) -> None:
    script = f"""
        from ci_toolkit.process import Command, run
        run(Command(argv=("sh", "-c", "sleep 300 & echo $! > {tmp_path}/pid; wait")))
    """
    caller = subprocess.Popen(
        (sys.executable, "-c", textwrap.dedent(script)), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    sleeper = pid_in(tmp_path / "pid")
    caller.send_signal(signal.SIGINT)
    _, said = caller.communicate(timeout=30)
    assert not is_alive(sleeper)
    assert "KeyboardInterrupt" in said


def test_a_shown_command_can_be_pasted() -> None:
    assert Command(argv=("echo", "two words", "$HOME")).shown() == "echo 'two words' '$HOME'"


@pytest.mark.parametrize("secret", ["hunter2", "it's", "two words", "$x\n"])
def test_a_secret_is_masked_whatever_quoting_it_needs(secret: str) -> None:
    command = Command(argv=("tool", f"--password={secret}"), secrets=frozenset((secret,)))
    assert command.shown() == "tool '--password=***'"


def test_a_secret_that_holds_another_is_masked_whole_and_an_empty_one_masks_nothing() -> None:
    command = Command(argv=("tool", "abcdef"), secrets=frozenset(("abc", "abcdef", "")))
    assert command.shown() == "tool '***'"


def test_another_thread_ends_a_program_with_its_children() -> None:
    stopped = threading.Event()
    threading.Timer(0.3, stopped.set).start()
    started = time.monotonic()
    completed = process.run(shell("sleep 600 & wait"), stopped=stopped)
    assert completed.exit_code == 128 + 15
    assert time.monotonic() - started < 60


ATTACHED = """
import sys
from ci_toolkit import process
child = '''
import os, sys
try:
    print("READY", sys.stdin.isatty(), sys.stdout.isatty(), flush=True)
    input()
except KeyboardInterrupt:
    print("GOT", flush=True)
    print(input(), os.environ["A"])
    sys.exit(5)
'''
command = process.Command(argv=(sys.executable, "-c", child), environment={**process.MINIMAL, "A": "b"})
print("ended with", process.attach(command))
print("then", process.attach(process.Command(argv=("no-such-program",))))
"""


def test_what_is_attached_has_the_terminal_and_its_interrupts() -> None:
    environment = {**MINIMAL, "PYTHONPATH": str(ROOT), "TERM": "dumb"}
    shown, code = terminal.typed(
        terminal.python(ATTACHED), {"READY True True": "\x03", "GOT": "words\n"}, environment, cwd=ROOT
    )
    assert "words b" in shown
    assert "ended with 5" in shown
    assert "then 127" in shown
    assert "Traceback" not in shown
    assert code == 0
