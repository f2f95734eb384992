"""What a release says of itself: `release.json`, a file of it, by which the next one knows what has changed."""

import json
from dataclasses import dataclass
from typing import Any, Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.mkosi.manifest import LIMIT_PACKAGES, Package

NAME: Final = "release.json"
# A release of a thousand files and fifty thousand packages has some megabytes.
LIMIT_BYTES: Final = 64 * 1024 * 1024
_LIMIT_IMAGES: Final = 1000
_LIMIT_FILES: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image of a release: its size in bytes, and its packages where they are known."""

    name: str
    file: str
    size: int
    sha256: str
    packages: tuple[Package, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The images of a release, and all files that were made of them, by name, with their sizes in bytes."""

    version: str
    commit: str | None
    images: tuple[Image, ...]
    files: tuple[tuple[str, int], ...] = ()


def render(contents: Contents) -> str:
    """Return the text of release.json; the same contents give the same bytes."""
    images = [
        {
            "name": image.name,
            "file": image.file,
            "size": image.size,
            "sha256": image.sha256,
            "packages": None
            if image.packages is None
            else [[one.name, one.architecture, one.version] for one in image.packages],
        }
        for image in contents.images
    ]
    told = {
        "schema": 1,
        "version": contents.version,
        "commit": contents.commit,
        "images": images,
        "files": dict(contents.files),
    }
    return json.dumps(told, indent=1, sort_keys=True) + "\n"


def parse(data: bytes) -> Contents:
    """Return the contents that DATA, a release.json of somewhere, tells of. Raises UnreadableError."""
    try:
        found = json.loads(data)
        files = found.get("files", {})  # which those of earlier versions have not
        if found["schema"] != 1 or len(found["images"]) > _LIMIT_IMAGES or len(files) > _LIMIT_FILES:
            raise ValueError
        return Contents(
            version=_text(found["version"]),
            commit=None if found["commit"] is None else _text(found["commit"]),
            images=tuple(_image(one) for one in found["images"]),
            files=tuple(sorted((_text(name), _size(size)) for name, size in files.items())),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableError(f"the last release's {NAME} is none of ours") from error


def _image(found: Any) -> Image:
    packages = found["packages"]
    return Image(
        name=_text(found["name"]),
        file=_text(found["file"]),
        size=_size(found["size"]),
        sha256=_text(found["sha256"]),
        packages=None if packages is None else tuple(_package(one) for one in packages[:LIMIT_PACKAGES]),
    )


def _package(found: Any) -> Package:
    name, architecture, version = found
    return Package(name=_text(name), architecture=_text(architecture), version=_text(version))


def _size(found: Any) -> int:
    if not isinstance(found, int) or found < 0:
        raise ValueError
    return found


def _text(found: Any) -> str:
    if not isinstance(found, str):
        raise TypeError
    return found
