import http.server
import json
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_toolkit.host import engine
from ci_toolkit.host.engine import Engine

# What Docker 20.10 answers to GET /info, shortened.
INFO = {
    "ID": "ABCD",
    "ServerVersion": "20.10.24+dfsg1",
    "SecurityOptions": ["name=seccomp,profile=default", "name=apparmor"],
    "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
}
WORKSPACE = Path("/builds/group/project")


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers as the engine does."""

    body = json.dumps(INFO).encode()
    status = 200

    def do_GET(self) -> None:
        found = self.path == "/info"
        self.send_response(self.status if found else 404)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def address_string(self) -> str:
        return "a Unix socket"


@pytest.fixture
def socket_path(tmp_path: Path) -> Iterator[Path]:
    """The socket of a server that gives Answer's answers."""
    path = tmp_path / "engine.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield path
        finally:
            server.shutdown()
            thread.join()


def test_an_engine_behind_a_unix_socket_is_found(socket_path: Path) -> None:
    found = engine.probe({"DOCKER_HOST": f"unix://{socket_path}"}, WORKSPACE)
    assert found.available
    assert found.reason == f"Docker 20.10.24+dfsg1 at unix://{socket_path}, runs as root (apparmor, seccomp)"


def test_an_answer_that_is_not_dockers_is_no_engine(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answer, "body", b"[]")
    found = engine.probe({"DOCKER_HOST": f"unix://{socket_path}"}, WORKSPACE)
    assert not found.available
    assert "not Docker's" in found.reason


def test_an_engine_that_fails_is_shown_with_its_status(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answer, "status", 503)
    found = engine.probe({"DOCKER_HOST": f"unix://{socket_path}"}, WORKSPACE)
    assert not found.available
    assert "HTTP 503" in found.reason


def test_a_socket_that_is_not_there_is_a_reason(tmp_path: Path) -> None:
    found = engine.probe({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}, WORKSPACE)
    assert not found.available
    assert found.reason == f"unix://{tmp_path}/none.sock: No such file or directory"


def test_a_port_where_nobody_listens_is_a_reason() -> None:
    found = engine.probe({"DOCKER_HOST": "tcp://127.0.0.1:9"}, WORKSPACE)
    assert not found.available
    assert "Connection refused" in found.reason


def test_who_may_not_open_the_socket_is_sent_to_the_group() -> None:
    found = engine.judge("unix:///run/docker.sock", None, "Permission denied", WORKSPACE)
    assert "group docker" in found.fix


def test_a_rootless_engine_is_called_so() -> None:
    rootless = engine.parse(json.dumps({**INFO, "SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]}))
    assert rootless is not None
    assert "rootless (seccomp)" in engine.judge("unix:///s", rootless, "", WORKSPACE).reason


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        (None, True),  # we are no container of this engine
        ((), False),
        ((("/builds", "/builds"),), True),
        ((("/srv/runner/builds", "/builds"),), False),
        ((("/", "/host"), ("/builds", "/builds")), True),
        ((("/builds", "/builds"), ("/elsewhere", "/builds/group")), False),
    ],
)
def test_an_engine_shares_a_workspace_that_has_one_path_on_both_sides(
    mounts: tuple[tuple[str, str], ...] | None, expected: bool
) -> None:
    known = Engine(version="28", options=frozenset(), mounts=mounts)
    assert engine.shares(known, WORKSPACE) is expected
    assert engine.judge("unix:///s", known, "", WORKSPACE).available is expected


def test_our_own_container_is_known_by_the_mount_of_its_host_name() -> None:
    name = "ab" * 32
    line = f"812 790 254:0 /var/lib/docker/containers/{name}/hostname /etc/hostname rw,relatime - ext4 /dev/vda rw\n"
    assert engine.our_container(line) == name
    assert engine.our_container("23 28 0:21 / /proc rw - proc proc rw\n") is None


@pytest.mark.integration
def test_the_probe_and_dockers_client_agree_on_the_engine() -> None:
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed")
    client = subprocess.run(
        ("docker", "version", "--format", "{{.Server.Version}}"),
        env={"PATH": "/usr/bin:/bin:/usr/local/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = engine.probe({}, Path("/"))
    assert (client.returncode == 0) == found.reason.startswith("Docker ")
    assert client.stdout.strip() in found.reason
