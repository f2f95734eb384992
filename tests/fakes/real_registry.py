"""Debian's docker-registry on loopback, behind a server that can be told to fail."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import pytest
import requests
from forge_server import Answer, ForgeServer, Request

REPOSITORY: Final = "images/cloud"
# What is of one connection, and not of the answer.
_OF_THE_SENDER: Final = {"host", "content-length"}
_OWN: Final = {"connection", "date", "transfer-encoding", "server"}


class RealRegistry:
    """The registry at PORT, and `server`, through which it is spoken to."""

    def __init__(self, port: int) -> None:
        self._root = f"http://127.0.0.1:{port}"
        self.server = ForgeServer(self._hand_on, "", "registry.json")

    @property
    def target(self) -> str:
        """What is written on the command line."""
        return f"oci:{self.server.root.removeprefix('http://')}/{REPOSITORY}"

    def image(self, tag: str) -> str:
        """What other programs call the image TAG."""
        return f"docker://{self._root.removeprefix('http://')}/{REPOSITORY}:{tag}"

    def tags(self) -> list[str]:
        said = requests.get(f"{self._root}/v2/{REPOSITORY}/tags/list", timeout=10)
        return sorted(said.json().get("tags") or ()) if said.ok else []

    def _hand_on(self, request: Request) -> Answer:
        query = urlencode(request.query)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_THE_SENDER}
        if "Content-Range" in headers:  # of a body that was cut, what has come
            start = int(headers["Content-Range"].partition("-")[0])
            headers["Content-Range"] = f"{start}-{start + len(request.body) - 1}"
        address = f"{self._root}{request.path}{'?' if query else ''}{query}"
        said = requests.request(request.method, address, data=request.body, headers=headers, timeout=30)
        kept = {name: value for name, value in said.headers.items() if name.lower() not in _OWN}
        if request.method != "HEAD":
            kept.pop("Content-Length", None)
        kind = kept.pop("Content-Type", None)
        content = said.content if said.content or kind else None
        return Answer(status=said.status_code, content=content, headers=kept)


@contextmanager
def running(place: Path) -> Iterator[RealRegistry]:
    """Run a registry that keeps what it is given in PLACE; skips where the program is not installed."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = place / "registry.yml"
    configuration.write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {place}/registry}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}', relativeurls: true}}\n",
        encoding="utf-8",
    )
    with (place / "registry.log").open("w") as log:
        child = subprocess.Popen((program, "serve", configuration), stdout=log, stderr=log)
    try:
        _wait(child, port)
        registry = RealRegistry(port)
        with registry.server:
            yield registry
    finally:
        child.terminate()
        child.wait(10)


def _wait(child: "subprocess.Popen[bytes]", port: int) -> None:
    """Wait until it listens. Fails where it has ended, or takes a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail("docker-registry does not listen")
