"""Ask a container engine, Docker or Podman, over its HTTP interface what it is, and whether it runs our own container.

    python -m ci_toolkit.host.engine_socket unix:///var/run/docker.sock

One JSON object comes out: what `GET /info` answers, under "Libpod" what only Podman answers, and under "OurContainer"
what the engine knows of the container that we are in.
"""

import http.client
import json
import re
import socket
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

SECONDS: Final = 8.0
_LIMIT: Final = 1 << 20
_LIBPOD: Final = "/v4.0.0/libpod/info"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask(address: str, path: str) -> dict[str, Any] | None:
    """Return what the engine at ADDRESS answers to GET PATH, None for 404; raises OSError and others."""
    parts = urlsplit(address)
    connection = (
        _UnixConnection(parts.path, SECONDS)
        if parts.scheme == "unix"
        else http.client.HTTPConnection(parts.hostname or "localhost", parts.port or 2375, timeout=SECONDS)
    )
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(_LIMIT)
    finally:
        connection.close()
    if answer.status == http.client.NOT_FOUND:
        return None
    if answer.status != http.client.OK:
        raise ValueError(f"HTTP {answer.status} {answer.reason}")
    loaded = json.loads(body)
    if not isinstance(loaded, dict):
        raise ValueError("an answer that is not Docker's")
    return loaded


def our_container(mounts: str) -> str | None:
    """Return the id of the container that we are in, from MOUNTS, the text of /proc/self/mountinfo, or None.

    An engine mounts the host name file of a container from a directory that is named for it: Docker's is
    containers/ID/hostname, Podman's overlay-containers/ID/userdata/hostname, with the storage driver's name.
    """
    match = re.search(r"/(?:\w+-)?containers/([0-9a-f]{64})/(?:userdata/)?hostname ", mounts)
    return match.group(1) if match else None


def main(arguments: list[str]) -> int:
    """Print the engine's answer, or why there is none."""
    container = our_container(Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace"))
    try:
        info = ask(arguments[0], "/info") or {}
        info["Libpod"] = ask(arguments[0], _LIBPOD)
        info["OurContainer"] = ask(arguments[0], f"/containers/{container}/json") if container else None
        sys.stdout.write(json.dumps(info))
    except OSError as error:
        sys.stderr.write(f"{error.strerror or error}\n")
        return 1
    except (http.client.HTTPException, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
