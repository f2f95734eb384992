"""Published files: below an address (https, or http of this machine itself), or in a directory.

Whoever answers may want to do harm: answers are bounded in size and, documents, in time; a redirection is followed only
to where could have been asked at once.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from ci_toolkit.console import printable
from ci_toolkit.errors import UnreadableError
from ci_toolkit.forges.patience import Patience
from ci_toolkit.records import addresses
from ci_toolkit.records.fetching import Fetch

PIECE_BYTES: Final = 1 << 20
_PIECE_OF_DOCUMENT: Final = 4096
# For a whole document; a timeout of a socket starts anew with each byte.
_DOCUMENT_SECONDS: Final = 120.0
# Nobody is asked twice.
ONCE: Final = Patience(attempts=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Where published files are: `where` is an address that ends in "/", or a path of this machine.

    `patience` is for a server that stumbles, and for connections that break.
    """

    where: str
    patience: Patience = ONCE

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
        with self._open(file, _PIECE_OF_DOCUMENT, deadline) as pieces:
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
    def _open(self, file: str, size: int, deadline: float | None = None) -> Iterator[Iterator[bytes] | None]:
        if not self.is_remote and not addresses.is_address(file):
            with _open_here(Path(self.where) / file, size) as pieces:
                yield pieces
            return
        from requests import Session

        address = file if addresses.is_address(file) else urljoin(self.where, quote(file))
        with Session() as session:
            fetch = Fetch(
                session=session,
                address=address,
                base=self.where,
                name=self.name(file),
                patience=self.patience,
                piece_bytes=size,
                deadline=deadline,
            )
            with closing(fetch):
                yield fetch.pieces()


def patient(tell: Callable[[str], None]) -> Patience:
    """Return the patience with servers of published files; TELL is given a line before each wait."""
    return Patience(attempts=5, total_seconds=120, tell=tell)


def split(where: str, default: str, patience: Patience = ONCE) -> tuple[Base, str]:
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

        return Base(where=f"{base}/", patience=patience), unquote(name)
    return Base(where=f"{where.rstrip('/')}/", patience=patience), default


def directory(where: str, patience: Patience = ONCE) -> Base:
    """Return the base WHERE, a directory or the address of one. Raises UnreadableError as `split` does."""
    if addresses.is_address(where):
        refused = addresses.may_fetch(where)
        if refused is not None:
            raise UnreadableError(f"nothing is fetched from {printable(where)}: {refused}")
        return Base(where=f"{where.rstrip('/')}/", patience=patience)
    if not Path(where).is_dir():
        raise UnreadableError(f"{printable(where)} is no directory", hint="Name a release's directory or address.")
    return Base(where=where)


@contextmanager
def _open_here(path: Path, size: int) -> Iterator[Iterator[bytes] | None]:
    if not path.exists():
        yield None
        return
    if not path.is_file():
        raise UnreadableError(f"{printable(str(path))} is no file")
    with path.open("rb") as file:
        yield iter(lambda: file.read(size), b"")
