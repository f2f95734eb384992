"""SHA256SUMS, as sha256sum writes it; somebody else's."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

from ci_toolkit.console import printable
from ci_toolkit.errors import UnreadableError

NAME: Final = "SHA256SUMS"
# What a detached signature of a file is called after it: armoured, or not.
SIGNATURES: Final = (".asc", ".sig")
BUNDLE: Final = f"{NAME}.sigstore.json"
LIMIT_BYTES: Final = 4 << 20
_LIMIT_FILES: Final = 10_000

_LINE: Final = re.compile(r"(\\?)([0-9a-f]{64}) [ *](.+)")
_ESCAPES: Final = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}


def parse(content: bytes) -> Mapping[str, str]:
    """Return name -> SHA-256 of each line of CONTENT. Raises UnreadableError for anything else."""
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{NAME} is no text") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        match = _LINE.fullmatch(line.removesuffix("\r"))
        if match is None:
            raise UnreadableError(f"{NAME}, line {number}: it is no SHA-256 and a name")
        escaped, digest, name = match.groups()
        if escaped:
            name = re.sub(r"\\[\\nr]", lambda escape: _ESCAPES[escape[0]], name)
        name = name.removeprefix("./")
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            raise UnreadableError(f"{NAME}, line {number}: {printable(name)} is no file of the release")
        if found.setdefault(name, digest) != digest:
            raise UnreadableError(f"{NAME} has two digests of {printable(name)}")
    if not found or len(found) > _LIMIT_FILES:
        raise UnreadableError(f"{NAME} lists {len(found):,} files", hint=f"It may be 1 to {_LIMIT_FILES:,}.")
    return found
