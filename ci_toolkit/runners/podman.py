"""Podman's Docker-compatible service, for one run, where none is running."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ci_toolkit import process
from ci_toolkit.errors import HostError
from ci_toolkit.host.engine import podman_environment
from ci_toolkit.process import Command

_SECONDS: Final = 20.0
# Should we be killed, it ends by itself when nobody has been connected for this long.
_IDLE_SECONDS: Final = 600


@contextmanager
def service(environ: Mapping[str, str], log: Path) -> Iterator[str]:
    """Start the service, with what it says in LOG, and yield its address. Raises HostError when it does not start."""
    # The path of a socket may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="ci-toolkit-", dir="/tmp") as name:
        path = Path(name, "podman.sock")
        argv = ("podman", "system", "service", f"--time={_IDLE_SECONDS}", f"unix://{path}")
        with process.background(Command(argv=argv, environment=podman_environment(environ)), log) as running:
            deadline = time.monotonic() + _SECONDS
            while not path.exists():
                if running.exit_code() is not None or time.monotonic() > deadline:
                    said = log.read_text(encoding="utf-8", errors="backslashreplace").strip().splitlines()
                    raise HostError(
                        f"Podman's service does not start: {said[-1] if said else 'no message'}",
                        hint="Try `podman info`.",
                    )
                time.sleep(0.02)
            yield f"unix://{path}"
