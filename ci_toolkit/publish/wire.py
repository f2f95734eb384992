"""Requests that publish: files are streamed, answers bounded, and a token goes to nobody but the forge itself.

A request that may be made twice is asked again while the forge is busy. One that creates something, or sends a file, is
one attempt and raises BusyError: whoever made it looks first what has become of it, and then makes it again.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urljoin, urlsplit

import requests

from ci_toolkit.errors import ForgeError, UnreadableError
from ci_toolkit.forges import answers
from ci_toolkit.forges.forge import TIMEOUT_SECONDS, USER_AGENT, BusyError
from ci_toolkit.forges.patience import Patience
from ci_toolkit.publish.files import PIECE_BYTES, Ahead, File

# A forge works on a large file after the last byte, before it answers.
_STORING_SECONDS: Final = 300
# For the whole of an answer: a timeout of a socket starts anew with each byte.
_ANSWER_SECONDS: Final = 120
_ANSWER_PIECE_BYTES: Final = 4096
_LIMIT_BYTES: Final = 64 << 20
_LIMIT_REDIRECTIONS: Final = 5

_Answer = TypeVar("_Answer")


def no_progress(_size: int) -> None:
    pass


class Body:
    """The bytes of a file from START on, read as they are sent; AHEAD hears how many."""

    def __init__(self, path: Path, size: int, start: int, ahead: Ahead) -> None:
        self._file = path.open("rb")
        self._file.seek(start)
        self._left = size - start
        self._ahead = ahead

    def __len__(self) -> int:
        return self._left

    def __iter__(self) -> Iterator[bytes]:  # by which requests knows that it can be streamed
        while piece := self.read(PIECE_BYTES):
            yield piece

    def read(self, size: int = PIECE_BYTES) -> bytes:
        """Return the next bytes; of a file that has grown meanwhile no more than were announced."""
        piece = self._file.read(min(PIECE_BYTES if size < 0 else size, self._left))
        self._left -= len(piece)
        self._ahead(len(piece))
        return piece

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A connection to one API; `headers`, with the token, go to the hosts of the addresses `homes` alone."""

    homes: tuple[str, ...]
    patience: Patience
    headers: Mapping[str, str]
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        # Proxies and certificates are taken from the environment, but no password from a .netrc.
        self.session.auth = _as_it_is

    def ask(
        self,
        method: str,
        url: str,
        *,
        content: object = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str | int] | None = None,
        again: bool | None = None,
    ) -> requests.Response:
        """Return the answer to a small request. Raises the errors of forges.answers for one of 400 and more.

        AGAIN tells whether it may be made twice; by itself that is so for all but POST.
        """
        body = json.dumps(content).encode() if content is not None else data
        kind = {"Content-Type": "application/json"} if content is not None else {}

        def attempt() -> requests.Response:
            with _understood():
                response = self._request(method, url, {**kind, **(headers or {})}, body, query)
                return _checked(response, _limited(response))

        if method == "POST" if again is None else not again:
            return attempt()
        return self._patiently(attempt)

    def knock(self, url: str) -> tuple[int, Mapping[str, str]]:
        """Return status and headers of the answer to a request without our headers. Raises BusyError."""

        def attempt() -> tuple[int, Mapping[str, str]]:
            with (
                _understood(),
                self.session.get(url, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True) as said,
            ):
                if said.status_code >= 500:
                    raise answers.error(said.status_code, said.headers, "")
                return said.status_code, said.headers

        return self._patiently(attempt)

    def _patiently(self, attempt: Callable[[], _Answer]) -> _Answer:
        """Return what ATTEMPT returns in the end. Raises what is no BusyError: it has been tried often enough."""
        try:
            return self.patience.through(attempt)
        except BusyError as error:
            raise ForgeError(error.message, hint=error.hint) from error

    def send(
        self,
        method: str,
        url: str,
        file: File,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str | int] | None = None,
        start: int = 0,
        ahead: Ahead = no_progress,
    ) -> requests.Response:
        """Send FILE from the byte START on, and return the answer. Raises as `ask` does, and UnreadableError."""
        try:
            body = Body(file.path, file.size, start, ahead)
        except OSError as error:
            raise UnreadableError(f"{file.path}: {error.strerror}") from error
        kind = {"Content-Type": "application/octet-stream"}
        try:
            with _understood():
                # An empty body would be announced as one of unknown length, which GitHub does not take.
                response = self._request(method, url, {**kind, **(headers or {})}, body if len(body) else b"", query)
                return _checked(response, _limited(response))
        finally:
            body.close()

    def pieces(self, url: str, *, headers: Mapping[str, str] | None = None) -> Iterator[bytes]:
        """Yield what is at URL piece by piece. Raises as `ask` does."""
        with _understood():
            response = self._request("GET", url, headers or {}, None, None)
            if response.status_code >= 400:
                _checked(response, _limited(response))
            with response:
                yield from response.iter_content(PIECE_BYTES)

    def read(self, url: str, limit: int, *, headers: Mapping[str, str] | None = None) -> bytes:
        """Return what is at URL, of at most LIMIT bytes. Raises ForgeError for more."""
        found = bytearray()
        for piece in self.pieces(url, headers=headers):
            found += piece
            if len(found) > limit:
                raise ForgeError(f"what the forge hands out is larger than {limit:,} bytes")
        return bytes(found)

    def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | bytes | None,
        query: Mapping[str, str | int] | None,
    ) -> requests.Response:
        """Send one request and, for GET and HEAD, those that its redirections ask for."""
        for _ in range(_LIMIT_REDIRECTIONS):
            own = self.headers if _host(url) in map(_host, self.homes) else {}
            response = self.session.request(
                method,
                url,
                params=query,
                data=body,
                headers={"User-Agent": USER_AGENT, **own, **headers},
                timeout=(TIMEOUT_SECONDS, _STORING_SECONDS if isinstance(body, Body) else TIMEOUT_SECONDS),
                allow_redirects=False,
                stream=True,
            )
            if method not in ("GET", "HEAD") or not response.is_redirect:
                return response
            url, query = urljoin(url, response.headers["Location"]), None
            response.close()
        raise ForgeError("the forge redirects without end")


