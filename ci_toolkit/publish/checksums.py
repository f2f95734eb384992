"""SHA256SUMS: the digest of every file of a release, sorted by name, as sha256sum reads it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ci_toolkit.publish import files
from ci_toolkit.publish.files import File

NAME: Final = "SHA256SUMS"
SIGNATURE: Final = f"{NAME}.asc"


def render(listed: Iterable[File]) -> str:
    """Return the list of LISTED, without itself and its signature."""
    lines = sorted((one.name, one.sha256) for one in listed if one.name not in (NAME, SIGNATURE))
    return "".join(f"{digest}  {name}\n" for name, digest in lines)


def write(listed: Iterable[File], directory: Path) -> File:
    """Write the list of LISTED into DIRECTORY, and return it as a file. Raises OSError."""
    path = directory / NAME
    text = render(listed)
    if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != text:
        temporary = path.with_name(f".{NAME}")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    return files.file(path, NAME)


def verify_line(image: str, base: str, *, signed: bool) -> str:
    """Return what one types to download IMAGE from BASE, and to verify it."""
    names = (image, NAME, *((SIGNATURE,) if signed else ()))
    fetch = f"curl --fail --location --remote-name-all {base}/{{{','.join(names)}}}"
    check = f"sha256sum --ignore-missing --check {NAME}"
    return " && ".join((fetch, *((f"gpg --verify {SIGNATURE} {NAME}",) if signed else ()), check))
