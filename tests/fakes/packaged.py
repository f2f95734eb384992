"""Container images for tests: a layout written by hand, which skopeo then copies into every other form."""

import gzip
import hashlib
import json
import os
from pathlib import Path

from bench import run

Json = dict[str, object]
CREATED = "2023-11-14T22:13:20Z"


def layer(root: Path, *names: str) -> bytes:
    """Pack NAMES below ROOT as a layer."""
    options = ("--sort=name", "--mtime=@1700000000", "--numeric-owner", "--owner=0", "--group=0")
    return run("tar", "-c", *options, "-C", root, *names)


def layout(directory: Path, layers: list[bytes], *, created: str = CREATED, **annotations: str) -> Path:
    """Write an OCI layout of LAYERS, compressed, with a config and a manifest."""
    (directory / "blobs/sha256").mkdir(parents=True)
    descriptors = [
        _blob(directory, gzip.compress(one, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip") for one in layers
    ]
    config: Json = {
        "architecture": "amd64",
        "os": "linux",
        "created": created,
        "config": {"Env": ["PATH=/usr/bin"], "Cmd": ["/bin/sh"], "Labels": {"name": "test"}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in layers]},
        "history": [{"created": created, "created_by": f"step {number}"} for number in range(len(layers))],
    }
    manifest: Json = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _json(directory, config, "application/vnd.oci.image.config.v1+json"),
        "layers": descriptors,
        "annotations": {"io.systemd.mkosi.version": "26"} | annotations,
    }
    described = _json(directory, manifest, "application/vnd.oci.image.manifest.v1+json")
    index: Json = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [described]}
    (directory / "index.json").write_text(json.dumps(index))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    for path in (directory, *directory.rglob("*")):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return directory


def copied(source: str, target: str) -> None:
    run("skopeo", "--insecure-policy", "copy", "--quiet", source, target, environment={"TMPDIR": "/tmp"})


def inspected(place: str, *options: str) -> Json:
    told: Json = json.loads(run("skopeo", "inspect", *options, place))
    return told


def _json(directory: Path, document: Json, kind: str) -> Json:
    return _blob(directory, json.dumps(document).encode(), kind)


def _blob(directory: Path, content: bytes, kind: str) -> Json:
    digest = hashlib.sha256(content).hexdigest()
    (directory / "blobs/sha256" / digest).write_bytes(content)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}
