"""Build on this machine, in a user namespace that has every id and no privilege outside."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ci_toolkit import process
from ci_toolkit.host.capabilities import Capabilities
from ci_toolkit.host.environment import NORMAL, Environment
from ci_toolkit.process import Command
from ci_toolkit.runners import root
from ci_toolkit.runners.local import Programs
from ci_toolkit.runners.runner import EMPTY, Request
from ci_toolkit.runners.sandbox import NamespaceSandbox

NAME = "unprivileged"
NEEDS = ("user-namespace-full", "mount-in-namespace", "mkosi")


def obstacles(capabilities: Capabilities) -> tuple[str, ...]:
    """Return what is missing here for a build in a user namespace."""
    missing = (capabilities[name] for name in NEEDS)
    return (*(f"{c.name}: {c.reason}" for c in missing if not c.available), *root.hides("mkosi"))


@contextmanager
def start(request: Request) -> Iterator["UnprivilegedPlace"]:
    """Open the place; its scratch directory is emptied from inside, where every id can be removed."""
    # Where the package cache appears; not every root of a build may make a directory there.
    (request.scratch / "packages").mkdir()
    place = UnprivilegedPlace(request=request)
    try:
        yield place
    finally:
        if not place.may_chown:
            place.sandbox(NORMAL).run(Command(argv=("sh", "-c", EMPTY)))


@dataclass(frozen=True, slots=True, kw_only=True)
class UnprivilegedPlace:
    """This machine, as seen from a user namespace."""

    request: Request
    programs: Programs = field(default_factory=Programs)

    one_at_a_time = None
    toolkit_image = None

    @property
    def may_chown(self) -> bool:
        return os.geteuid() == 0

    @property
    def cannot_vary(self) -> Mapping[str, str]:
        if self.may_chown:
            return {}
        return {"uid": "a plain user's namespace always maps root to that user"}

    @property
    def emulated(self) -> bool:
        return False

    @property
    def description(self) -> str:
        who = "root without CAP_SYS_ADMIN needed" if self.may_chown else f"user {os.geteuid()}, newuidmap"
        return f"unprivileged: user namespace with 65,536 ids ({who})"

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

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
            may_chown=self.may_chown,
            caller=(os.getuid(), os.getgid()),
        )

    def stop(self) -> None:
        """End every program that runs here."""
        self.programs.stop()
