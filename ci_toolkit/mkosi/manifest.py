"""The packages in an image, as mkosi's manifest lists them (ManifestFormat=json): a file beside the image.

https://github.com/systemd/mkosi/blob/main/mkosi/resources/man/mkosi.1.md
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# What mkosi adds to Output= for the name of the manifest.
SUFFIX: Final = ".manifest"

# Some 60,000 packages, more than any distribution's full set of one architecture that anybody installs.
LIMIT_BYTES: Final = 16 * 1024 * 1024
LIMIT_PACKAGES: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Package:
    """An installed package. The version is the package manager's own text for it, "" where it has none."""

    name: str
    architecture: str
    version: str


def read(file: Path) -> tuple[Package, ...] | None:
    """Return the packages that the manifest FILE lists, sorted, each once; None where it is no manifest of mkosi's.

    A definition's scripts can put anything in its place: what is odd or too large is no manifest.
    """
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > LIMIT_BYTES:
            return None
        found = json.loads(file.read_text(encoding="utf-8"))
        return tuple(sorted({_package(one) for one in found["packages"]}))[:LIMIT_PACKAGES]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _package(found: object) -> Package:
    if not isinstance(found, dict):
        raise TypeError
    name, version, architecture = (found.get(key) for key in ("name", "version", "architecture"))
    if not isinstance(name, str) or not isinstance(version, str) or not isinstance(architecture, str):
        raise TypeError
    return Package(name=name, version=version, architecture=architecture)
