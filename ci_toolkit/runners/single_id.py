"""Build on this machine with one id, for a user who has no others: on request only, since owners come out different.

It is what mkosi does for a plain user: whoever calls is root of a namespace that has no other id, and mkosi lets
package managers believe that they gave files away.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from ci_toolkit import process
from ci_toolkit.host.capabilities import Capabilities
from ci_toolkit.host.environment import NORMAL, Environment
from ci_toolkit.process import Command
from ci_toolkit.runners import root
from ci_toolkit.runners.local import Programs
from ci_toolkit.runners.runner import EMPTY, Request
from ci_toolkit.runners.sandbox import NamespaceSandbox

NAME = "single-id"
NEEDS = ("user-namespace-single", "mount-in-namespace", "mkosi")

WARNING: Final = (
    "Built with one id: owners in the image will differ from those of every other runner, and so will its SHA-256. "
    "What belongs to another user or group there belongs to root here."
)


def obstacles(capabilities: Capabilities) -> tuple[str, ...]:
    """Return what is missing here for a build in a user namespace with one id."""
    missing = (capabilities[name] for name in NEEDS)
    return (*(f"{c.name}: {c.reason}" for c in missing if not c.available), *root.hides("mkosi"))


@contextmanager
def start(request: Request) -> Iterator["SinglePlace"]:
    """Open the place, with a warning; its scratch directory is emptied by the one who may enter every directory."""
    request.console.warn(WARNING)
    (request.scratch / "packages").mkdir()  # where the package cache appears
    place = SinglePlace(request=request)
    try:
        yield place
    finally:
        place.sandbox(NORMAL).run(Command(argv=("sh", "-c", EMPTY)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SinglePlace:
    """This machine, as seen from a user namespace with one id."""

    request: Request
    programs: Programs = field(default_factory=Programs)

    one_at_a_time = None
    toolkit_image = None
    emulated = False

    @property
    def cannot_vary(self) -> Mapping[str, str]:
        return {"uid": "there is one id, the caller's"}

    @property
    def description(self) -> str:
        return f"single-id: user namespace with the one id of user {os.geteuid()}; owners differ from other runners'"

    @property
    def notes(self) -> tuple[str, ...]:
        return (WARNING,)

    def stop(self) -> None:
        """End every program that runs here."""
        self.programs.stop()

    def sandbox(self, environment: Environment) -> NamespaceSandbox:
        """Return a sandbox on this machine with the surroundings ENVIRONMENT."""
        return NamespaceSandbox(
            environment=environment,
            execute=self.programs.execute,
            attach_by=process.attach,
            python=sys.executable,
            scratch=self.request.scratch,
            packages=self.request.packages,
            bind=True,
            may_chown=False,
            caller=(os.getuid(), os.getgid()),
            all_ids=False,
        )
