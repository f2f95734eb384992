"""A registry of container images: blobs, then manifests by their digests, and at the very end the tags.

https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md
"""

import base64
import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import quote, urljoin

import requests

from ci_toolkit.errors import ForgeError
from ci_toolkit.forges.forge import BusyError, MissingError, RefusedError
from ci_toolkit.forges.patience import Patience
from ci_toolkit.publish.files import Blob, Container, File, Release
from ci_toolkit.publish.target import Watch
from ci_toolkit.publish.wire import Wire, shaped
from ci_toolkit.releases import version as versions
from ci_toolkit.releases.past import Past

LATEST: Final = "latest"
_Answer = TypeVar("_Answer")
_LIMIT_PAGES: Final = 100
# Docker's own tokens last for five minutes; the specification asks for one at least.
_LOGIN_SECONDS: Final = 50.0
_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')
_RANGE: Final = re.compile(r"(?:bytes=)?0-(\d+)")
_NEXT: Final = re.compile(r'<([^>]+)>;\s*rel="?next"?')
_MANIFESTS: Final = {
    "Accept": "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Account:
    """Who we are at a registry; nobody where `user` is empty."""

    user: str = ""
    password: str = ""

    @property
    def basic(self) -> dict[str, str]:
        if not self.user:
            return {}
        return {"Authorization": f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"}


class Registry:
    """A `Target`: the repository NAME ("images/cloud") of the registry at ROOT ("https://…")."""

    def __init__(self, root: str, repository: str, account: Account, patience: Patience) -> None:
        self.name = f"{root.partition('://')[2]}/{repository}"
        self.limit: int | None = None
        self._root = root
        self._url = f"{root}/v2/{repository}"
        self._scope = f"repository:{repository}:pull,push,delete"
        self._account = account
        self._patience = patience
        self._session = requests.Session()
        self._entered = -_LOGIN_SECONDS
        self._wire = self._authorised({})

    def obstacles(self, release: Release) -> tuple[str, ...]:
        """Return that there is no container image among the files, which is all that a registry takes here."""
        if release.containers:
            return ()
        return ("there is no container image to push: the format oci makes one",)

    def releases(self) -> tuple[Past, ...]:
        """Return the versions that are tags; labels are the other tags of the same images."""

        def attempt() -> tuple[Past, ...]:
            digests = self._tags()
            found: dict[str, set[str]] = {}
            for tag in digests:
                if versions.day_of(_version(tag)) is not None:
                    found.setdefault(_version(tag), set()).add(digests[tag])
            return tuple(
                Past(
                    version=version,
                    labels=tuple(tag for tag in sorted(digests) if digests[tag] in held and _version(tag) != version),
                )
                for version, held in found.items()
            )

        return self._try(attempt)

    def read(self, version: str, name: str, limit: int) -> bytes | None:
        """Return None: a registry has nothing but container images."""
        return None

    def upload(self, release: Release, watch: Watch) -> tuple[File, ...]:
        """Push the missing blobs, and the manifests, which have no tag yet."""
        sent: list[File] = []
        tags = self._try(self._tags)
        for container in release.containers:
            tag = _tag(release, container, release.version)
            if tags.get(tag, container.manifest.digest) != container.manifest.digest:
                raise ForgeError(f"{self.name}:{tag} is another image", hint="Wait for the next day.")
            for blob in container.blobs:
                if self._push(blob, watch):
                    sent.append(blob.file)
            if self._try(lambda one=container.manifest: self._tagged(one, one.digest)):  # type: ignore[misc]
                sent.append(container.manifest.file)
        return tuple(sent)

    def publish(self, release: Release) -> str:
        """Give the manifests their tags: the version, and `latest` where there is no newer version."""
        others = [versions.order(past.version) for past in self.releases()]
        newest = versions.order(release.version) >= max(others, default=versions.order(release.version))
        for container in release.containers:
            for name in (release.version, *((LATEST,) if newest else ())):
                tag, manifest = _tag(release, container, name), container.manifest
                self._try(lambda one=manifest, tag=tag: self._tagged(one, tag))  # type: ignore[misc]
        return ", ".join(
            f"{self.name}:{_tag(release, one, release.version)}@{one.manifest.digest}" for one in release.containers
        )

    def remove(self, past: Past) -> None:
        """Delete the images of a version, but none with another tag: a registry deletes an image with all its tags."""

        def attempt() -> None:
            digests = self._tags()
            ours = {digest for tag, digest in digests.items() if _version(tag) == past.version}
            others = {digest for tag, digest in digests.items() if _version(tag) != past.version}
            for digest in sorted(ours - others):
                with contextlib.suppress(MissingError):
                    self._wire.ask("DELETE", f"{self._url}/manifests/{digest}")

        self._try(attempt)

    def _try(self, work: Callable[[], _Answer]) -> _Answer:
        """Return what WORK returns, again and again where the forge is busy. Raises ForgeError for odd answers."""

        def attempt() -> _Answer:
            with shaped("a registry"):
                return work()

        return self._patience.through(attempt)

    def _push(self, blob: Blob, watch: Watch) -> bool:
        """Push BLOB unless it is there, and tell whether it had to be; a broken upload goes on where it broke off."""
        begun: list[str] = []

        def attempt() -> bool:
            self._enter()
            location, start = self._offset(begun) if begun else ("", 0)
            if not begun:
                if self._has(blob):
                    return bool(location)
                location = self._begin(begun)
            try:
                self._finish(location, start, blob, begun, watch)
            except ForgeError as error:
                if isinstance(error, BusyError | RefusedError) and not isinstance(error, MissingError):
                    raise
                begun.clear()  # it was ended before, or has another digest: a registry throws that away
                raise BusyError(f"the registry did not store {blob.digest}: {error.message}") from error
            return True

        return self._try(attempt)

    def _begin(self, begun: list[str]) -> str:
        """Begin an upload, and return where it goes."""
        address = f"{self._url}/blobs/uploads/"
        said = self._wire.ask("POST", address, data=b"", again=True)
        begun[:] = [urljoin(address, said.headers["Location"])]
        return begun[0]

    def _offset(self, begun: list[str]) -> tuple[str, int]:
        """Return where the upload BEGUN goes on, and how many bytes are there; one that is not known is none."""
        try:
            said = self._wire.ask("GET", begun[0])
        except RefusedError:
            begun.clear()
            return "gone", 0
        # A registry says 0-0 for nothing as for one byte.
        found = _RANGE.fullmatch(said.headers.get("Range", ""))
        start = int(found[1]) + 1 if found and found[1] != "0" else 0
        return urljoin(begun[0], said.headers.get("Location", begun[0])), start

    def _finish(self, location: str, start: int, blob: Blob, begun: list[str], watch: Watch) -> None:
        """Send what is missing of BLOB from the byte START on, and end the upload."""
        size = blob.file.size
        if start < size:
            headers = {"Content-Range": f"{start}-{size - 1}"}
            ahead = watch(blob.file.name, size - start)
            done = self._wire.send("PATCH", location, blob.file, headers=headers, start=start, ahead=ahead)
            location = urljoin(location, done.headers.get("Location", location))
            begun[:] = [location]  # which may say how much is there: the one before would be wrong now
        mark = "&" if "?" in location else "?"
        self._wire.ask("PUT", f"{location}{mark}digest={quote(blob.digest)}", data=b"", again=False)
        if not self._has(blob):
            raise ForgeError("it has another size")

    def _has(self, blob: Blob) -> bool:
        try:
            said = self._wire.ask("HEAD", f"{self._url}/blobs/{blob.digest}")
        except MissingError:
            return False
        return said.headers.get("Content-Length") == str(blob.file.size)

    def _tagged(self, manifest: Blob, reference: str) -> bool:
        """Let REFERENCE, a tag or the digest itself, name MANIFEST, and tell whether it did not before."""
        self._enter()
        if self._digest(reference) == manifest.digest:
            return False
        headers = {"Content-Type": manifest.media_type}
        address = f"{self._url}/manifests/{reference}"
        self._wire.ask("PUT", address, data=manifest.file.path.read_bytes(), headers=headers)
        if self._digest(reference) != manifest.digest:
            raise BusyError(f"the registry stored the manifest of {reference} with another digest")
        return True

    def _digest(self, reference: str) -> str | None:
        try:
            said = self._wire.ask("HEAD", f"{self._url}/manifests/{reference}", headers=_MANIFESTS)
        except MissingError:
            return None
        return said.headers.get("Docker-Content-Digest")

    def _tags(self) -> dict[str, str]:
        """Return every tag with the digest of its image."""
        self._enter()
        found = {tag: self._digest(tag) for tag in self._listed()}
        return {tag: digest for tag, digest in found.items() if digest is not None}

    def _listed(self) -> Iterator[str]:
        address = f"{self._url}/tags/list?n=1000"
        for _ in range(_LIMIT_PAGES):
            try:
                said = self._wire.ask("GET", address)
            except MissingError:
                return  # a repository begins with its first image
            yield from said.json().get("tags") or ()
            following = _NEXT.search(said.headers.get("Link", ""))
            if following is None:
                return
            address = urljoin(address, following[1])

    def _enter(self) -> None:
        """Log in, and again when some time has passed: a registry's tokens last for minutes. Raises RefusedError."""
        if time.monotonic() < self._entered + _LOGIN_SECONDS:
            return
        status, headers = self._wire.knock(f"{self._root}/v2/")
        challenge = headers.get("WWW-Authenticate", "") if status == 401 else ""
        kind, _, rest = challenge.partition(" ")
        match kind.lower():
            case "":
                self._wire = self._authorised({})
            case "basic":
                self._wire = self._authorised(self._account.basic)
            case "bearer":
                self._wire = self._authorised(
                    {"Authorization": f"Bearer {self._token(dict(_PARAMETER.findall(rest)))}"}
                )
            case _:
                raise RefusedError(f"the registry asks for a login of a kind that is not known ({kind[:20]})")
        self._entered = time.monotonic()

    def _token(self, asked: Mapping[str, str]) -> str:
        realm = asked.get("realm", "")
        if not realm.startswith(("https://", self._root)):
            raise RefusedError("the registry sends us for a token to a place without encryption")
        wire = Wire(homes=(realm,), headers=self._account.basic, patience=self._patience, session=self._session)
        query = {"scope": self._scope, **({"service": asked["service"]} if "service" in asked else {})}
        found = wire.ask("GET", realm, query=query).json()
        token = found.get("token") or found.get("access_token")
        if not isinstance(token, str):
            raise RefusedError("the registry gave no token")
        return token

    def _authorised(self, headers: Mapping[str, str]) -> Wire:
        return Wire(homes=(self._root,), headers=headers, patience=self._patience, session=self._session)


def _tag(release: Release, container: Container, name: str) -> str:
    """Return the tag for NAME, a version or `latest`; where a release has several images it begins with theirs."""
    return name if len(release.containers) == 1 else f"{container.name}-{name}"


def _version(tag: str) -> str:
    return tag.rpartition("-")[2]
