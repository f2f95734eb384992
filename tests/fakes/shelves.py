"""A release of a few files and a container image, and every kind of target, each with a server of its own."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import fake_gitlab
import real_registry
from fake_github import REPOSITORY, TOKEN, FakeGitHub
from fake_gitlab import FakeGitLab
from forge_server import ForgeServer
from waits import Waits

from ci_toolkit.publish import checksums, files, targets
from ci_toolkit.publish.files import Release
from ci_toolkit.publish.target import Target

# Makes the release of a version, with a word of its own.
Make = Callable[..., Release]

DAYS = ("2026.10.31", "2026.11.14", "2026.11.28")


def layout(place: Path, layer: bytes) -> None:
    """Write an OCI layout of one layer, as umoci and mkosi do."""
    blobs = place / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(kind: str, data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    diff = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff]}}
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob("config.v1+json", json.dumps(config).encode()),
        "layers": [blob("layer.v1.tar", layer)],
    }
    index = {"schemaVersion": 2, "manifests": [blob("manifest.v1+json", json.dumps(manifest).encode())]}
    (place / "index.json").write_text(json.dumps(index), encoding="utf-8")
    (place / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}', encoding="utf-8")


def release(place: Path, version: str = DAYS[-1], word: str = "") -> Release:
    """Return the release VERSION of files that are written below PLACE; their bytes are of the version and WORD."""
    place /= f"files-{version}{word}"
    place.mkdir()
    (place / "cloud.raw").write_bytes(f"{version}{word}".encode() * 20_000)
    (place / "cloud.manifest").write_text(f"packages of {version}", encoding="utf-8")
    (place / "empty").touch()
    layout(place / "cloud.oci", f"layer of {version}{word}".encode() * 5_000)
    found, containers = files.gather(place)
    made = Release(version=version, files=found, containers=containers, notes="Notes", commit="c" * 40)
    return made.adding(checksums.write(found, place))


@dataclass(kw_only=True)
class Shelf:
    """A target, the server behind it (None for a directory), and what people can have there, by version and name.

    `written` and `environ` are how it is named on a command line.
    """

    written: str
    environ: Mapping[str, str]
    published: Callable[[], dict[str, object]]
    waits: Waits
    server: ForgeServer | None = None
    sends: str = ""

    @cached_property
    def target(self) -> Target:
        return targets.find(self.written, self.environ, self.waits.patience())

    @property
    def only(self) -> ForgeServer:
        assert self.server is not None
        return self.server


def on_directory(place: Path) -> Iterator[Shelf]:
    waits, root = Waits(), place / "mirror"

    def published() -> dict[str, object]:
        return {
            version.name: {
                path.relative_to(version).as_posix(): path.read_bytes()
                for path in version.rglob("*")
                if path.is_file() and "cloud.oci" not in path.parts
            }
            for version in (root.iterdir() if root.is_dir() else ())
            if version.is_dir() and not version.is_symlink() and not version.name.startswith(".")
        }

    yield Shelf(written=f"dir:{root}", environ={}, published=published, waits=waits)


def on_github(_: Path) -> Iterator[Shelf]:
    fake, waits = FakeGitHub(), Waits()
    with fake.server:
        environ = {"GITHUB_API_URL": fake.server.url, "GITHUB_TOKEN": TOKEN}
        yield Shelf(
            written=f"github:{REPOSITORY}",
            environ=environ,
            published=lambda: {**fake.releases.published()},
            waits=waits,
            server=fake.server,
            sends="POST",
        )
    assert fake.server.violations == []


def on_gitlab(_: Path) -> Iterator[Shelf]:
    fake, waits = FakeGitLab(), Waits()
    with fake.server:
        environ = {"CI_API_V4_URL": fake.api_url, "CI_PROJECT_ID": "7", "CI_JOB_TOKEN": fake_gitlab.JOB_TOKEN}
        yield Shelf(
            written="gitlab:cloud",
            environ=environ,
            published=lambda: {**fake.releases.published()},
            waits=waits,
            server=fake.server,
            sends="PUT",
        )
    assert fake.server.violations == []


def on_registry(place: Path) -> Iterator[Shelf]:
    with real_registry.running(place) as registry:
        waits = Waits()

        def published() -> dict[str, object]:
            return {tag: registry.image(tag) for tag in registry.tags()}

        yield Shelf(
            written=registry.target, environ={}, published=published, waits=waits, server=registry.server, sends="PATCH"
        )


SHELVES: dict[str, Callable[[Path], Iterator[Shelf]]] = {
    "directory": on_directory,
    "github": on_github,
    "gitlab": on_gitlab,
    "registry": on_registry,
}
