import socket
import threading
from pathlib import Path

import pytest

from ci_toolkit.boot import control


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"{",
        b'[]\n{"error": {}}\n',
        b'{"QMP": {}}\n{"event": "STOP"}\n{"error": {"desc": "no"}}\n',
        b"x" * 3_000_000,
    ],
)
def test_without_a_sensible_answer_there_is_no_picture(tmp_path: Path, said: bytes) -> None:
    ours, theirs = socket.socketpair()

    def speak() -> None:
        with theirs:
            try:
                theirs.sendall(said)
            except OSError:
                return

    with ours:
        thread = threading.Thread(target=speak)
        thread.start()
        assert not control.screenshot(ours, tmp_path / "screen.png")
    thread.join()
