"""The sockets between us and QEMU: we listen, and it connects before the guest's first instruction."""

import os
import selectors
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Protocol

from ci_toolkit.boot.machine import SOCKETS
from ci_toolkit.errors import HostError

# QEMU may first have to be read from a slow disk, or its container started.
_SECONDS: Final = 60.0


Sockets = Mapping[str, socket.socket]


class Running(Protocol):
    """QEMU, here or in a container."""

    def exit_code(self) -> int | None:
        """Return how it ended, None while it runs."""

    def words(self) -> str:
        """Return the last line that it wrote, which says why it ended."""


@contextmanager
def listening(directory: Path) -> Iterator[Sockets]:
    """Listen at each of SOCKETS in DIRECTORY, whose path has to be short: the kernel takes 107 bytes."""
    with ExitStack() as stack:
        listeners = {}
        for name in SOCKETS:
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(os.fspath(directory / name))
            listener.listen(1)
            listeners[name] = listener
        yield listeners


@contextmanager
def connected(listeners: Sockets, running: Running) -> Iterator[Sockets]:
    """Wait until QEMU has connected to each of LISTENERS. Raises HostError when it ends before, or takes too long."""
    deadline = time.monotonic() + _SECONDS
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for name, listener in listeners.items():
            selector.register(listener, selectors.EVENT_READ, name)
        found: dict[str, socket.socket] = {}
        while len(found) < len(listeners):
            for key, _ in selector.select(0.1):
                found[key.data] = stack.enter_context(listeners[key.data].accept()[0])
                selector.unregister(key.fileobj)
            if len(found) < len(listeners) and (running.exit_code() is not None or time.monotonic() > deadline):
                raise HostError(f"QEMU does not start: {running.words()}", hint="See `ci-toolkit doctor`.")
        yield found
