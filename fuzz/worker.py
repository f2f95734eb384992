"""A process for one case, with limits on its time and memory."""

import json
import os
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fuzz.trial import Outcome

CPU_SECONDS: Final = 10
MEMORY_BYTES: Final = 500 << 20
# Threads and allocators reserve more than they use: what is used is measured, and this stops what runs away.
_RESERVED_BYTES: Final = 1 << 30
_PATIENCE_SECONDS: Final = 120
# How many bytes say what the process had to begin with.
_NUMBER: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one case ended; `fault` is empty where it may end so, else a name and all that is known."""

    outcome: Outcome | None
    fault: str
    detail: str
    cpu_seconds: float
    peak_bytes: int


def run(trial: Callable[[Path, Path], Outcome], a: Path, b: Path, *, seconds: int = CPU_SECONDS) -> Result:
    """Run TRIAL for at most SECONDS of CPU in a fork of this process, which has all modules loaded already."""
    receiver, sender = os.pipe()
    child = os.fork()
    if not child:
        os.close(receiver)
        _child(trial, a, b, sender, seconds)
    os.close(sender)
    told = _received(receiver, child)
    _, status, usage = os.wait4(child, 0)
    cpu = usage.ru_utime + usage.ru_stime
    peak = max(0, usage.ru_maxrss * 1024 - int.from_bytes(told[:_NUMBER], "little"))
    return _judged(told[_NUMBER:], os.waitstatus_to_exitcode(status), cpu, peak, seconds)


def _child(trial: Callable[[Path, Path], Outcome], a: Path, b: Path, sender: int, seconds: int) -> None:
    code = 1
    try:
        os.write(sender, _status("VmRSS").to_bytes(_NUMBER, "little"))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        limit = _status("VmSize") + MEMORY_BYTES + _RESERVED_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            outcome = trial(a, b)
            message: dict[str, object] = {"refused": outcome.refused, "ways": sorted(outcome.ways)}
        except BaseException as error:
            message = {"fault": _faulty(error), "detail": traceback.format_exc()[-6000:]}
        with os.fdopen(sender, "wb") as stream:
            stream.write(json.dumps(message).encode())
        code = 0
    finally:
        os._exit(code)


def _faulty(error: BaseException) -> str:
    """Name a fault by its kind and by the innermost line of ours, so that equal ones are told once."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/ci_toolkit/" in frame.filename]
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else f": {str(error)[:60]}"
    return f"{type(error).__name__}{place}"


def _received(receiver: int, child: int) -> bytes:
    """Read what the child says until it ends; one that neither works nor ends is killed."""
    found = b""
    end = time.monotonic() + _PATIENCE_SECONDS
    with os.fdopen(receiver, "rb", buffering=0) as stream:
        while True:
            if not select.select((stream,), (), (), max(0.0, end - time.monotonic()))[0]:
                os.kill(child, signal.SIGKILL)
                return b""
            piece = stream.read(1 << 16)
            if not piece:
                return found
            found += piece


def _judged(message: bytes, code: int, cpu: float, peak: int, seconds: int) -> Result:
    fault, detail, outcome = "", "", None
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and cpu >= seconds):
        fault = "hang"
    elif code == -signal.SIGKILL:
        fault = "stall"
    elif code or not message:
        fault = f"ended by {code}"
    else:
        told = json.loads(message)
        if "fault" in told:
            fault, detail = told["fault"], told["detail"]
        else:
            outcome = Outcome(refused=told["refused"], ways=frozenset(told["ways"]))
    if not fault and peak > MEMORY_BYTES:
        fault = "memory"
    return Result(outcome=outcome, fault=fault, detail=detail, cpu_seconds=cpu, peak_bytes=peak)


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
