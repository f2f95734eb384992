"""Servers that stumble and connections that break: what is handed on is the file, or one line says why not."""

import functools
import http.server
import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import served
from waits import Waits

from ci_toolkit.errors import UnreadableError
from ci_toolkit.records import published
from ci_toolkit.records.fetching import UnsteadyError

CONTENT = os.urandom(3_000_000)
Request = http.server.BaseHTTPRequestHandler


@dataclass(kw_only=True)
class Server:
    """Hands out CONTENT; `cuts` are after how many bytes of each answer the connection breaks, None for never.

    `says` are statuses in place of the first answers; `ranges` tells whether it hands out parts, `tag` what it calls
    the version. What was asked for is in `asked`: the ranges, "" for the whole.
    """

    content: bytes = CONTENT
    cuts: list[int | None] = field(default_factory=list)
    says: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    ranges: bool = True
    tag: str = '"1"'
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> None:
        self.asked.append(request.headers.get("Range", ""))
        if self.says:
            status, headers = self.says.pop(0)
            self.head(request, status, {"Content-Length": "0", **headers})
            return
        start = 0
        found = re.fullmatch(r"bytes=(\d+)-", self.asked[-1])
        if found and self.ranges and request.headers.get("If-Range") == self.tag:
            start = int(found[1])
        size = len(self.content)
        headers = {"Content-Length": str(size - start), **({"ETag": self.tag} if self.tag else {})}
        if start:
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        self.head(request, 206 if start else 200, headers)
        cut = self.cuts.pop(0) if self.cuts else None
        request.wfile.write(self.content[start:] if cut is None else self.content[start : start + cut])
        if cut is not None:
            request.wfile.flush()
            request.connection.shutdown(socket.SHUT_RDWR)
            request.close_connection = True

    @staticmethod
    def head(request: Request, status: int, headers: dict[str, str]) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()


def fetched(answer: Callable[[Request], None], waits: Waits, limit: int = 4_000_000) -> bytes:
    with served.answering(answer) as address:
        base = published.directory(address, waits.patience())
        with base.pieces("x", limit) as pieces:
            assert pieces is not None
            return b"".join(pieces)


@pytest.mark.parametrize("tag", ['"1"', 'W/"1"', ""], ids=["strong", "weak", "none"])
@pytest.mark.parametrize("ranges", [True, False])
def test_what_was_cut_is_gone_on_with(tag: str, ranges: bool) -> None:
    """By the rest of it where a version is named for sure; else what is there already is read again, and compared."""
    server, waits = Server(cuts=[1_000_000, 1_500_000], tag=tag, ranges=ranges), Waits()
    assert fetched(server, waits) == CONTENT
    resumed = ranges and tag == '"1"'
    assert server.asked[0] == ""
    if tag == '"1"':
        assert server.asked[1] == "bytes=1000000-"
        assert server.asked[2] == ("bytes=2500000-" if resumed else "bytes=1500000-")
    else:
        assert server.asked[1:] == ["", ""]
    assert len(waits.told) == 2
    assert "going on after 1,000,000 bytes" in waits.told[0]


def test_a_file_of_any_web_server_is_gone_on_with(tmp_path: Path) -> None:
    """One that tells times, and knows no ranges."""
    (tmp_path / "x").write_bytes(CONTENT)
    cuts: list[int | None] = [700_000]

    class Files(http.server.SimpleHTTPRequestHandler):
        def copyfile(self, source, outputfile) -> None:  # type: ignore[no-untyped-def] # as the standard library has it
            outputfile.write(source.read(cuts.pop(0) if cuts else -1))

        def log_message(self, format: str, *words: object) -> None:  # noqa: A002 (its name in the standard library)
            pass

    with served._serving(functools.partial(Files, directory=str(tmp_path))) as address:  # type: ignore[arg-type]
        assert published.directory(address, Waits().patience()).read("x", 4_000_000) == CONTENT
    assert cuts == []


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_server_that_stumbles_is_asked_again(status: int) -> None:
    server, waits = Server(says=[(status, {}), (status, {"Retry-After": "7"})]), Waits()
    assert fetched(server, waits) == CONTENT
    assert len(waits.seconds) == 2
    assert waits.seconds[1] == 7


