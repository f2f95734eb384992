"""Read a record of this machine's disk."""

import os
from pathlib import Path
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.records import stored
from ci_toolkit.records.record import NAME, Record

_HINT: Final = f"Name the {NAME} that build or verify left in its output."


def load(path: Path) -> Record:
    """Return the record in the file PATH, or in the directory PATH. Raises UnreadableError."""
    return stored.parse(content(path / NAME if path.is_dir() else path, stored.LIMIT_BYTES))


def content(path: Path, limit: int) -> bytes:
    """Return what the file PATH holds. Raises UnreadableError for one of more than LIMIT bytes, or that is no file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = file.read(limit + 1)
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}", hint=_HINT) from error
    if found is None or len(found) > limit:
        raise UnreadableError(f"{path} is larger than {limit >> 20} MiB, or no file", hint=_HINT)
    return found
