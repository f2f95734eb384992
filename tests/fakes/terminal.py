"""A terminal with somebody at it who types."""

import os
import pty
import select
import sys
import time
from collections.abc import Mapping
from pathlib import Path

_SECONDS = 120.0


def typed(
    argv: tuple[str, ...], lines: Mapping[str, str], environment: Mapping[str, str], cwd: Path
) -> tuple[str, int]:
    """Run ARGV at a terminal, type each of LINES once its key is shown, and return what was shown and the exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execve(argv[0], argv, dict(environment))
    shown, left = b"", dict(lines)
    end = time.monotonic() + _SECONDS
    seen = 0
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # nobody has it open any more
            break
        shown += piece
        for sign in [sign for sign in left if sign.encode() in shown[seen:]]:
            seen = len(shown)
            os.write(terminal, left.pop(sign).encode())
            break
    os.close(terminal)
    return shown.decode(errors="replace"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def python(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script)
