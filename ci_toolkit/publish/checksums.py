"""SHA256SUMS: the digest of every file of a release, sorted by name, as sha256sum reads it."""

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ci_toolkit.publish import files
from ci_toolkit.publish.files import File
from ci_toolkit.records.keyless import Expected

NAME: Final = "SHA256SUMS"
SIGNATURE: Final = f"{NAME}.asc"
BUNDLE: Final = f"{NAME}.sigstore.json"
SIGNATURES: Final = (SIGNATURE, BUNDLE)


def render(listed: Iterable[File]) -> str:
    """Return the list of LISTED, without itself and its signatures."""
    lines = sorted((one.name, one.sha256) for one in listed if one.name not in (NAME, *SIGNATURES))
    return "".join(f"{digest}  {name}\n" for name, digest in lines)


def write(listed: Iterable[File], directory: Path) -> File:
    """Write the list of LISTED into DIRECTORY, and return it as a file.

    Signatures of another list, which was there, go. Raises OSError.
    """
    path = directory / NAME
    text = render(listed)
    if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != text:
        for name in SIGNATURES:  # first: whoever kills us leaves no list beside a signature of another one
            (directory / name).unlink(missing_ok=True)
        temporary = path.with_name(f".{NAME}")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    return files.file(path, NAME)


def verify_line(image: str, base: str, *, signed: bool, expected: Expected | None = None) -> str:
    """Return what one types to download IMAGE from BASE, and to verify it.

    SIGNED tells that a key has signed the list, EXPECTED who has by Sigstore.
    """
    names = (image, NAME, *((SIGNATURE,) if signed else ()), *((BUNDLE,) if expected is not None else ()))
    lines = [f"curl --fail --location --remote-name-all {base}/{{{','.join(names)}}}"]
    if signed:
        lines.append(f"gpg --verify {SIGNATURE} {NAME}")
    if expected is not None:
        instance = "" if expected.trust is None else f"--trust-config {shlex.quote(expected.trust.name)} "
        known = f"--cert-identity {shlex.quote(expected.by.name)} --cert-oidc-issuer {shlex.quote(expected.by.issuer)}"
        lines.append(f"sigstore {instance}verify identity {known} --bundle {BUNDLE} {NAME}")
    lines.append(f"sha256sum --ignore-missing --check {NAME}")
    return " && ".join(lines)
