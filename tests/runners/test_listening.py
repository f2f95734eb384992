import socket
import sys
from pathlib import Path

import pytest

from ci_toolkit import process
from ci_toolkit.errors import HostError
from ci_toolkit.process import Command
from ci_toolkit.runners import listening


def kernel() -> str:
    return Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace")


def test_a_socket_listens_when_a_client_would_not_be_refused(tmp_path: Path) -> None:
    path = tmp_path / "a socket"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(path))
        assert path.exists()
        assert not listening.listens(path, kernel())
        with pytest.raises(ConnectionRefusedError):
            client.connect(str(path))
        server.listen()
        assert listening.listens(path, kernel())
        client.connect(str(path))


@pytest.mark.parametrize("seconds", [30, 0.5])
def test_a_program_that_does_not_listen_is_told_with_its_last_words(tmp_path: Path, seconds: float) -> None:
    script = "import sys; sys.exit('one\\nno luck')" if seconds > 1 else "import time; time.sleep(60)"
    log = tmp_path / "log"
    with (
        process.background(Command(argv=(sys.executable, "-c", script)), log) as running,
        pytest.raises(HostError) as refused,
    ):
        listening.wait(tmp_path / "socket", running, log, seconds=seconds, failed="it does not start")
    assert refused.value.message == f"it does not start: {'no luck' if seconds > 1 else 'no message'}"