def _host(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _limited(response: requests.Response) -> bytes:
    """Return the body of RESPONSE, which is an answer for programs."""
    found, deadline = bytearray(), time.monotonic() + _ANSWER_SECONDS
    with response:
        for piece in response.iter_content(_ANSWER_PIECE_BYTES):
            found += piece
            if time.monotonic() > deadline:
                raise BusyError("the forge's answer takes too long")
            if len(found) > _LIMIT_BYTES:
                raise ForgeError("the forge's answer has no end")
    return bytes(found)


def _checked(response: requests.Response, body: bytes) -> requests.Response:
    response._content = body
    if response.status_code < 400:
        return response
    raise answers.error(response.status_code, response.headers, _message(body))


def _message(body: bytes) -> str:
    """Return what the forge says is wrong; GitHub's details, and a registry's, are in a list."""
    try:
        found: Any = json.loads(body)
        details = [str(one.get("code") or one.get("message") or "") for one in found.get("errors", ())]
        return " ".join((str(found.get("message") or found.get("error") or ""), *details)).strip()
    except (ValueError, AttributeError, TypeError, RecursionError):
        return body[:200].decode("utf-8", "replace")


@contextlib.contextmanager
def shaped(whose: str) -> Iterator[None]:
    """Turn what answers of another shape lead to, such as the page of a proxy, into a ForgeError that names WHOSE."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError, IndexError, RecursionError) as error:
        raise ForgeError(f"the answers are not those of {whose}", hint="Is its address right?") from error


@contextlib.contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except requests.RequestException as error:
        raise answers.unreachable(error) from None
    except (OSError, ValueError) as error:  # a connection that breaks while a body is sent is not always wrapped
        raise BusyError(f"the forge cannot be reached ({type(error).__name__})") from None
