"""GitLab: the files in a generic package, and a release that links to them, which is made last.

https://docs.gitlab.com/user/packages/generic_packages/ and https://docs.gitlab.com/api/releases/
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import quote

from ci_toolkit.errors import ForgeError
from ci_toolkit.forges.forge import PAGE_SIZE, BusyError, MissingError
from ci_toolkit.forges.patience import Patience
from ci_toolkit.publish.files import File, Release
from ci_toolkit.publish.target import Watch
from ci_toolkit.publish.wire import Wire, shaped
from ci_toolkit.releases import version as versions
from ci_toolkit.releases.past import Past

# https://docs.gitlab.com/administration/instance_limits/#package-registry-limits
LIMIT_BYTES: Final = 5 * 1024**3
_LIMIT_PAGES: Final = 100
_NAME: Final = re.compile(r"[A-Za-z0-9._+-][A-Za-z0-9._+~-]*(?<!~)")
_PACKAGE: Final = re.compile(r"[A-Za-z0-9._+-]+")

_Json = dict[str, Any]
_Answer = TypeVar("_Answer")


class Packages:
    """A `Target`: the generic package PACKAGE of PROJECT (an id), and the project's releases.

    HEADERS hold the token: PRIVATE-TOKEN, or JOB-TOKEN, which is enough here.
    """

    def __init__(
        self, api_url: str, project: str, package: str, headers: Mapping[str, str], patience: Patience
    ) -> None:
        self.name = f"gitlab:{package}"
        self.limit: int | None = LIMIT_BYTES
        self._package = package
        self._project = f"{api_url}/projects/{quote(project, safe='')}"
        self._wire = Wire(homes=(api_url,), headers=headers, patience=patience)
        self._patience = patience
        # The packages of a version: a release of many files would ask for them again and again.
        self._numbers: dict[str, list[int]] = {}

    def obstacles(self, release: Release) -> tuple[str, ...]:
        """Return what GitLab does not take: more than 5 GB a file, names of some kinds, directories."""
        found = [
            f"{one.name} has {one.size:,} bytes; a file on GitLab has at most 5 GB"
            for one in release.files
            if one.size > LIMIT_BYTES
        ]
        found += [f"GitLab takes no file {one.name}" for one in release.files if not _NAME.fullmatch(one.name)]
        if not _PACKAGE.fullmatch(self._package):
            found.append(f"GitLab takes no package {self._package!r}")
        return tuple(found)

    def releases(self) -> tuple[Past, ...]:
        """Return the releases whose tag is a version; a title that somebody gave one is its label."""
        return self._try(
            lambda: tuple(
                Past(version=one["tag_name"], labels=_labels(one))
                for one in self._pages(f"{self._project}/releases")
                if versions.day_of(one["tag_name"]) is not None
            )
        )

    def read(self, version: str, name: str, limit: int) -> bytes | None:
        """Return the file NAME of the package of VERSION."""

        def attempt() -> bytes | None:
            try:
                return self._wire.read(self._address(version, name), limit)
            except MissingError:
                return None

        return self._try(attempt)

    def upload(self, release: Release, watch: Watch) -> tuple[File, ...]:
        """Put the missing files into the package; no release leads to them yet."""
        held = self._try(lambda: self._held(release.version))
        missing = tuple(one for one in release.files if not _is_there(held.get(one.name, []), one))
        released: _Json | None = self._try(lambda: self._released(release.version))
        if missing and released is not None:
            if set(missing) & set(release.essential):
                raise ForgeError(f"{self.name} has another release {release.version}", hint="Wait for the next day.")
            return ()
        for one in release.files:
            self._put(release.version, one, held, watch)
        return missing

    def publish(self, release: Release) -> str:
        """Make the release with its links."""
        links = [
            {"name": one.name, "url": self._address(release.version, one.name), "link_type": _kind(one.name)}
            for one in release.files
        ]
        content = {
            "tag_name": release.version,
            "name": release.version,
            "description": release.notes,
            "assets": {"links": links},
            **({"ref": release.commit} if release.commit else {}),
        }

        held = self._try(lambda: self._held(release.version))
        released: _Json | None = self._try(lambda: self._released(release.version))
        wanted = release.files if released is None else release.essential
        absent = [one.name for one in wanted if not _is_there(held.get(one.name, []), one)]
        if absent:
            raise ForgeError(f"the package is not whole: {', '.join(absent)}", hint="Run it again with --resume.")

        def attempt() -> str:
            found = self._released(release.version)
            if found is None:
                found = self._wire.ask("POST", f"{self._project}/releases", content=content).json()
            return str((found.get("_links") or {}).get("self") or f"{self.name} {release.version}")

        return self._try(attempt)

    def remove(self, past: Past) -> None:
        """Delete the release, then the package that it led to; the tag stays."""

        def attempt() -> None:
            self._numbers.pop(past.version, None)
            self._delete(f"{self._project}/releases/{quote(past.version)}")
            for one in self._packages(past.version):
                self._delete(f"{self._project}/packages/{one['id']}")

        self._try(attempt)

    def _try(self, work: Callable[[], _Answer]) -> _Answer:
        """Return what WORK returns, again and again where the forge is busy. Raises ForgeError for odd answers."""

        def attempt() -> _Answer:
            with shaped("GitLab's API"):
                return work()

        return self._patience.through(attempt)

    def _put(self, version: str, file: File, seen: dict[str, list[_Json]], watch: Watch) -> None:
        """Upload FILE unless it is there, and remove others of its name: GitLab keeps them all.

        What has been SEEN of the package is believed once; after a failure it is looked at again.
        """
        looks = [seen]

        def attempt() -> None:
            held = (looks.pop() if looks else self._held(version)).get(file.name, [])
            right = [one for one in held if _is_there([one], file)]
            for one in held:
                if one not in right[:1]:
                    self._delete(f"{self._project}/packages/{one['package_id']}/package_files/{one['id']}")
            if right:
                return
            address, query = self._address(version, file.name), {"select": "package_file"}
            ahead = watch(file.name, file.size)
            done = self._wire.send("PUT", address, file, query=query, ahead=ahead).json()
            if done.get("file_sha256") != file.sha256:
                raise BusyError(f"the forge stored {file.name} with another digest")

        self._try(attempt)

    def _released(self, version: str) -> _Json | None:
        try:
            found: _Json = self._wire.ask("GET", f"{self._project}/releases/{quote(version)}").json()
        except MissingError:
            return None
        return found

    def _held(self, version: str) -> dict[str, list[_Json]]:
        """Return the files of the package of VERSION by their names, each with the number of its package."""
        found: dict[str, list[_Json]] = {}
        numbers = self._numbers.get(version) or [int(one["id"]) for one in self._packages(version)]
        self._numbers[version] = numbers
        for number in numbers:
            for one in self._pages(f"{self._project}/packages/{number}/package_files"):
                found.setdefault(one["file_name"], []).append({**one, "package_id": number})
        return found

    def _packages(self, version: str) -> list[_Json]:
        query = {"package_type": "generic", "package_name": self._package, "package_version": version}
        return [
            one
            for one in self._pages(f"{self._project}/packages", query)
            if (one["name"], one["version"]) == (self._package, version)  # the filter by name finds parts of it too
        ]

    def _address(self, version: str, name: str) -> str:
        return f"{self._project}/packages/generic/{quote(self._package)}/{quote(version)}/{quote(name)}"

    def _delete(self, address: str) -> None:
        try:
            self._wire.ask("DELETE", address)
        except MissingError:
            return  # it is gone

    def _pages(self, address: str, query: Mapping[str, str] | None = None) -> Iterator[_Json]:
        for page in range(1, _LIMIT_PAGES + 1):
            items = self._wire.ask("GET", address, query={**(query or {}), "per_page": PAGE_SIZE, "page": page}).json()
            yield from items
            if len(items) < PAGE_SIZE:
                return


def _is_there(held: list[_Json], file: File) -> bool:
    """Tell whether one of the files HELD under the name of FILE has its bytes."""
    return any((one["size"], one["file_sha256"]) == (file.size, file.sha256) for one in held)


def _labels(release: _Json) -> tuple[str, ...]:
    title = (release["name"] or "").strip()
    return (title,) if title and title != release["tag_name"] else ()


def _kind(name: str) -> str:
    return "image" if name.endswith((".raw", ".qcow2", ".vmdk", ".vdi", ".vhd", ".vhdx", ".iso", ".box")) else "other"
