"""A GitHub release: a draft, its assets, and then it is published.

https://docs.github.com/en/rest/releases
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

from ci_toolkit.errors import ForgeError
from ci_toolkit.forges.forge import PAGE_SIZE, BusyError, MissingError
from ci_toolkit.forges.patience import Patience
from ci_toolkit.publish.files import File, Release
from ci_toolkit.publish.target import Watch
from ci_toolkit.publish.wire import Wire, shaped
from ci_toolkit.releases import version as versions
from ci_toolkit.releases.past import Past

# By which a draft of ours is told from one that people write.
MARK: Final = "<!-- ci-toolkit release -->"
# https://docs.github.com/en/repositories/releasing-projects-on-github/about-releases#storage-and-bandwidth-quotas
LIMIT_BYTES: Final = 2 * 1024**3 - 1
LIMIT_ASSETS: Final = 1000
_LIMIT_PAGES: Final = 100
# What GitHub leaves as it is; other characters become dots.
_NAME: Final = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9._+-]*[A-Za-z0-9_+-])?")
_BINARY: Final = {"Accept": "application/octet-stream"}

_Json = dict[str, Any]
_Answer = TypeVar("_Answer")


class Releases:
    """A `Target`: the releases of REPOSITORY ("owner/name") at the API API_URL."""

    def __init__(self, api_url: str, repository: str, token: str, patience: Patience) -> None:
        self.name = f"github:{repository}"
        self.limit: int | None = LIMIT_BYTES
        self._url = f"{api_url}/repos/{repository}/releases"
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        self._wire = Wire(homes=(api_url, _uploads(api_url)), headers=headers, patience=patience)
        self._patience = patience

    def obstacles(self, release: Release) -> tuple[str, ...]:
        """Return what GitHub does not take: 2 GiB a file, 1000 files, names of some kinds, directories."""
        found = [
            f"{one.name} has {one.size:,} bytes; an asset on GitHub is smaller than 2 GiB"
            for one in release.files
            if one.size > LIMIT_BYTES
        ]
        if len(release.files) > LIMIT_ASSETS:
            found.append(f"there are {len(release.files):,} files; a release on GitHub takes {LIMIT_ASSETS:,}")
        found += [
            f"GitHub would give {one.name} another name" for one in release.files if not _NAME.fullmatch(one.name)
        ]
        return tuple(found)

    def releases(self) -> tuple[Past, ...]:
        """Return the published releases whose tag is a version; a title that somebody gave one is its label."""
        return self._try(
            lambda: tuple(
                Past(version=one["tag_name"], labels=_labels(one))
                for one in self._listed()
                if not one["draft"] and versions.day_of(one["tag_name"]) is not None
            )
        )

    def read(self, version: str, name: str, limit: int) -> bytes | None:
        """Return the asset NAME of the published release VERSION."""

        def attempt() -> bytes | None:
            try:
                found = self._wire.ask("GET", f"{self._url}/tags/{quote(version)}").json()
            except MissingError:
                return None
            asset = self._assets(found["id"]).get(name)
            return None if asset is None else self._wire.read(asset["url"], limit, headers=_BINARY)

        return self._try(attempt)

    def upload(self, release: Release, watch: Watch) -> tuple[File, ...]:
        """Put the missing assets into our draft; into a published release nothing is put."""
        found = self._try(lambda: self._begun(release))
        assets = self._try(lambda: self._assets(found["id"]))
        missing = tuple(one for one in release.files if not self._is_there(assets.get(one.name), one))
        if not found["draft"]:
            if set(missing) & set(release.essential):
                raise ForgeError(f"{self.name} has another release {release.version}", hint="Wait for the next day.")
            return ()
        self._remove_others(assets, {one.name for one in release.files})
        for one in missing:
            self._try(lambda one=one: self._put(found, one, watch))  # type: ignore[misc]
        return missing

    def publish(self, release: Release) -> str:
        """Make the draft a release, once all of it is there."""

        def attempt() -> str:
            found = self._begun(release)
            assets = self._assets(found["id"])
            wanted = release.files if found["draft"] else release.essential
            absent = [one.name for one in wanted if not self._is_there(assets.get(one.name), one)]
            if absent or len(assets) != len(release.files):
                raise ForgeError(
                    f"the draft {release.version} is not whole: {', '.join(absent) or 'it has other assets'}",
                    hint="Run it again with --resume.",
                )
            if not found["draft"]:
                return str(found["html_url"])
            days = [versions.order(one["tag_name"]) for one in self._listed() if not one["draft"]]
            latest = versions.order(release.version) >= max(days, default=versions.order(release.version))
            content = {
                "body": _body(release),  # the draft may be of a run that knew less
                "draft": False,
                "make_latest": "true" if latest else "false",
            }
            done = self._wire.ask("PATCH", f"{self._url}/{found['id']}", content=content).json()
            self._sweep(release.version)
            return str(done["html_url"])

        return self._try(attempt)

    def remove(self, past: Past) -> None:
        """Delete the release with its assets; its tag stays."""

        def attempt() -> None:
            for one in list(self._listed()):
                if one["tag_name"] == past.version and not one["draft"]:
                    self._delete(f"{self._url}/{one['id']}")

        self._try(attempt)

    def _try(self, work: Callable[[], _Answer]) -> _Answer:
        """Return what WORK returns, again and again where the forge is busy. Raises ForgeError for odd answers."""

        def attempt() -> _Answer:
            with shaped("GitHub's API"):
                return work()

        return self._patience.through(attempt)

    def _sweep(self, version: str) -> None:
        """Remove our drafts of this version and of those before it: nobody goes on with them."""
        for one in list(self._listed()):
            ours = one["draft"] and MARK in (one["body"] or "") and versions.day_of(one["tag_name"]) is not None
            if ours and versions.order(one["tag_name"]) <= versions.order(version):
                self._delete(f"{self._url}/{one['id']}")

    def _begun(self, release: Release) -> _Json:
        """Return the published release of this version, else our draft of it, which is made where there is none.

        Of two drafts, which two pipelines may have made at once, the first one counts for both.
        """
        ours = [one for one in self._listed() if one["tag_name"] == release.version]
        published = [one for one in ours if not one["draft"]]
        drafts = sorted((one for one in ours if MARK in (one["body"] or "")), key=lambda one: int(one["id"]))
        if published or drafts:
            found: _Json = (published or drafts)[0]
            return found
        content = {
            "tag_name": release.version,
            "name": release.version,
            "body": _body(release),
            "draft": True,
            **({"target_commitish": release.commit} if release.commit else {}),
        }
        made: _Json = self._wire.ask("POST", self._url, content=content).json()
        return made

    def _put(self, draft: _Json, file: File, watch: Watch) -> None:
        """Upload FILE in the place of what a broken upload or another try has left under its name."""
        asset = self._assets(draft["id"]).get(file.name)
        if self._is_there(asset, file):
            return
        if asset is not None:
            self._delete(f"{self._url}/assets/{asset['id']}")
        address = draft["upload_url"].partition("{")[0]
        query = {"name": file.name}
        done = self._wire.send("POST", address, file, query=query, ahead=watch(file.name, file.size)).json()
        if not self._is_there(done, file):
            raise BusyError(f"the forge stored {file.name} with another digest")

    def _is_there(self, asset: _Json | None, file: File) -> bool:
        """Tell whether ASSET is FILE: by its digest, or where GitHub has none by what it hands out."""
        if asset is None or asset["state"] != "uploaded" or (asset["name"], asset["size"]) != (file.name, file.size):
            return False
        if asset["digest"]:
            return bool(asset["digest"] == f"sha256:{file.sha256}")
        hashed = hashlib.sha256()
        for piece in self._wire.pieces(asset["url"], headers=_BINARY):
            hashed.update(piece)
        return hashed.hexdigest() == file.sha256

    def _remove_others(self, assets: dict[str, _Json], names: set[str]) -> None:
        for name in sorted(assets.keys() - names):
            address = f"{self._url}/assets/{assets[name]['id']}"
            self._try(lambda address=address: self._delete(address))  # type: ignore[misc]

    def _delete(self, address: str) -> None:
        try:
            self._wire.ask("DELETE", address)
        except MissingError:
            return  # it is gone

    def _assets(self, number: int) -> dict[str, _Json]:
        return {one["name"]: one for one in self._pages(f"{self._url}/{number}/assets")}

    def _listed(self) -> Iterator[_Json]:
        yield from self._pages(self._url)

    def _pages(self, address: str) -> Iterator[_Json]:
        for page in range(1, _LIMIT_PAGES + 1):
            items = self._wire.ask("GET", address, query={"per_page": PAGE_SIZE, "page": page}).json()
            yield from items
            if len(items) < PAGE_SIZE:
                return


def _body(release: Release) -> str:
    return f"{release.notes}\n{MARK}"


def _labels(release: _Json) -> tuple[str, ...]:
    title = (release["name"] or "").strip()
    return (title,) if title and title != release["tag_name"] else ()


def _uploads(api_url: str) -> str:
    """Return where GitHub takes uploads; on GitHub Enterprise Server that is the same host."""
    parts = urlsplit(api_url)
    return f"{parts.scheme}://uploads.github.com" if parts.netloc == "api.github.com" else api_url
