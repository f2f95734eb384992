"""A container image to start: an OCI layout, or an archive of one, or what `docker save` wrote.

What the engine is handed is an archive made anew, of one image under a name of ours: the names in the given one could
take the place of images that the user has.
"""

import json
import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.formats import tar as writer
from ci_toolkit.images import directory
from ci_toolkit.images.archives import oci, oci_records, tar
from ci_toolkit.images.archives.oci_records import Json
from ci_toolkit.images.data import OpenFile, whole
from ci_toolkit.images.entry import Container, Entry, Kind
from ci_toolkit.images.limits import MIB, Budget, Limits

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_LAYERS_MAX: Final = 1000
_DEPTH_MAX: Final = 4
_HINT: Final = "Give an OCI image layout, or an archive of `docker save` or `skopeo copy`, with one image."
_ATTESTATION: Final = "vnd.docker.reference.type"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerImage:
    """One image: its configuration as it is written, and its layers, from the lowest on."""

    path: Path
    configuration: bytes
    layers: tuple[Entry, ...]
    names_a_command: bool

    def archive(self, name: str) -> Iterator[bytes]:
        """Yield what an engine loads as an image called NAME. Raises UnreadableError where a layer cannot be read."""
        files = [f"{number}.tar" for number in range(len(self.layers))]
        manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": files}]).encode()
        for member, content in (("manifest.json", manifest), ("config.json", self.configuration)):
            yield writer.plain(member, len(content)) + content + writer.padded(len(content))
        for member, layer in zip(files, self.layers, strict=True):
            assert layer.data is not None
            yield writer.plain(member, layer.size)
            for offset in range(0, layer.size, MIB):
                yield layer.data.read_at(offset, MIB)
            yield writer.padded(layer.size)
        yield writer.END


@contextmanager
def opened(path: Path) -> Iterator[ContainerImage | None]:
    """Open the container image at PATH; None where it is something else. Raises UnreadableError where it is damaged."""
    if path.is_dir():
        yield _layout(path)
        return
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from error
    try:
        found = os.fstat(fd)
        data = whole(OpenFile(fd=fd, size=found.st_size, name=os.fspath(path)))
        if not stat.S_ISREG(found.st_mode) or not oci.recognise(data):
            yield None
            return
        budget = Budget(Limits().scaled(data.size))
        yield _image(path, tar.read(data, budget), budget)
    finally:
        os.close(fd)


def _layout(path: Path) -> ContainerImage | None:
    if not (path / "oci-layout").is_file():
        return None
    budget = Budget(Limits())
    return _image(path, directory.read(path, budget), budget)


def _image(path: Path, container: Container, budget: Budget) -> ContainerImage:
    files = {posixpath.normpath(entry.path): entry for entry in container.entries if entry.kind is Kind.FILE}
    config, layers = _saved(path, files, budget) if "manifest.json" in files else _indexed(path, files, budget)
    if len(layers) > _LAYERS_MAX:
        raise UnreadableError(f"{path} has {len(layers)} layers, more than {_LAYERS_MAX}", hint=_HINT)
    document, raw = oci_records.parsed(_file(path, files, config), budget)
    told = oci_records.child(document, "config")
    return ContainerImage(
        path=path,
        configuration=raw,
        layers=tuple(_file(path, files, layer) for layer in layers),
        names_a_command=bool(oci_records.child(told, "Entrypoint") or oci_records.child(told, "Cmd")),
    )


def _saved(path: Path, files: dict[str, Entry], budget: Budget) -> tuple[str, list[str]]:
    """Return where the configuration and the layers are, as `docker save` tells."""
    document, _ = oci_records.parsed(files["manifest.json"], budget)
    images = document if isinstance(document, list) else []
    if len(images) != 1:
        raise UnreadableError(f"{path} holds {len(images)} container images, and one can be started", hint=_HINT)
    layers = [layer for layer in oci_records.children(images[0], "Layers") if isinstance(layer, str)]
    return oci_records.word(images[0], "Config"), layers


def _indexed(path: Path, files: dict[str, Entry], budget: Budget) -> tuple[str, list[str]]:
    """Return where the configuration and the layers are, as the index of a layout tells."""
    document, _ = oci_records.parsed(_file(path, files, "index.json"), budget)
    for _ in range(_DEPTH_MAX):
        manifests = oci_records.children(document, "manifests")
        if not manifests:
            break
        document, _ = oci_records.parsed(_file(path, files, oci_records.blob(_chosen(path, manifests))), budget)
    layers = [oci_records.blob(layer) for layer in oci_records.children(document, "layers")]
    return oci_records.blob(oci_records.child(document, "config")), layers


def _chosen(path: Path, manifests: list[Json]) -> Json:
    """Return the only image of MANIFESTS, or the only one for this machine. Raises UnreadableError."""
    images = [one for one in manifests if _ATTESTATION not in json.dumps(oci_records.child(one, "annotations"))]
    if len(images) > 1:
        ours = _ARCHITECTURES.get(os.uname().machine, os.uname().machine)
        images = [one for one in images if oci_records.word(oci_records.child(one, "platform"), "architecture") == ours]
    if len(images) != 1:
        raise UnreadableError(f"{path} holds {len(images)} container images for this machine, not one", hint=_HINT)
    return images[0]


def _file(path: Path, files: dict[str, Entry], name: str) -> Entry:
    found = files.get(posixpath.normpath(name)) if name else None
    if found is None or found.data is None:
        raise UnreadableError(f"{path} is no whole container image: it has no {name or 'manifest'}", hint=_HINT)
    return found
