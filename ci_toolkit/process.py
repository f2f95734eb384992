"""The one door to other programs.

A `Command` is data: its environment is built, never inherited, its standard input is closed, and what is shown of
it has its secrets masked. A `Sandbox` is a place where commands run: this machine, a user namespace, a container.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

# What every program gets and nothing else: no locale, zone, HOME or token of the caller.
MINIMAL: Final[Mapping[str, str]] = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}

# How long a program that is asked to end may take, and those it started after it.
_PATIENCE_SECONDS: Final = 10.0
_GRACE_SECONDS: Final = 2.0
# How often is looked whether another thread wants the end of a program.
_LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One program to run; `secrets` are shown as ***."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=lambda: MINIMAL)
    directory: Path | None = None
    secrets: frozenset[str] = frozenset()

    def shown(self) -> str:
        """Return the command as one could paste it, secrets masked."""
        return shlex.join(self._masked(argument) for argument in self.argv)

    def _masked(self, text: str) -> str:
        """Mask before quoting, which would change a secret, and the longest first: one may hold another."""
        for secret in sorted(filter(None, self.secrets), key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """What a command left: its exit code (128 + N when signal N ended it) and what it wrote.

    `late` tells that it was ended because it took too long; it may have ended with 124 by itself.
    """

    command: Command
    exit_code: int
    stdout: str
    stderr: str
    late: bool = False

    @property
    def ok(self) -> bool:
        return self.exit_code == 0


class Sandbox(Protocol):
    """A place to build in, open until its context ends."""

    def run(
        self,
        command: Command,
        *,
        on_line: Callable[[str], None] | None = None,
        timeout_seconds: float | None = None,
    ) -> Completed:
        """Run COMMAND inside; ON_LINE is given each line of stderr (and stdout) as it comes.

        One that takes longer than `timeout_seconds` is ended with all that it started, and so, maybe, is the place.
        """

    def attach(self, command: Command) -> int:
        """Run COMMAND inside, at the caller's terminal, and return its exit code; HostError where there is no way."""

    def copy_in(self, source: Path, target: Path) -> None:
        """Copy the tree or file SOURCE of this machine to TARGET inside."""

    def copy_out(self, source: Path, target: Path) -> None:
        """Move the tree or file SOURCE from inside to TARGET on this machine."""

    def make(self, *directories: Path) -> None:
        """Make DIRECTORIES inside, with those above them."""

    def share(self, source: Path, target: Path) -> None:
        """Copy the files that the directory SOURCE has and TARGET lacks, both inside."""

    def own(self, *places: Path) -> None:
        """Give the trees PLACES inside to whoever is root there."""

    def give_back(self, place: Path) -> None:
        """Give the tree PLACE inside to who called."""


def run(
    command: Command,
    *,
    on_line: Callable[[str], None] | None = None,
    timeout_seconds: float | None = None,
    stdin: str | None = None,
    stopped: threading.Event | None = None,
) -> Completed:
    """Run COMMAND on this machine and wait for it, or end it when STOPPED is set by another thread.

    A program that is not there ends with exit code 127 and a reason in `stderr`, as a shell would say it; one that
    takes longer than `timeout_seconds` is ended with its children, exit code 124, and `late`. An interrupt ends the
    children first, and so does an exception of ON_LINE, which is raised here; ON_LINE is called for one line at a time.
    """
    try:
        child = subprocess.Popen(
            command.argv,
            env=dict(command.environment),
            cwd=command.directory,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="backslashreplace",
            start_new_session=True,
        )
    except OSError as error:
        # The directory may be what is missing, not the program.
        of_program = error.filename in (None, command.argv[0])
        code = 127 if isinstance(error, FileNotFoundError) and of_program else 126
        said = "not found" if code == 127 else error.strerror
        where = command.argv[0] if of_program else error.filename
        return Completed(command=command, exit_code=code, stdout="", stderr=f"{where}: {said}")
    return _wait(child, command, on_line, timeout_seconds, stdin, stopped)


