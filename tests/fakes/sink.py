"""A GitLab that takes files of any size, reads them as they come, and keeps nothing but their digests."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PIECE = 1 << 20


class Sink:
    """`sizes` and `digests` are of the files that came, by their names."""

    def __init__(self) -> None:
        self.files: list[dict[str, Any]] = []
        self.released: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/api/v4"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if "/releases/" in path:
                    self.say(404, {"message": "404 Not found"})
                elif path.endswith("/package_files"):
                    self.say(200, sink.files)
                elif path.endswith("/packages"):
                    known = {"id": 1, "name": "cloud", "version": "2026.11.28"}
                    self.say(200, [known] if sink.files else [])
                else:
                    self.say(200, [])

            def do_PUT(self) -> None:
                left, hashed = int(self.headers["Content-Length"]), hashlib.sha256()
                size = left
                while left and (piece := self.rfile.read(min(_PIECE, left))):
                    hashed.update(piece)
                    left -= len(piece)
                name = self.path.partition("?")[0].rpartition("/")[2]
                number = len(sink.files) + 1
                one = {
                    "id": number,
                    "file_name": name,
                    "size": size,
                    "file_sha256": hashed.hexdigest(),
                    "package_id": 1,
                }
                sink.files.append(one)
                self.say(200, one)

            def do_POST(self) -> None:
                sink.released.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["tag_name"])
                self.say(201, {"_links": {"self": "here"}})

            def say(self, status: int, content: object) -> None:
                data = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextmanager
def running() -> Iterator[Sink]:
    sink = Sink()
    thread = threading.Thread(target=sink.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield sink
    finally:
        sink.server.shutdown()
        sink.server.server_close()
        thread.join()


if __name__ == "__main__":  # for measuring by hand
    with running() as only:
        print(only.api_url, flush=True)
        threading.Event().wait()
