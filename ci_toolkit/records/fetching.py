"""Fetch one file over http: asked for again while its server stumbles, and gone on with where a connection broke.

Whoever answers may want to do harm: what was handed on stays what it was. A server that names the version of a file is
asked for the rest of that version (RFC 9110, 13.1.5 and 14.2); from any other the whole is read again, and what was
there already has to be the same.
"""

import hashlib
import http.client
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from ci_toolkit.console import printable
from ci_toolkit.errors import ToolkitError, UnreadableError
from ci_toolkit.forges import answers
from ci_toolkit.forges.forge import BusyError
from ci_toolkit.forges.patience import Patience
from ci_toolkit.records import addresses

if TYPE_CHECKING:
    from requests import Response, Session

_REDIRECTIONS: Final = 5
# For the connection, and between two pieces.
_TIMEOUT_SECONDS: Final = (15.0, 60.0)
# A connection may break so often; each time something more has to come, or patience ends it.
_RESUMPTIONS: Final = 50
# What servers say of what is not there; some storages refuse the name instead of denying it.
_ABSENT: Final = frozenset((http.HTTPStatus.FORBIDDEN, http.HTTPStatus.NOT_FOUND, http.HTTPStatus.GONE))
_MOVED: Final = frozenset((301, 302, 303, 307, 308))


class UnsteadyError(UnreadableError):
    """The server stumbles, or the connection broke, for longer than patience lasted: it may be had a moment later."""


@dataclass(slots=True, kw_only=True)
class _State:
    """What has come so far: `version` is what the server calls it, `size` how long the whole is, where it says so."""

    got: int = 0
    size: int | None = None
    version: str | None = None
    content: "hashlib._Hash" = field(default_factory=hashlib.sha256)


