"""The files of a release, and the container images among them."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ci_toolkit.errors import UnreadableError, UsageError

PIECE_BYTES: Final = 1 << 20
# Hears how many bytes more are done.
Ahead = Callable[[int], None]
# A manifest or an index of an OCI layout; registries take 4 MiB.
_DOCUMENT_BYTES: Final = 4 << 20
_LIMIT_FILES: Final = 100_000
# What every target takes as a name, in a URL and in a list of checksums.
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~-]{0,254}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a release; `name` has slashes where it lies in a directory of it."""

    name: str
    path: Path
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A piece of a container image, which a registry knows by its digest ("sha256:…")."""

    digest: str
    media_type: str
    file: File


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container image: its manifest, and the blobs that it is made of. `name` is that of its layout."""

    name: str
    manifest: Blob
    blobs: tuple[Blob, ...]

    @property
    def layout(self) -> Path:
        return self.manifest.file.path.parents[2]

    def files(self) -> tuple[File, ...]:
        """Return the files of its layout, sorted by name; each name begins with that of the layout. Raises OSError."""
        pieces = {one.file.name: one.file for one in (self.manifest, *self.blobs)}
        more = (file(self.layout / name, f"{self.layout.name}/{name}") for name in ("index.json", "oci-layout"))
        return tuple(sorted((*pieces.values(), *more), key=lambda one: one.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What is published: files and container images under a version, with notes for people."""

    version: str
    files: tuple[File, ...]
    containers: tuple[Container, ...] = ()
    notes: str = ""
    commit: str | None = None

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def essential(self) -> tuple[File, ...]:
        """The files without the signatures, of which two that were made at different times are both good."""
        return tuple(file for file in self.files if not file.name.endswith((".asc", ".sigstore.json")))

    def adding(self, *files: File) -> "Release":
        """Return the release with FILES, in the place of those of the same names."""
        names = {file.name for file in files}
        kept = (file for file in self.files if file.name not in names)
        return replace(self, files=tuple(sorted((*kept, *files), key=lambda file: file.name)))


def gather(directory: Path) -> tuple[tuple[File, ...], tuple[Container, ...]]:
    """Return the files below DIRECTORY, sorted by name, and its OCI layouts, whose files are not among them.

    Hidden files and symbolic links are left out. Raises UsageError for a name that a target would change,
    UnreadableError where nothing can be read.
    """
    if not directory.is_dir():
        raise UnreadableError(f"{directory} is not a directory", hint="Name the directory that holds the files.")
    layouts = [path.parent for path in sorted(directory.glob("*/oci-layout"))]
    try:
        files = tuple(file(path, name) for path, name in _named(directory, layouts))
        return files, tuple(container(layout) for layout in layouts)
    except OSError as error:
        raise UnreadableError(f"{error.filename or directory}: {error.strerror}") from error


def file(path: Path, name: str) -> File:
    """Return the file at PATH, which is read for its digest. Raises OSError."""
    hashed, size = hashlib.sha256(), 0
    with path.open("rb") as opened:
        while piece := opened.read(PIECE_BYTES):
            hashed.update(piece)
            size += len(piece)
    return File(name=name, path=path, size=size, sha256=hashed.hexdigest())


def container(layout: Path) -> Container:
    """Return the container image of the OCI layout LAYOUT. Raises UnreadableError where it is not whole.

    https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md
    """
    # Whatever a build's script lets a link lead to would be published.
    if any(path.is_symlink() for path in (layout, *layout.rglob("*"))):
        raise UnreadableError(f"{layout} holds symbolic links, which an image has none of", hint="Build it again.")
    index = _document(layout / "index.json")
    manifests = index.get("manifests")
    if not isinstance(manifests, list) or len(manifests) != 1:
        raise UnreadableError(f"{layout} does not hold exactly one image", hint="Publish each in a layout of its own.")
    manifest = _blob(layout, manifests[0])
    found = _document(manifest.file.path)
    layers = found.get("layers")
    if not isinstance(layers, list) or len(layers) > _LIMIT_FILES:
        raise UnreadableError(f"{layout}: its manifest has no layers")
    pieces = {one.digest: one for one in (_blob(layout, piece) for piece in (found.get("config"), *layers))}
    name = layout.name.removesuffix(".oci")
    return Container(name=name, manifest=manifest, blobs=tuple(pieces.values()))


def _named(directory: Path, layouts: list[Path]) -> Iterator[tuple[Path, str]]:
    """Yield the files to publish with their names, sorted."""
    count = 0
    for place, below, names in os.walk(directory):
        below[:] = sorted(one for one in below if not one.startswith(".") and Path(place, one) not in layouts)
        for name in sorted(one for one in names if not one.startswith(".")):
            path = Path(place, name)
            if path.is_symlink() or not path.is_file():
                continue
            count += 1
            relative = path.relative_to(directory)
            if not all(_NAME.fullmatch(part) for part in relative.parts):
                raise UsageError(
                    f"{relative.as_posix()!r} is no name under which every target takes a file",
                    hint="Letters, digits, and . _ + ~ - are.",
                )
            if count > _LIMIT_FILES:
                raise UsageError(
                    f"{directory} holds more than {_LIMIT_FILES} files", hint="Publish an archive of them."
                )
            yield path, relative.as_posix()


def _blob(layout: Path, descriptor: object) -> Blob:
    """Return the blob that DESCRIPTOR names, read and held against its digest."""
    found = descriptor if isinstance(descriptor, dict) else {}
    digest, kind = found.get("digest"), found.get("mediaType")
    if (
        not isinstance(digest, str)
        or not _DIGEST.fullmatch(digest)
        or not isinstance(kind, str)
        or not kind.isprintable()
    ):
        raise UnreadableError(f"{layout}: a descriptor in it is damaged")
    name = f"blobs/{digest.replace(':', '/')}"
    found_file = file(layout / name, f"{layout.name}/{name}")
    if f"sha256:{found_file.sha256}" != digest:
        raise UnreadableError(f"{layout}: {name} does not have the digest that is its name")
    return Blob(digest=digest, media_type=kind, file=found_file)


def _document(path: Path) -> dict[str, object]:
    try:
        if path.stat().st_size > _DOCUMENT_BYTES:
            raise ValueError
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{path} is not JSON of a container image") from error
    if not isinstance(found, dict):
        raise UnreadableError(f"{path} is not JSON of a container image")
    return found
