"""The sockets of programs that we started: when one may connect to them."""

import os
import time
from pathlib import Path
from typing import Final

from ci_toolkit.errors import HostError
from ci_toolkit.process import Background

# In the column Flags of /proc/net/unix (linux/net.h, __SO_ACCEPTCON).
_ACCEPTS: Final = 1 << 16


def wait(path: Path, program: Background, log: Path, *, seconds: float, failed: str) -> None:
    """Wait until PROGRAM, which writes to LOG, listens at PATH.

    Raises HostError, with FAILED and the last line of LOG, when it ends or takes longer than SECONDS.
    """
    deadline = time.monotonic() + seconds
    while not listens(path, Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace")):
        if program.exit_code() is not None or time.monotonic() > deadline:
            said = log.read_text(encoding="utf-8", errors="backslashreplace").strip().splitlines()
            raise HostError(f"{failed}: {said[-1] if said else 'no message'}", hint="See `ci-toolkit doctor`.")
        time.sleep(0.02)


def listens(path: Path, sockets: str) -> bool:
    """Tell whether somebody listens at PATH, by SOCKETS, the text of /proc/net/unix.

    A socket is there before it does: a client that comes in between is refused.
    """
    rows = (line.split(maxsplit=7) for line in sockets.splitlines()[1:])
    return any(row[7] == os.fspath(path) and int(row[3], 16) & _ACCEPTS for row in rows if len(row) == 8)
