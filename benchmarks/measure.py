"""One command as a whole process: how long it took, how much memory it had."""

import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Wall-clock seconds and peak resident memory in bytes of one process, and how it ended."""

    seconds: float
    peak_bytes: int
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A command to measure; it is given up after `limit_seconds`, and may have `limit_bytes` of address space."""

    name: str
    argv: tuple[str, ...]
    limit_seconds: float = 300
    limit_bytes: int | None = None

    def run(self) -> Run:
        """Run the command once, its output thrown away."""
        words = ["timeout", "--signal=KILL", str(self.limit_seconds)]
        if self.limit_bytes is not None:
            words += ["prlimit", f"--as={self.limit_bytes}"]
        # Programs are measured as they are installed, which is with their byte code.
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        started = time.monotonic()
        child = subprocess.Popen(
            (*words, *self.argv), env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(child.pid, 0)  # also counts what the child waited for
        seconds = time.monotonic() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        return Run(seconds=seconds, peak_bytes=usage.ru_maxrss * 1024, exit_code=child.returncode)


def in_turn(tasks: Sequence[Task], *, runs: int) -> list[list[Run]]:
    """Run all TASKS in turn, RUNS times, after one round that does not count where there are several."""
    kept: list[list[Run]] = [[] for _ in tasks]
    for number in range(runs + (1 if runs > 1 else 0)):
        for task, found in zip(tasks, kept, strict=True):
            run = task.run()
            if number or runs == 1:
                found.append(run)
    return kept


def row(task: Task, runs: Sequence[Run]) -> str:
    """Return one line: the median and the range of seconds, the memory, how it ended."""
    seconds = [run.seconds for run in runs]
    peak = max(run.peak_bytes for run in runs) / 1e6
    return (
        f"  {task.name:<28} {statistics.median(seconds):8.2f} s  ({min(seconds):.2f}–{max(seconds):.2f})"
        f"  {peak:7.0f} MB{_ended(runs)}"
    )


def ratio(name: str, ours: Sequence[Run], theirs: Sequence[Run], wanted: str) -> str:
    """Return one line: how the two compare, run by run; below 1 the first is quicker."""
    ratios = [one.seconds / other.seconds for one, other in zip(ours, theirs, strict=True)]
    middle = statistics.median(ratios)
    shown = f"{middle:.2f}" if middle >= 0.1 else f"1/{1 / middle:.0f}"
    return f"  {name:<28} {shown:>8}    wanted: {wanted}"


def on_cpu(directory: Path) -> int:
    """Read every file below DIRECTORY once, so that no first run has to wait for the disk; return the bytes."""
    total = 0
    for path in [directory] if directory.is_file() else sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb", buffering=0) as file:
                while chunk := file.read(1 << 20):
                    total += len(chunk)
    return total


def _ended(runs: Sequence[Run]) -> str:
    codes = {run.exit_code for run in runs}
    if codes & {124, 137, -9}:
        return "  (killed: over its time)"
    odd = codes - {0, 1}
    return f"  (failed: exit {', '.join(map(str, sorted(odd)))})" if odd else ""
