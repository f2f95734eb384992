"""Container images of the root file system: an OCI image layout, and what `docker save` would write.

https://github.com/opencontainers/image-spec/blob/v1.1.0/spec.md
"""

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ci_toolkit.formats import gzip, tar
from ci_toolkit.formats.tree import Tree
from ci_toolkit.formats.work import Work

_TYPE: Final = "application/vnd.oci.image."
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHELLS: Final = ("usr/bin/bash", "bin/bash", "usr/bin/sh", "bin/sh")
# The last second that a date of four digits can tell.
_LAST: Final = 253_402_300_799


def layout(work: Work, target: Path) -> None:
    """Write the layout, of one image with one layer, into the directory TARGET."""
    tree = work.tree
    done = work.progress("oci", tree.size)
    blobs = target / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    whole, packed = hashlib.sha256(), hashlib.sha256()

    def content() -> Iterator[bytes]:
        for piece in tar.stream(tree):
            whole.update(piece)
            yield piece
            done(len(piece))

    size = 0
    layer = blobs / "layer"
    with layer.open("wb") as file:
        for piece in gzip.compressed(content()):
            packed.update(piece)
            size += file.write(piece)
    layer.rename(blobs / packed.hexdigest())
    layers = [{"mediaType": f"{_TYPE}layer.v1.tar+gzip", "digest": f"sha256:{packed.hexdigest()}", "size": size}]
    configuration = _blob(blobs, f"{_TYPE}config.v1+json", _configuration(tree, whole.hexdigest()))
    kind = f"{_TYPE}manifest.v1+json"
    manifest = _blob(blobs, kind, {"schemaVersion": 2, "mediaType": kind, "config": configuration, "layers": layers})
    manifest["platform"] = {"architecture": tree.architecture(), "os": "linux"}
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    index = {"schemaVersion": 2, "mediaType": f"{_TYPE}index.v1+json", "manifests": [manifest]}
    (target / "index.json").write_bytes(_written(index))
    (target / "oci-layout").write_bytes(_written({"imageLayoutVersion": "1.0.0"}))


def archive(work: Work, target: Path) -> None:
    """Write the archive to TARGET. The files are read twice: a header tells the size of a layer before it comes."""
    tree = work.tree
    done = work.progress("docker-archive", 2 * tree.size)
    hashed, size = hashlib.sha256(), 0
    for piece in tar.stream(tree):
        hashed.update(piece)
        size += len(piece)
        done(len(piece))
    configuration = _written(_configuration(tree, hashed.hexdigest()))
    name = f"{hashlib.sha256(configuration).hexdigest()}.json"
    layer = f"{hashed.hexdigest()}.tar"
    manifest = _written([{"Config": name, "RepoTags": [f"{_repository(work.disk.name)}:latest"], "Layers": [layer]}])
    with target.open("wb") as file:
        for member, content in ((name, configuration), ("manifest.json", manifest)):
            file.write(tar.plain(member, len(content)) + content + tar.padded(len(content)))
        file.write(tar.plain(layer, size))
        for piece in tar.stream(tree):
            file.write(piece)
            done(len(piece))
        file.write(tar.padded(size) + tar.END)


def _configuration(tree: Tree, layer: str) -> dict[str, Any]:
    """Return the configuration of an image of one layer; it was created when its newest file was."""
    created = datetime.fromtimestamp(min(max(0, tree.newest()), _LAST), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    shell = tree.has(*_SHELLS)
    return {
        "created": created,
        "architecture": tree.architecture(),
        "os": "linux",
        "config": {"Env": [f"PATH={_PATH}"], **({"Cmd": [f"/{shell}"]} if shell else {})},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
        "history": [{"created": created, "created_by": "ci-toolkit convert"}],
    }


def _blob(blobs: Path, kind: str, content: dict[str, Any]) -> dict[str, Any]:
    """Write CONTENT as a blob, and return its descriptor."""
    raw = _written(content)
    digest = hashlib.sha256(raw).hexdigest()
    (blobs / digest).write_bytes(raw)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(raw)}


def _written(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":"), sort_keys=True).encode()


def _repository(name: str) -> str:
    """Return NAME as a repository may be called: small letters and digits, single signs between them."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "image"
