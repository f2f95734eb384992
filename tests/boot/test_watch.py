"""What is seen of a guest on the lines to it: here the other ends are ours."""

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from ci_toolkit.boot import machine, watch
from ci_toolkit.boot.records import Record
from ci_toolkit.boot.screen import Screen
from ci_toolkit.boot.watch import Guest

Lines = dict[str, socket.socket]


class Running:
    def __init__(self, code: int | None = None) -> None:
        self.code = code

    def exit_code(self) -> int | None:
        return self.code

    def words(self) -> str:
        return "qemu: no"


@pytest.fixture
def lines() -> Iterator[tuple[Lines, Lines]]:
    with ExitStack() as stack:
        pairs = {name: socket.socketpair() for name in machine.SOCKETS}
        for pair in pairs.values():
            for one in pair:
                stack.enter_context(one)
        yield {name: pair[0] for name, pair in pairs.items()}, {name: pair[1] for name, pair in pairs.items()}


def guest(heard: list[Record] | None = None, ssh: tuple[str, int] | None = None) -> Guest:
    return Guest(screen=Screen(log=io.BytesIO()), heard=(heard if heard is not None else []).append, ssh=ssh)


def follow(one: Guest, sockets: Lines, running: Running | None = None, grace: float = 0.5) -> str:
    return watch.follow(one, sockets, running or Running(), seconds=30, grace=grace, tell=lambda _: None)


@contextmanager
def answering(line: socket.socket, question: bytes, answer: bytes) -> Iterator[None]:
    def speak() -> None:
        heard = b""
        while question not in heard:
            heard += line.recv(4096)
        line.sendall(answer)

    thread = threading.Thread(target=speak)
    thread.start()
    yield
    thread.join(timeout=30)


def test_a_guest_agent_that_answers_is_a_sign(lines: tuple[Lines, Lines], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_ASK_SECONDS", 0.1)
    ours, theirs = lines
    one = guest()
    with answering(theirs[machine.AGENT], b'{"execute":"guest-ping"}', b'{"return": {}}\n'):
        assert follow(one, ours) == ""
    assert one.ready == "the guest agent"


def test_a_server_that_greets_as_ssh_does_is_a_sign(
    lines: tuple[Lines, Lines], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_ASK_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            for banner in (b"", b"HTTP", b"SSH-2.0-x\r\n"):  # closed as QEMU does; another; the right one
                with server.accept()[0] as line:
                    line.sendall(banner)

        thread = threading.Thread(target=greet)
        thread.start()
        one = guest(ssh=server.getsockname())
        assert follow(one, lines[0]) == ""
        thread.join(timeout=30)
    assert one.ready == "the SSH server"


def test_records_are_handed_on_and_the_last_one_ends_it(lines: tuple[Lines, Lines]) -> None:
    ours, theirs = lines
    heard: list[Record] = []
    theirs[machine.REPORT].sendall(b"noise\nci-toolkit hello - \nci-toolkit state - eA==\nci-toolkit end - \n")
    assert follow(guest(heard), ours) == ""
    assert [record.kind for record in heard] == ["hello", "state", "end"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1, "QEMU ended with exit code 1: qemu: no"),
        (0, "the guest switched itself off, or restarted, before it had told all; the last it said: Going down"),
    ],
)
def test_a_qemu_that_ends_is_the_end(lines: tuple[Lines, Lines], code: int, reason: str) -> None:
    ours, theirs = lines
    theirs[machine.CONSOLE].sendall(b"Going down\n")
    for one in theirs.values():
        one.close()
    assert follow(guest(), ours, Running(code)) == reason


def test_an_end_without_a_word_on_systemds_state_is_not_believed(lines: tuple[Lines, Lines]) -> None:
    ours, theirs = lines
    theirs[machine.REPORT].sendall(b"ci-toolkit hello - \nci-toolkit end - \n")
    one = guest()
    told = watch.follow(one, ours, Running(), seconds=1, grace=0.5, tell=lambda _: None)
    assert told.startswith("it was not up after")
    assert one.late


def test_a_guest_is_heard_while_others_ask_it(lines: tuple[Lines, Lines]) -> None:
    ours, theirs = lines
    one = guest()
    with watch.listening(one, ours):
        for _ in range(100):
            theirs[machine.CONSOLE].sendall(b"x" * (1 << 16) + b"\n")
        theirs[machine.CONSOLE].sendall(b"host login: ")
        while not one.screen.ready:
            time.sleep(0.05)
    assert one.screen.ready == "a login prompt"
