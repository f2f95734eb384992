"""A Debian mirror on this machine's loopback that does wrong what a mirror can do wrong."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# What there is: lists of packages that hold none.
_EMPTY: Final = hashlib.sha256(b"").hexdigest()
_RELEASE: Final = f"""\
Suite: trixie
Codename: trixie
Date: Thu, 01 Jan 2026 00:00:00 UTC
Architectures: amd64 arm64 all
Components: main
SHA256:
 {_EMPTY} 0 main/binary-amd64/Packages
 {_EMPTY} 0 main/binary-arm64/Packages
 {_EMPTY} 0 main/binary-all/Packages
"""


class _Mirror(http.server.BaseHTTPRequestHandler):
    """Does what the first directory of a path says: `empty`, `404`, `503`, or `slow`."""

    over = threading.Event()

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing."""

    def log_error(self, *words: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        kind, _, path = self.path.strip("/").partition("/")
        if kind == "slow":  # a byte now and then, so that no program finds it dead
            self._begin(1 << 20)
            while not self.over.wait(0.5):
                self.wfile.write(b"x")
        elif kind.isdecimal():
            self.send_error(int(kind))
        elif path.endswith("/Release"):
            self._begin(len(_RELEASE))
            self.wfile.write(_RELEASE.encode())
        elif path.endswith("/Packages"):
            self._begin(0)
        else:
            self.send_error(404)

    def _begin(self, size: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of who does not wait for the end."""


@contextmanager
def mirror() -> Iterator[str]:
    """Serve it, and yield its address."""
    server = _Server(("127.0.0.1", 0), _Mirror)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        _Mirror.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