@dataclass(slots=True, kw_only=True)
class Fetch:
    """The file at `address`, called `name` in messages; `base` is whose it is, who must not lead to this machine.

    To be closed. After `deadline` (of time.monotonic) nothing is asked for any more. Methods raise UnreadableError.
    """

    session: "Session"
    address: str
    base: str
    name: str
    patience: Patience
    piece_bytes: int
    deadline: float | None = None
    _open: "Response | None" = None

    def close(self) -> None:
        if self._open is not None:
            self._open.close()

    def pieces(self) -> Iterator[bytes] | None:
        """Return the content, piece by piece; None where there is none."""
        state = _State()
        response = self._ask(state)
        return None if response is None else self._stream(response, state)

    def _stream(self, response: "Response", state: _State) -> Iterator[bytes]:
        from requests import RequestException
        from urllib3.exceptions import HTTPError

        length = response.headers.get("Content-Length", "")
        state.size = int(length) if length.isdecimal() and len(length) < 16 else None
        state.version = _version(response)
        stalled, again = 0, 0
        while True:
            before, broken = state.got, None
            try:
                with response:
                    yield from self._rest(response, state, again=bool(again))
            except (RequestException, HTTPError, OSError) as error:
                broken = _reason(error)
            if broken is None and (state.size is None or state.got >= state.size):
                return
            stalled, again = (0 if state.got > before else stalled + 1), again + 1
            broken = broken or f"it ended after {state.got:,} of {state.size:,} bytes"
            if stalled + 1 >= self.patience.attempts or again > _RESUMPTIONS:
                raise UnsteadyError(f"{self.name} cannot be fetched: {broken}")
            self.patience.tell(f"{self.name}: {broken}: going on after {state.got:,} bytes")
            self.patience.sleep(2.0 * stalled + self.patience.spread())
            following = self._ask(state)
            if following is None:
                raise UnreadableError(f"{self.name} is not there any more")
            response = following

    def _rest(self, response: "Response", state: _State, *, again: bool) -> Iterator[bytes]:
        """Yield what is new in RESPONSE, as it is stored: what a server calls gzip may be the very file."""
        skip, seen = 0, hashlib.sha256()
        if again and response.status_code == http.HTTPStatus.OK:
            skip = state.got
            length = response.headers.get("Content-Length", "")
            if state.size is not None and length != str(state.size):
                raise self._changed()
        if again and response.status_code == http.HTTPStatus.PARTIAL_CONTENT:
            self._check_range(response, state)
        for piece in response.raw.stream(self.piece_bytes, decode_content=False):
            old, new = piece[:skip], piece[skip:]
            if old:
                seen.update(old)
                skip -= len(old)
                if not skip and seen.digest() != state.content.digest():
                    raise self._changed()
            if new:
                state.content.update(new)
                state.got += len(new)
                yield new

    def _check_range(self, response: "Response", state: _State) -> None:
        told = response.headers.get("Content-Range", "")
        first, _, size = told.removeprefix("bytes ").partition("/")
        if first.partition("-")[0] != str(state.got) or (state.size is not None and size not in ("*", str(state.size))):
            raise UnreadableError(f"{self.name} cannot be fetched: the server sends other bytes than were asked for")

    def _changed(self) -> UnreadableError:
        return UnreadableError(f"{self.name} has changed while it was fetched", hint="Call it again.")

    def _ask(self, state: _State) -> "Response | None":
        try:
            return self.patience.through(lambda: self._attempt(state))
        except BusyError as error:
            raise UnsteadyError(f"{self.name} cannot be fetched: {error.message}") from error

    def _attempt(self, state: _State) -> "Response | None":
        """Ask once. Raises BusyError for what may pass."""
        from requests import RequestException
        from requests.exceptions import SSLError
        from urllib3.exceptions import HTTPError

        if self.deadline is not None and time.monotonic() > self.deadline:
            raise UnreadableError(f"{self.name} did not come in time")
        headers = {"Accept-Encoding": "identity", "User-Agent": "ci-toolkit"}
        if state.got and state.version is not None:
            headers |= {"Range": f"bytes={state.got}-", "If-Range": state.version}
        found: Response | ToolkitError
        try:
            found = self._follow(headers)
        except SSLError as error:
            found = UnreadableError(f"{self.name} cannot be fetched: {_reason(error)}")
        except (RequestException, HTTPError, OSError) as error:
            found = BusyError(_reason(error))
        if isinstance(found, ToolkitError):  # not from that error, which would keep its connection open
            raise found
        return self._judged(found, ranged="Range" in headers)

    def _judged(self, response: "Response", *, ranged: bool) -> "Response | None":
        """Return RESPONSE where it has what was asked for, None where that is not there. Raises as `_attempt` does."""
        status = response.status_code
        if status == http.HTTPStatus.OK or (status == http.HTTPStatus.PARTIAL_CONTENT and ranged):
            return response
        response.close()
        refused = answers.error(status, response.headers, "")
        if isinstance(refused, BusyError):
            wait, first = refused.wait_seconds, refused.first_seconds
            raise BusyError(f"the server says {status}", wait_seconds=wait, first_seconds=first)
        if status in _ABSENT:
            return None
        raise UnreadableError(f"{self.name} cannot be fetched: the server says {status}")

    def _follow(self, headers: dict[str, str]) -> "Response":
        """Ask for the address and follow it to where it has moved; what refuses to be asked is UnreadableError."""
        address = self.address
        for _ in range(_REDIRECTIONS):
            refused = addresses.may_fetch(address)
            # Somebody else's server must not send us to what only this machine reaches.
            if refused is None and addresses.is_loopback(address) and not addresses.is_loopback(self.base):
                refused = "it leads to this machine itself"
            if refused is not None:
                raise UnreadableError(f"nothing is fetched from {printable(address)}: {refused}")
            response = self.session.get(
                address, headers=headers, timeout=_TIMEOUT_SECONDS, stream=True, allow_redirects=False
            )
            self._open = response
            if response.status_code not in _MOVED:
                return response
            response.close()
            address = urljoin(address, response.headers.get("Location", ""))
        raise UnreadableError(f"{printable(self.address)} leads from one place to another without end")


def _version(response: "Response") -> str | None:
    """Return by what the server tells one version of a file from another; a weak tag does not tell bytes apart."""
    tag = response.headers.get("ETag", "")
    if tag.startswith('"'):
        return str(tag)
    return response.headers.get("Last-Modified")


def _reason(error: Exception) -> str:
    """The last of the reasons that lie in one another, on one line: what a person can do something about."""
    while error.__context__ is not None and isinstance(error.__context__, Exception):
        error = error.__context__
    return printable(str(error) or type(error).__name__)[:300]