def attach(command: Command) -> int:
    """Run COMMAND at this process's terminal and return its exit code, 128 + N when signal N ended it, 127 without it.

    Ctrl-C is for COMMAND alone meanwhile.
    """
    ignored = signal.signal(signal.SIGINT, lambda *_: None)  # unlike SIG_IGN, COMMAND does not inherit it
    try:
        code = subprocess.run(
            command.argv, env=dict(command.environment), cwd=command.directory, check=False
        ).returncode
    except FileNotFoundError:
        return 127
    finally:
        signal.signal(signal.SIGINT, ignored)
    return code if code >= 0 else 128 - code


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """A program that runs beside us."""

    child: "subprocess.Popen[str]"

    def exit_code(self) -> int | None:
        """Return how it ended (128 + N by signal N), or None while it runs."""
        code = self.child.poll()
        return code if code is None or code >= 0 else 128 - code

    def wait(self, timeout_seconds: float) -> int | None:
        """Wait for its end, and return how it ended, or None where it still runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(timeout_seconds)
        return self.exit_code()


@contextlib.contextmanager
def background(command: Command, log: Path) -> Iterator[Background]:
    """Run COMMAND beside us, what it writes to LOG, and end it and its children with the context.

    Raises OSError where it cannot be started.
    """
    with log.open("w", encoding="utf-8") as output:
        child = subprocess.Popen(
            command.argv,
            env=dict(command.environment),
            cwd=command.directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        yield Background(child=child)
    finally:
        _end(child)


def _wait(
    child: "subprocess.Popen[str]",
    command: Command,
    on_line: Callable[[str], None] | None,
    timeout_seconds: float | None,
    stdin: str | None,
    stopped: threading.Event | None,
) -> Completed:
    listener = _Listener(child=child, on_line=on_line)
    threads = [threading.Thread(target=listener.collect, args=(name,), daemon=True) for name in listener.collected]
    if stdin is not None:
        threads.append(threading.Thread(target=_feed, args=(child, stdin), daemon=True))
    late = False
    try:
        for thread in threads:
            thread.start()
        _wait_for(child, timeout_seconds, stopped)
    except subprocess.TimeoutExpired:
        late = True
        _end(child)
    except BaseException:
        _end(child)
        raise
    finally:
        for thread in threads:
            listener.hear_out(thread)
    if listener.failures:
        raise listener.failures[0]
    code = 124 if late else child.returncode
    return Completed(
        command=command,
        exit_code=code if code >= 0 else 128 - code,
        stdout="".join(listener.collected["stdout"]),
        stderr="".join(listener.collected["stderr"]),
        late=late,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listener:
    """Reads both pipes of a child, one thread each, and goes on reading whatever happens: a full pipe would stop it."""

    child: "subprocess.Popen[str]"
    on_line: Callable[[str], None] | None
    collected: dict[str, list[str]] = field(default_factory=lambda: {"stdout": [], "stderr": []})
    failures: list[Exception] = field(default_factory=list)
    turn: threading.Lock = field(default_factory=threading.Lock)

    def collect(self, name: str) -> None:
        with getattr(self.child, name) as stream:
            for line in stream:
                self.collected[name].append(line)
                self._hand_on(line)

    def hear_out(self, thread: threading.Thread) -> None:
        """Wait for THREAD, but not for a program in the background that holds a pipe open and says nothing."""
        while thread.is_alive():
            heard = self._heard()
            thread.join(_GRACE_SECONDS)
            if self._heard() == heard and not self.turn.locked():
                return

    def _heard(self) -> int:
        return sum(len(lines) for lines in self.collected.values())

    def _hand_on(self, line: str) -> None:
        with self.turn:
            if self.on_line is None or self.failures:
                return
            try:
                self.on_line(line)
            except Exception as error:
                self.failures.append(error)
                threading.Thread(target=_end, args=(self.child,), daemon=True).start()


def _wait_for(child: "subprocess.Popen[str]", timeout_seconds: float | None, stopped: threading.Event | None) -> None:
    """Wait for the end of CHILD, which comes with STOPPED. Raises TimeoutExpired."""
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while stopped is not None and (deadline is None or time.monotonic() + _LOOK_SECONDS < deadline):
        try:
            child.wait(_LOOK_SECONDS)
            return
        except subprocess.TimeoutExpired:
            if stopped.is_set():
                _end(child)
    child.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))


def _feed(child: "subprocess.Popen[str]", text: str) -> None:
    """Write the child's standard input; one that stops reading has had enough."""
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError), child.stdin as stream:
        stream.write(text)


def _end(child: "subprocess.Popen[str]") -> None:
    """End the child's whole process group: politely, then for good, also those that outlive the child."""
    try:
        if _signal(child, signal.SIGTERM):
            child.wait(_PATIENCE_SECONDS)
            deadline = time.monotonic() + _GRACE_SECONDS
            while _signal(child, 0) and time.monotonic() < deadline:
                time.sleep(0.02)
    except subprocess.TimeoutExpired:
        pass
    finally:  # also after a second interrupt
        _signal(child, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_PATIENCE_SECONDS)


def _signal(child: "subprocess.Popen[str]", number: int) -> bool:
    """Send NUMBER to the child's process group and tell whether anybody was there."""
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
