"""The programs of a build on this machine, which another thread may end."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from ci_toolkit import process
from ci_toolkit.process import Command, Completed


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """What runs here until it ends, or is stopped."""

    stopped: threading.Event = field(default_factory=threading.Event)

    def execute(
        self, command: Command, on_line: Callable[[str], None] | None, timeout_seconds: float | None
    ) -> Completed:
        """Run COMMAND and wait for it; see process.run."""
        return process.run(command, on_line=on_line, timeout_seconds=timeout_seconds, stopped=self.stopped)

    def stop(self) -> None:
        """End all that runs, and whatever is still to be run."""
        self.stopped.set()
