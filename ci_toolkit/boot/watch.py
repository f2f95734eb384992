"""Follow a guest from its first instruction until it has told all, or never will."""

import io
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from ci_toolkit.boot import machine, records
from ci_toolkit.boot.lines import Running, Sockets
from ci_toolkit.boot.records import Reader, Record
from ci_toolkit.boot.screen import Screen

_PING: Final = b'{"execute":"guest-ping"}\n'
_PONG: Final = b'"return"'
_BANNER: Final = b"SSH-"
# How often the agent and the SSH server are asked, and the reader is told that nothing is new.
_ASK_SECONDS: Final = 2.0
_TELL_SECONDS: Final = 20.0
_ANSWER_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.2


@dataclass(kw_only=True)
class Guest:
    """What is known of a guest. `heard` is called for each record, `ssh` the address of its SSH server here, if any.

    `ready` is the first sign that it is up, `seconds` when that was seen, after the start. `late` tells that it was
    given up because of the time that it took, `greets` that its SSH server was heard.
    """

    screen: Screen
    heard: Callable[[Record], None]
    ssh: tuple[str, int] | None = None
    ready: str = ""
    seconds: float = 0.0
    late: bool = False
    greets: bool = False
    told: list[Record] = field(default_factory=list)
    firmware: Screen = field(default_factory=lambda: Screen(log=io.BytesIO()))
    _reader: Reader = field(default_factory=Reader)
    _agent: bytes = b""

    def feed(self, name: str, chunk: bytes) -> None:
        """Take what came on the line NAME."""
        if name == machine.CONSOLE:
            self.screen.feed(chunk)
        elif name == machine.FIRMWARE:
            self.firmware.feed(chunk)
        elif name == machine.AGENT:
            self._agent = (self._agent + chunk)[-4096:]
        elif name == machine.REPORT:
            for record in self._reader.feed(chunk):
                self.told.append(record)
                self.heard(record)

    def sign(self) -> str:
        """Return by what one sees that the guest is up, "" where nothing says so yet."""
        if any(record.kind == records.STATE for record in self.told):
            return "systemd's own word"
        if self.screen.ready:
            return self.screen.ready
        if _PONG in self._agent:
            return "the guest agent"
        return "the SSH server" if self.greets else ""

    @property
    def has_told_all(self) -> bool:
        return bool(self.told) and self.told[-1].kind == records.END

    @property
    def broken(self) -> str | None:
        return self.screen.broken or self.firmware.broken


def follow(
    guest: Guest,
    sockets: Sockets,
    running: Running,
    *,
    seconds: float | None,
    grace: float,
    tell: Callable[[str], None],
) -> str:
    """Return "" when GUEST has told all, or is up and tells nothing for GRACE seconds, else why it is not up.

    After SECONDS, where given, it is given up. TELL is called now and then with what the reader may want to know.
    """
    started = asked = spoke = looked = time.monotonic()
    code: int | None = None
    with _selector(sockets) as selector:
        while True:
            _hear(selector, guest)
            now = time.monotonic()
            if now - asked >= _ASK_SECONDS and not guest.ready:
                asked = now
                _ask(guest, sockets)
            if not guest.ready and (sign := guest.sign()):
                guest.ready, guest.seconds = sign, now - started
                tell(f"It is up after {guest.seconds:.1f} s, by {sign}")
            if now - looked >= _LOOK_SECONDS:  # an engine is asked over a socket: not for each line that the guest says
                looked, code = now, running.exit_code()
            end = _gone(code, running, guest) if code is not None else _end(guest, now - started, seconds, grace)
            if end is not None:
                return end
            if now - spoke >= _TELL_SECONDS:
                spoke = now
                tell(f"{now - started:.0f} s; the last it said: {guest.screen.last_line or 'nothing'}")


def _hear(selector: selectors.BaseSelector, guest: Guest) -> None:
    for key, _ in selector.select(_LOOK_SECONDS):
        assert isinstance(key.fileobj, socket.socket)
        chunk = b""
        with suppress(ConnectionError):
            chunk = key.fileobj.recv(1 << 16)
        if not chunk:
            selector.unregister(key.fileobj)
        guest.feed(key.data, chunk)


def _ask(guest: Guest, sockets: Sockets) -> None:
    with suppress(OSError):  # full, as long as nobody in the guest reads
        sockets[machine.AGENT].send(_PING)
    guest.greets = guest.ssh is not None and _speaks_ssh(guest.ssh)


@contextmanager
def listening(guest: Guest, sockets: Sockets) -> Iterator[None]:
    """Go on reading what GUEST says, which it would have to wait for otherwise."""
    done = threading.Event()

    def listen() -> None:
        with _selector(sockets) as selector:
            while not done.is_set():
                _hear(selector, guest)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _selector(sockets: Sockets) -> selectors.BaseSelector:
    selector = selectors.DefaultSelector()
    for name, one in sockets.items():
        if name != machine.CONTROL:
            one.setblocking(False)
            selector.register(one, selectors.EVENT_READ, name)
    return selector


def _end(guest: Guest, seconds: float, limit: float | None, grace: float) -> str | None:
    """Return "" where the guest has told all that it will, why it never will, or None where it goes on."""
    if guest.has_told_all and guest.ready:
        return ""
    if guest.broken:
        return guest.broken
    if guest.ready and not guest.told and seconds - guest.seconds > grace:
        return ""
    if limit is not None and seconds > limit:
        guest.late = True
        what = "it had not told all" if guest.ready else "it was not up"
        said = guest.screen.last_line or "nothing"
        return f"{what} after {limit / 60:.3g} minutes (time-limit); the last it said: {said}"
    return None


def _gone(code: int, running: Running, guest: Guest) -> str:
    if (guest.has_told_all and guest.ready) or guest.broken:
        return guest.broken or ""
    if code != 0:
        return f"QEMU ended with exit code {code}: {running.words()}"
    said = guest.screen.last_line or "nothing"
    return f"the guest switched itself off, or restarted, before it had told all; the last it said: {said}"


def _speaks_ssh(address: tuple[str, int]) -> bool:
    """Tell whether an SSH server greets at ADDRESS: QEMU takes every connection, whoever listens behind it."""
    try:
        with socket.create_connection(address, timeout=_ANSWER_SECONDS) as line:
            line.settimeout(_ANSWER_SECONDS)
            return line.recv(4) == _BANNER
    except OSError:
        return False
