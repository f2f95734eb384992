"""Published files: below an address (https, or http of this machine itself), or in a directory.

Whoever answers may want to do harm: answers are bounded in size and, documents, in time; a redirection is followed only
to where could have been asked at once.
"""

import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urljoin, urlsplit

from ci_toolkit.console import printable
from ci_toolkit.errors import UnreadableError
from ci_toolkit.records import addresses

if TYPE_CHECKING:
    from requests import Response, Session

PIECE_BYTES: Final = 1 << 20
_PIECE_OF_DOCUMENT: Final = 4096
_REDIRECTIONS: Final = 5
# For the connection, and between two pieces.
_TIMEOUT_SECONDS: Final = (15.0, 60.0)
# For a whole document; a timeout of a socket starts anew with each byte.
_DOCUMENT_SECONDS: Final = 120.0
# What servers say of what is not there; some storages refuse the name instead of denying it.
_ABSENT: Final = frozenset((http.HTTPStatus.FORBIDDEN, http.HTTPStatus.NOT_FOUND, http.HTTPStatus.GONE))
_BUSY: Final = frozenset((http.HTTPStatus.REQUEST_TIMEOUT, http.HTTPStatus.TOO_MANY_REQUESTS))
_MOVED: Final = frozenset((301, 302, 303, 307, 308))


class UnsteadyError(UnreadableError):
    """The server stumbles, or the connection broke: the same may be had a moment later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Where published files are: `where` is an address that ends in "/", or a path of this machine."""

    where: str

    @property
    def is_remote(self) -> bool:
        return addresses.is_address(self.where)

    def name(self, file: str) -> str:
        """Return what names FILE in messages."""
        if addresses.is_address(file):
            return printable(file)
        return printable(f"{self.where}{file}" if self.is_remote else str(Path(self.where) / file))

    def read(self, file: str, limit: int) -> bytes | None:
        """Return the document FILE, None where it is not there.

        FILE may be an address of its own, where this is one. Raises UnreadableError for one of more than LIMIT bytes,
        and for one that cannot be had.
        """
        deadline = time.monotonic() + _DOCUMENT_SECONDS
        found = bytearray()
        with self._open(file, _PIECE_OF_DOCUMENT) as pieces:
            if pieces is None:
                return None
            for piece in pieces:
                found += piece
                if len(found) > limit:
                    raise UnreadableError(f"{self.name(file)} is larger than {limit:,} bytes")
                if time.monotonic() > deadline:
                    raise UnreadableError(f"{self.name(file)} did not come within {_DOCUMENT_SECONDS:.0f} s")
        return bytes(found)

    @contextmanager
    def pieces(self, file: str, limit: int) -> Iterator[Iterator[bytes] | None]:
        """Yield the content of FILE, piece by piece; None where it is not there. Raises as `read` does."""
        with self._open(file, PIECE_BYTES) as pieces:
            yield None if pieces is None else self._bounded(file, pieces, limit)

    def _bounded(self, file: str, pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > limit:
                raise UnreadableError(f"{self.name(file)} is larger than {limit:,} bytes")
            yield piece

    @contextmanager
    def _open(self, file: str, size: int) -> Iterator[Iterator[bytes] | None]:
        if not self.is_remote and not addresses.is_address(file):
            with _open_here(Path(self.where) / file, size) as pieces:
                yield pieces
            return
        from requests import RequestException, Session
        from urllib3.exceptions import HTTPError

        address = file if addresses.is_address(file) else urljoin(self.where, quote(file))
        try:
            with Session() as session, _get(session, address, self.where) as response:
                yield None if response.status_code in _ABSENT else _pieces(response, size, self.name(file))
        except (RequestException, HTTPError, OSError) as error:
            raise UnsteadyError(f"{self.name(file)} cannot be fetched: {_reason(error)}") from error


def split(where: str, default: str) -> tuple[Base, str]:
    """Return the base and the name of the file WHERE, a path or an address; a directory stands for DEFAULT in it.

    Raises UnreadableError for an address that nothing is fetched from.
    """
    if not addresses.is_address(where):
        path = Path(where)
        return (Base(where=where), default) if path.is_dir() else (Base(where=str(path.parent)), path.name)
    refused = addresses.may_fetch(where)
    if refused is not None:
        raise UnreadableError(f"nothing is fetched from {printable(where)}: {refused}")
    base, _, name = urlsplit(where)._replace(query="", fragment="").geturl().rpartition("/")
    if name and (name.endswith(".json") or not default):
        from urllib.parse import unquote

        return Base(where=f"{base}/"), unquote(name)
    return Base(where=f"{where.rstrip('/')}/"), default


def directory(where: str) -> Base:
    """Return the base WHERE, a directory or the address of one. Raises UnreadableError as `split` does."""
    if addresses.is_address(where):
        refused = addresses.may_fetch(where)
        if refused is not None:
            raise UnreadableError(f"nothing is fetched from {printable(where)}: {refused}")
        return Base(where=f"{where.rstrip('/')}/")
    if not Path(where).is_dir():
        raise UnreadableError(f"{printable(where)} is no directory", hint="Name a release's directory or address.")
    return Base(where=where)


@contextmanager
def _get(session: "Session", address: str, base: str) -> Iterator["Response"]:
    """Ask for ADDRESS and follow it to where it has moved. Raises UnreadableError where that is nowhere to ask."""
    first = address
    for _ in range(_REDIRECTIONS):
        refused = addresses.may_fetch(address)
        # Somebody else's server must not send us to what only this machine reaches.
        if refused is None and addresses.is_loopback(address) and not addresses.is_loopback(base):
            refused = "it leads to this machine itself"
        if refused is not None:
            raise UnreadableError(f"nothing is fetched from {printable(address)}: {refused}")
        headers = {"Accept-Encoding": "identity", "User-Agent": "ci-toolkit"}
        response = session.get(address, headers=headers, timeout=_TIMEOUT_SECONDS, stream=True, allow_redirects=False)
        with response:
            if response.status_code not in _MOVED:
                yield response
                return
            address = urljoin(address, response.headers.get("Location", ""))
    raise UnreadableError(f"{printable(first)} leads from one place to another without end")


def _pieces(response: "Response", size: int, name: str) -> Iterator[bytes]:
    if response.status_code != http.HTTPStatus.OK:
        kind = UnsteadyError if response.status_code >= 500 or response.status_code in _BUSY else UnreadableError
        raise kind(f"{name} cannot be fetched: the server says {response.status_code}")
    length = response.headers.get("Content-Length", "")
    got = 0
    # As it is stored: what a server calls gzip may be the very file.
    for piece in response.raw.stream(size, decode_content=False):
        got += len(piece)
        yield piece
    if length.isdecimal() and got != int(length):
        raise UnsteadyError(f"{name} ended after {got:,} of {length} bytes")


@contextmanager
def _open_here(path: Path, size: int) -> Iterator[Iterator[bytes] | None]:
    if not path.exists():
        yield None
        return
    if not path.is_file():
        raise UnreadableError(f"{printable(str(path))} is no file")
    with path.open("rb") as file:
        yield iter(lambda: file.read(size), b"")


def _reason(error: Exception) -> str:
    """The last of the reasons that lie in one another, on one line: what a person can do something about."""
    while error.__context__ is not None and isinstance(error.__context__, Exception):
        error = error.__context__
    return printable(str(error) or type(error).__name__)[:300]
