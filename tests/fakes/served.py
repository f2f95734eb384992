"""A directory on loopback, as any web server hands it out; and servers that do wrong."""

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Handler = type[http.server.BaseHTTPRequestHandler]


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *words: object) -> None:  # noqa: A002 (its name in the standard library)
        """Say nothing."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of who does not wait for the end."""


@contextmanager
def directory(place: Path) -> Iterator[str]:
    """Serve PLACE and yield its address, with a slash at its end."""
    with _serving(functools.partial(_Files, directory=str(place))) as address:
        yield address


@contextmanager
def answering(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Let ANSWER deal with each GET, and yield the address."""

    class Odd(_Files):
        def do_GET(self) -> None:
            answer(self)

    with _serving(Odd) as address:
        yield address


@contextmanager
def _serving(handler: "Handler | functools.partial[_Files]") -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
