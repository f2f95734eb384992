import http.server
import os
import threading
from pathlib import Path

import pytest
import served

from ci_toolkit.errors import UnreadableError
from ci_toolkit.records import published
from ci_toolkit.records.fetching import UnsteadyError
from ci_toolkit.records.published import Base

Request = http.server.BaseHTTPRequestHandler


def reply(request: Request, status: int, body: bytes = b"", **headers: str) -> None:
    request.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


def test_a_file_of_a_server_is_read_whole_and_by_pieces(tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    (tmp_path / "a b ü#?.raw").write_bytes(content)
    with served.directory(tmp_path) as address:
        base = published.directory(address)
        assert base.read("a b ü#?.raw", 4 << 20) == content
        with base.pieces("a b ü#?.raw", 4 << 20) as pieces:
            assert pieces is not None
            assert b"".join(pieces) == content
        assert base.read("none", 10) is None


def test_a_file_of_a_directory_is_read_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    base = published.directory(str(tmp_path))
    assert base.read("x", 3) == b"abc"
    assert base.read("none", 3) is None
    with pytest.raises(UnreadableError, match="larger"):
        base.read("x", 2)
    with pytest.raises(UnreadableError, match="no directory"):
        published.directory(str(tmp_path / "none"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableError, match="no file"):
        base.read("pipe", 3)


def test_one_that_never_ends_is_left_at_its_limit() -> None:
    over = threading.Event()

    def endless(request: Request) -> None:
        request.send_response(200)
        request.end_headers()
        while not over.is_set():
            request.wfile.write(b"x" * 65536)

    with served.answering(endless) as address:
        with pytest.raises(UnreadableError, match="larger than 1,000,000"):
            published.directory(address).read("x", 1_000_000)
        over.set()


def test_a_document_that_comes_byte_by_byte_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "_DOCUMENT_SECONDS", 0.0)
    with (
        served.answering(lambda request: reply(request, 200, b"slow")) as address,
        pytest.raises(UnreadableError, match="did not come"),
    ):
        published.directory(address).read("x", 100)


def test_one_that_ends_early_is_no_file() -> None:
    with (
        served.answering(lambda request: reply(request, 200, b"half", Content_Length="8")) as address,
        pytest.raises(UnreadableError, match="x"),
    ):
        published.directory(address).read("x", 100)


def test_what_a_server_calls_gzip_is_taken_as_it_is_stored() -> None:
    with served.answering(lambda request: reply(request, 200, b"\x1f\x8bno", Content_Encoding="gzip")) as address:
        assert published.directory(address).read("x.gz", 100) == b"\x1f\x8bno"


@pytest.mark.parametrize("status", [400, 401, 500, 503])
def test_a_servers_no_is_told_with_its_number(status: int) -> None:
    with (
        served.answering(lambda request: reply(request, status)) as address,
        pytest.raises(UnreadableError, match=str(status)),
    ):
        published.directory(address).read("x", 100)


@pytest.mark.parametrize(("status", "later"), [(400, False), (401, False), (408, True), (429, True), (503, True)])
def test_of_a_servers_no_it_is_told_whether_another_try_may_help(status: int, later: bool) -> None:
    with (
        served.answering(lambda request: reply(request, status)) as address,
        pytest.raises(UnreadableError) as refused,
    ):
        published.directory(address).read("x", 100)
    assert isinstance(refused.value, UnsteadyError) == later


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_is_not_there_is_no_fault(status: int) -> None:
    with served.answering(lambda request: reply(request, status)) as address:
        assert published.directory(address).read("x", 100) is None


def test_a_redirection_is_followed() -> None:
    def moved(request: Request) -> None:
        if request.path == "/x":
            reply(request, 302, Location="/elsewhere/x")
        else:
            reply(request, 200, request.path.encode())

    with served.answering(moved) as address:
        assert published.directory(address).read("x", 100) == b"/elsewhere/x"


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "http://169.254.169.254/meta", "ftp://example.org/", "https://u:p@example.org/", "/x"],
)
def test_but_not_to_where_nothing_is_asked_nor_without_end(location: str) -> None:
    with (
        served.answering(lambda request: reply(request, 302, Location=location)) as address,
        pytest.raises(UnreadableError),
    ):
        published.directory(address).read("x", 100)


def test_somebody_elses_list_does_not_lead_to_this_machine(tmp_path: Path) -> None:
    with served.directory(tmp_path) as address:
        for base in (Base(where="https://example.org/"), Base(where=str(tmp_path))):
            with pytest.raises(UnreadableError, match="this machine itself"):
                base.read(f"{address}x", 100)


def test_nobody_who_answers_is_one_line() -> None:
    with served.answering(lambda request: reply(request, 200)) as address:
        pass
    with pytest.raises(UnreadableError) as refused:
        published.directory(address).read("x", 100)
    assert "\n" not in refused.value.message


def test_an_address_is_a_file_or_a_directory_of_one() -> None:
    expected = (Base(where="https://example.org/a/"), "build-record.json")
    for where in ("https://example.org/a", "https://example.org/a/", "https://example.org/a/build-record.json?x#y"):
        assert published.split(where, "build-record.json") == expected
    assert published.split("https://example.org/b%20c.json", "x")[1] == "b c.json"
    assert expected[0].name("c d") == "https://example.org/a/c d"
    assert expected[0].name("https://example.org/c?d") == "https://example.org/c?d"
    with pytest.raises(UnreadableError):
        published.split("http://example.org/", "x")
