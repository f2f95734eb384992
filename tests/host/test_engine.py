import http.server
import json
import os
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_toolkit.host import engine
from ci_toolkit.host.engine import Answer, Engine

# What Docker 20.10 answers to GET /info, shortened.
INFO = {
    "ID": "ABCD",
    "ServerVersion": "20.10.24+dfsg1",
    "SecurityOptions": ["name=seccomp,profile=default", "name=apparmor"],
    "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
}
WORKSPACE = Path("/builds/group/project")


class Handler(http.server.BaseHTTPRequestHandler):
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
    """The socket of a server that gives the answers of Handler."""
    path = tmp_path / "engine.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
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
    monkeypatch.setattr(Handler, "body", b"[]")
    found = engine.probe({"DOCKER_HOST": f"unix://{socket_path}"}, WORKSPACE)
    assert not found.available
    assert "not Docker's" in found.reason


def test_an_engine_that_fails_is_shown_with_its_status(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Handler, "status", 503)
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
    found = engine.judge(Answer(address="unix:///run/docker.sock", engine=None, refused="Permission denied"), WORKSPACE)
    assert "group docker" in found.fix


def test_a_rootless_engine_is_called_so() -> None:
    rootless = engine.parse(json.dumps({**INFO, "SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]}))
    assert "rootless (seccomp)" in engine.judge(Answer(address="unix:///s", engine=rootless), WORKSPACE).reason


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
    assert engine.judge(Answer(address="unix:///s", engine=known), WORKSPACE).available is expected


# What Podman 4.3 answers to GET /libpod/info and to `podman info --format json`, shortened.
PODMAN = {
    "host": {
        "security": {"apparmorEnabled": False, "rootless": False, "seccompEnabled": True},
        "idMappings": {"gidmap": None, "uidmap": None},
    },
    "version": {"APIVersion": "4.3.1", "Version": "4.3.1"},
}


def rootless(*sizes: int) -> dict[str, object]:
    extents = [{"container_id": 0, "host_id": 1000, "size": size} for size in sizes]
    host = {
        "security": {"rootless": True, "seccompEnabled": True},
        "idMappings": {"uidmap": extents, "gidmap": extents},
    }
    return {**PODMAN, "host": host}


def test_podman_is_known_by_its_own_answer_behind_a_socket_and_without_one() -> None:
    behind = engine.parse(json.dumps({**INFO, "Libpod": PODMAN, "OurContainer": None}))
    assert behind == engine.parse(json.dumps(PODMAN))
    found = engine.judge(Answer(address="unix:///run/podman/podman.sock", engine=behind), WORKSPACE)
    assert found.reason == "Podman 4.3.1 at unix:///run/podman/podman.sock, runs as root (seccomp)"
    started = engine.judge(Answer(address=engine.NO_SERVICE, engine=behind), WORKSPACE)
    assert started.reason == "Podman 4.3.1 started for the build, runs as root (seccomp)"


@pytest.mark.parametrize(("sizes", "expected"), [((1, 65_536), True), ((1, 65_535), True), ((1,), False)])
def test_a_rootless_podman_needs_ids_for_its_user(sizes: tuple[int, ...], expected: bool) -> None:
    found = engine.judge(Answer(address="podman", engine=engine.parse(json.dumps(rootless(*sizes)))), WORKSPACE)
    assert found.available is expected
    assert ("usermod --add-subuids" in found.fix) is not expected


def test_docker_is_asked_before_podman_and_podman_with_a_service_before_one_without() -> None:
    assert engine.addresses({"XDG_RUNTIME_DIR": "/run/user/7"}) == (
        "unix:///var/run/docker.sock",
        "unix:///run/podman/podman.sock",
        "unix:///run/user/7/podman/podman.sock",
        "podman",
    )
    assert engine.addresses({"DOCKER_HOST": "tcp://a:1", "CONTAINER_HOST": "unix:///b"}) == ("tcp://a:1",)
    assert engine.addresses({"CONTAINER_HOST": "unix:///b"}) == ("unix:///b",)


def answering(monkeypatch: pytest.MonkeyPatch, **answers: str | Engine) -> None:
    """Let the engines of these addresses answer so: an engine, or why there is none."""
    known = [
        Answer(address=address, engine=None, refused=answer)
        if isinstance(answer, str)
        else Answer(address=address, engine=answer)
        for address, answer in answers.items()
    ]
    monkeypatch.setattr(engine, "_answers", lambda environ: iter(known))


def test_the_first_engine_that_will_do_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere, here = Engine(version="28", options=frozenset(), mounts=()), Engine(version="5", options=frozenset())
    answering(monkeypatch, docker=elsewhere, podman=here)
    assert engine.choose({}, WORKSPACE).engine is here


def test_where_no_engine_will_do_the_one_that_is_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = Engine(version="28", options=frozenset(), mounts=())
    answering(monkeypatch, docker="No such file or directory", podman=elsewhere)
    assert "another directory" in engine.probe({}, WORKSPACE).reason


def test_where_none_answers_what_is_not_installed_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, docker="Permission denied", system="No such file or directory", podman="podman: not found")
    assert engine.probe({}, WORKSPACE).reason == "docker: Permission denied"
    answering(monkeypatch, docker="No such file or directory", podman="newuidmap is not there")
    assert engine.probe({}, WORKSPACE).reason == "docker: No such file or directory; podman: newuidmap is not there"


def test_podman_is_given_what_it_needs_of_the_environment_and_no_token() -> None:
    given = engine.podman_environment({"HOME": "/home/a", "XDG_RUNTIME_DIR": "/run/user/7", "GITHUB_TOKEN": "secret"})
    assert (given["HOME"], given["XDG_RUNTIME_DIR"]) == ("/home/a", "/run/user/7")
    assert "GITHUB_TOKEN" not in given


@pytest.mark.integration
def test_the_probe_and_podman_agree_on_the_version() -> None:
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed")
    said = subprocess.run(("podman", "version", "--format", "{{.Client.Version}}"), capture_output=True, text=True)
    found = engine.probe({**os.environ, "CONTAINER_HOST": "podman", "DOCKER_HOST": ""}, Path("/"))
    assert f"Podman {said.stdout.strip()} " in found.reason


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
