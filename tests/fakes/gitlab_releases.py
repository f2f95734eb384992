"""The generic packages and the releases of a fake GitLab, with its habits: files of one name pile up in a package."""

import hashlib
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

from forge_server import Answer, Request, page

_NOW: Final = "2027-01-15T08:00:00.000Z"


class GitLabReleases:
    """Keeps packages and releases of project 7. `duplicates` is false for a group that forbids them."""

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url
        self.packages: list[dict[str, Any]] = []
        self.files: dict[int, list[dict[str, Any]]] = {}
        self.contents: dict[int, bytes] = {}
        self.releases: list[dict[str, Any]] = []
        self.duplicates = True
        # Whether there is a tag for every version, without a `ref` to make it from.
        self.refs = True
        self.damage: list[Callable[[bytes], bytes]] = []

    def published(self) -> dict[str, dict[str, bytes]]:
        """What people can download: the files that each release links to."""
        return {
            one["tag_name"]: {
                link["name"]: self.contents[self._newest(link["url"].partition("/generic/")[2])]
                for link in one["assets"]["links"]
            }
            for one in self.releases
        }

    def answer(self, request: Request, path: str) -> Answer | None:
        """Answer what is asked for at PATH, below the API; None for what is no package or release."""
        match path.removeprefix("/projects/7/").split("/"), request.method:
            case ["packages"], "GET":
                return self._listed(request)
            case ["packages", "generic", name, version, file], "PUT":
                return self._put(name, version, unquote(file), request)
            case ["packages", "generic", *rest], "GET":
                number = self._newest("/".join(map(unquote, rest)))
                return self._bytes(number) if number else _missing()
            case ["packages", number, "package_files"], "GET":
                return Answer(status=200, content=page(self.files.get(int(number), []), request.query, 20)[0])
            case ["packages", number, "package_files", file], "DELETE":
                self.files[int(number)] = [one for one in self.files[int(number)] if one["id"] != int(file)]
                return Answer(status=204)
            case ["packages", number], "DELETE":
                self.packages = [one for one in self.packages if one["id"] != int(number)]
                self.files.pop(int(number), None)
                return Answer(status=204)
            case ["releases"], "GET":
                return Answer(status=200, content=page(self.releases[::-1], request.query, 20)[0])
            case ["releases"], "POST":
                return self._release(request)
            case ["releases", tag], "GET" | "DELETE":
                return self._one_release(tag, request)
            case _:
                return None

    def _listed(self, request: Request) -> Answer:
        name, version = request.query.get("package_name", ""), request.query.get("package_version")
        found = [one for one in self.packages if name in one["name"] and version in (None, one["version"])]
        return Answer(status=200, content=page(found, request.query, 20)[0])

    def _put(self, name: str, version: str, file: str, request: Request) -> Answer:
        package = next((one for one in self.packages if (one["name"], one["version"]) == (name, version)), None)
        if package is None:
            number = 1 + max((one["id"] for one in self.packages), default=300)
            package = {
                "id": number,
                "name": name,
                "version": version,
                "package_type": "generic",
                "status": "default",
                "created_at": _NOW,
                "tags": [],
            }
            self.packages.append(package)
            self.files[number] = []
        held = self.files[package["id"]]
        if not self.duplicates and any(one["file_name"] == file for one in held):
            return Answer(status=400, content={"message": "400 Bad request - Duplicate package is not allowed"})
        data = self.damage.pop(0)(request.body) if self.damage else request.body
        number = 1 + max(self.contents, default=8000)
        self.contents[number] = data
        record = {
            "id": number,
            "package_id": package["id"],
            "created_at": _NOW,
            "file_name": file,
            "size": len(data),
            "file_md5": None,
            "file_sha1": None,
            "file_sha256": hashlib.sha256(data).hexdigest(),
        }
        held.append(record)
        if request.query.get("select") == "package_file":
            return Answer(status=200, content=record)
        return Answer(status=201, content={"message": "201 Created"})

    def _newest(self, address: str) -> int:
        name, version, file = address.split("/", 2)
        numbers = [
            one["id"]
            for package in self.packages
            if (package["name"], package["version"]) == (name, version)
            for one in self.files[package["id"]]
            if one["file_name"] == unquote(file)
        ]
        return max(numbers, default=0)

    def _bytes(self, number: int) -> Answer:
        return Answer(status=200, content=self.contents[number])

    def _release(self, request: Request) -> Answer:
        asked = request.json()
        if any(one["tag_name"] == asked["tag_name"] for one in self.releases):
            return Answer(status=409, content={"message": "Release already exists"})
        if not self.refs and "ref" not in asked:
            return Answer(status=400, content={"message": "Ref is not specified"})
        links = [
            {
                "id": number,
                "name": link["name"],
                "url": link["url"],
                "direct_asset_url": link["url"],
                "link_type": link.get("link_type", "other"),
            }
            for number, link in enumerate(asked["assets"]["links"], 1)
        ]
        release = {
            "tag_name": asked["tag_name"],
            "name": asked["name"],
            "description": asked["description"],
            "created_at": _NOW,
            "released_at": _NOW,
            "upcoming_release": False,
            "assets": {"count": len(links), "links": links},
            "_links": {"self": f"{self._url()}/images/cloud/-/releases/{asked['tag_name']}"},
        }
        self.releases.append(release)
        return Answer(status=201, content=release)

    def _one_release(self, tag: str, request: Request) -> Answer:
        found = next((one for one in self.releases if one["tag_name"] == tag), None)
        if found is None:
            return _missing()
        if request.method == "DELETE":
            self.releases.remove(found)
        return Answer(status=200, content=found)


def _missing() -> Answer:
    return Answer(status=404, content={"message": "404 Not found"})
