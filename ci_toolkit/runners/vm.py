"""Build in a virtual machine: the way that is left where no user namespace can be had."""

from contextlib import AbstractContextManager

from ci_toolkit.errors import HostError
from ci_toolkit.host.capabilities import Capabilities
from ci_toolkit.runners.runner import Place, Request

NAME = "vm"
REASON = "this release cannot build in a virtual machine yet"


def obstacles(capabilities: Capabilities) -> tuple[str, ...]:
    """Return why not: it is not built yet, and what would be missing here besides."""
    missing = (capabilities[name] for name in ("qemu",))
    return (REASON, *(f"{c.name}: {c.reason}" for c in missing if not c.available))


def start(request: Request) -> AbstractContextManager[Place]:
    """Refuse: choose() never comes here, and a caller who does is told why."""
    raise HostError(REASON, hint="Use --runner unprivileged or --runner container.")