def test_also_one_that_stumbles_while_it_is_gone_on_with() -> None:
    server, waits = Server(cuts=[1_000_000]), Waits()

    def answer(request: Request) -> None:
        if len(server.asked) == 1 and not server.says:
            server.says.append((503, {}))
        server(request)

    assert fetched(answer, waits) == CONTENT
    assert server.asked == ["", "bytes=1000000-", "bytes=1000000-"]


def test_a_connection_that_is_refused_is_tried_again() -> None:
    with served.answering(Server()) as address:
        pass
    waits = Waits()
    with pytest.raises(UnsteadyError, match="cannot be fetched") as refused:
        published.directory(address, waits.patience()).read("x", 100)
    assert len(waits.seconds) == 5
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("status", [400, 401, 418])
def test_a_no_is_a_no(status: int) -> None:
    waits = Waits()
    with pytest.raises(UnreadableError, match=str(status)) as refused:
        fetched(Server(says=[(status, {})]), waits)
    assert not isinstance(refused.value, UnsteadyError)
    assert waits.seconds == []


def test_a_403_that_is_a_limit_is_no_absence() -> None:
    waits = Waits()
    limit = {"X-RateLimit-Remaining": "0", "Retry-After": "3"}
    assert fetched(Server(says=[(403, limit)]), waits) == CONTENT
    assert waits.seconds == [3]


@pytest.mark.parametrize("tag", ['"2"', ""])
@pytest.mark.parametrize("size", [len(CONTENT), len(CONTENT) - 1])
def test_what_changes_meanwhile_is_told_and_never_mixed(tag: str, size: int) -> None:
    server = Server(cuts=[1_000_000], tag=tag and '"1"')

    def answer(request: Request) -> None:
        if server.asked:
            server.content, server.tag = os.urandom(size), tag
        server(request)

    with pytest.raises(UnreadableError, match="has changed"):
        fetched(answer, Waits())


@pytest.mark.parametrize("told", ["bytes 5-9/10", "bytes 1000000-2999999/4000000", "", "bytes x", "7"])
def test_another_part_than_was_asked_for_is_not_taken(told: str) -> None:
    server = Server(cuts=[1_000_000])

    def answer(request: Request) -> None:
        if not server.asked:
            server(request)
            return
        Server.head(request, 206, {"Content-Range": told, "Content-Length": "3"})
        request.wfile.write(b"abc")

    with pytest.raises(UnreadableError, match="other bytes"):
        fetched(answer, Waits())


def test_a_part_that_nobody_asked_for_is_refused() -> None:
    def answer(request: Request) -> None:
        Server.head(request, 206, {"Content-Range": "bytes 0-2/10", "Content-Length": "3"})
        request.wfile.write(b"abc")

    with pytest.raises(UnreadableError, match="206"):
        fetched(answer, Waits())


@pytest.mark.parametrize("cut", [0, 1])
def test_one_that_always_breaks_is_left(cut: int) -> None:
    """Without a byte more each time, or with one."""
    server, waits = Server(cuts=[cut] * 1000), Waits()
    with pytest.raises(UnsteadyError, match="cannot be fetched"):
        fetched(server, waits)
    assert len(server.asked) <= 52


def test_what_is_gone_when_it_is_gone_on_with_is_told() -> None:
    server = Server(cuts=[1_000_000])

    def answer(request: Request) -> None:
        if server.asked:
            server.says.append((404, {}))
        server(request)

    with pytest.raises(UnreadableError, match="not there any more"):
        fetched(answer, Waits())


def test_the_limit_counts_what_was_handed_on_once() -> None:
    assert fetched(Server(cuts=[2_000_000], tag=""), Waits(), len(CONTENT)) == CONTENT
    with pytest.raises(UnreadableError, match="larger"):
        fetched(Server(cuts=[2_000_000], tag=""), Waits(), len(CONTENT) - 1)


def test_a_document_is_asked_for_no_more_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "_DOCUMENT_SECONDS", -1.0)
    server = Server()
    with served.answering(server) as address, pytest.raises(UnreadableError, match="in time"):
        published.directory(address, Waits().patience()).read("x", 4_000_000)
    assert server.asked == []
