"""Podman's Docker-compatible service, for one run, where none is running."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ci_toolkit import process
from ci_toolkit.host.engine import podman_environment
from ci_toolkit.process import Command
from ci_toolkit.runners import listening

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
            listening.wait(path, running, log, seconds=_SECONDS, failed="Podman's service does not start")
            yield f"unix://{path}"
