"""A forge on loopback: one HTTP server that answers, fails when told to, and checks every exchange."""

import contextlib
import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

# The API descriptions of the forges lie beside the checkout; not everybody has them.
DESCRIPTIONS: Final = Path(__file__).parents[3] / "shared" / "openapi"
_ROOT: Final = "http://forge.invalid"  # for every server, so that a description is read once


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client sent; `path` is without the prefix under which the API lives."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    content_type: str

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the forge says; status 0 hangs up without a word. `trickle` is the seconds between two of its bytes."""

    status: int
    content: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    trickle: float = 0

    def data(self) -> bytes:
        if self.content is None:
            return b""
        if isinstance(self.content, bytes):
            return self.content
        return self.content.encode() if isinstance(self.content, str) else json.dumps(self.content).encode()

    def content_type(self) -> str:
        if isinstance(self.content, bytes):
            return "application/octet-stream"
        return "text/plain" if isinstance(self.content, str) else "application/json; charset=utf-8"


@dataclass(slots=True, kw_only=True)
class Fault:
    """A failure for the next `times` requests of METHOD; with `after` the forge does the work and then fails."""

    method: str
    answer: Answer
    path_part: str = ""
    after: bool = False
    times: int = 1


class _Quiet(ThreadingHTTPServer):
    """A server that says nothing of clients that are killed."""

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class ForgeServer:
    """Serves WORK under PREFIX; open until its context ends."""

    def __init__(self, work: Callable[[Request], Answer], prefix: str, description: str) -> None:
        self._work = work
        self._prefix = prefix
        self._server = _Quiet(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._check = contract(description)
        self.one_at_a_time = threading.Lock()
        self.over = threading.Event()
        self.faults: list[Fault] = []
        # What somebody else does just before the next request of this method is answered.
        self.meanwhile: list[tuple[str, Callable[[], object]]] = []
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.checked = 0
        self.checks = True
        # Which requests are answered 500: each whose number is a multiple of this; 0 for none.
        self.every = 0
        # Addresses beside the API, which its description does not know.
        self.unchecked: tuple[re.Pattern[str], ...] = ()
        # A connection is cut after so many bytes of the body of the next request of this method.
        self.cuts: list[tuple[str, int]] = []
        self.keeps_what_was_cut = False

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return self.root + self._prefix

    def sent(self) -> list[str]:
        """What came in, as "METHOD /path", in its order."""
        return [f"{request.method} {request.path}" for request in self.requests]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        other = next((one for one in self.meanwhile if one[0] == request.method), None)
        if other is not None:
            self.meanwhile.remove(other)
            other[1]()
        if self.every and len(self.requests) % self.every == 0:
            return Answer(status=500, content={"message": "Server Error"})
        fault = next((f for f in self.faults if f.method == request.method and f.path_part in request.path), None)
        if fault is None:
            return self._work(request)
        fault.times -= 1
        if not fault.times:
            self.faults.remove(fault)
        if fault.after:
            self._work(request)
        return fault.answer

    def hold_against_contract(self, request: Request, answer: Answer) -> None:
        known = not any(one.fullmatch(request.path) for one in self.unchecked)
        if self.checks and known and self._check is not None and answer.status:
            self.checked += 1
            self.violations.extend(self._check(request, answer))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        forge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                parts = urlsplit(self.path)
                size = int(self.headers.get("Content-Length") or 0)
                cut = next((one for one in forge.cuts if one[0] == self.command and one[1] < size), None)
                body = self.rfile.read(size if cut is None else cut[1])
                if cut is not None:
                    forge.cuts.remove(cut)
                    self.close_connection = True
                    if not forge.keeps_what_was_cut:
                        self.connection.shutdown(socket.SHUT_RDWR)
                        return
                if not parts.path.startswith(forge._prefix):
                    forge.violations.append(f"outside of the API: {self.path}")
                request = Request(
                    method=self.command,
                    path=parts.path.removeprefix(forge._prefix),
                    query=dict(parse_qsl(parts.query)),
                    headers=dict(self.headers.items()),
                    body=body,
                    content_type=self.headers.get("Content-Type", ""),
                )
                with forge.one_at_a_time:  # what is said is what was there then: the content may be the fake's own list
                    answer = forge.answer(request)
                    forge.hold_against_contract(request, answer)
                    data = answer.data()
                if cut is not None:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send(answer, data)

            def send(self, answer: Answer, data: bytes) -> None:
                if answer.status == 0:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.content is not None:
                    self.send_header("Content-Type", answer.content_type())
                if answer.status != 204 and self.command != "HEAD":
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if not answer.trickle:
                    self.wfile.write(b"" if self.command == "HEAD" else data)
                    return
                with contextlib.suppress(OSError):  # the client has had enough
                    for byte in data:
                        self.wfile.write(bytes([byte]))
                        if forge.over.wait(answer.trickle):
                            self.close_connection = True
                            return

            def date_time_string(self, timestamp: float | None = None) -> str:
                """The forge's clock stands still, at 1,800,000,000 seconds."""
                return "Fri, 15 Jan 2027 08:00:00 GMT"

            def log_message(self, *_: object) -> None:
                pass

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

        return Handler


@cache
def contract(description: str) -> Callable[[Request, Answer], list[str]] | None:
    """Return what checks an exchange against DESCRIPTION; None where the descriptions are not there."""
    file = DESCRIPTIONS / description
    if not file.is_file():
        return None
    from openapi_core import Config, OpenAPI
    from openapi_core.exceptions import OpenAPIError
    from openapi_core.testing import MockRequest, MockResponse

    document = json.loads(file.read_text(encoding="utf-8"))
    document["servers"] = [{"url": _ROOT}]
    for operations in document["paths"].values():  # uploads have a host of their own, which ours is too
        for operation in operations.values():
            if isinstance(operation, dict):
                operation.pop("servers", None)
    api = OpenAPI.from_dict(document, config=Config(spec_validator_cls=None))  # type: ignore[arg-type] # None is how to say: not again for each test

    def check(request: Request, answer: Answer) -> list[str]:
        asked = MockRequest(
            _ROOT,
            request.method,
            request.path,
            args=dict(request.query),
            headers=dict(request.headers),
            data=request.body,
            content_type=request.content_type,
        )
        said = MockResponse(
            answer.data(),
            status_code=answer.status,
            headers=dict(answer.headers),
            content_type=answer.content_type(),
        )
        try:
            api.validate_request(asked)
            api.validate_response(asked, said)
        except OpenAPIError as error:
            return [f"{request.method} {request.path} {answer.status}: {error!r} {error.__cause__!r}"]
        return []

    return check


def page(items: list[dict[str, Any]], query: Mapping[str, str], standard: int) -> tuple[list[dict[str, Any]], int]:
    """Return the items of the page that QUERY asks for, and the number of the next one, 0 when there is none."""
    size = min(int(query.get("per_page", standard)), 100)
    number = int(query.get("page", 1))
    more = len(items) > number * size
    return items[(number - 1) * size : number * size], number + 1 if more else 0
