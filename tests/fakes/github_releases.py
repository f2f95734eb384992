"""The releases of a fake GitHub, with its habits: drafts have no tag, assets of a broken upload stay as `starter`."""

import hashlib
from collections.abc import Callable
from typing import Any, Final

from forge_server import Answer, Request, page

_NOW: Final = "2027-01-15T08:00:00Z"


class GitHubReleases:
    """Keeps releases below ROOT() + PLACE. `digests` is false for a GitHub that knows none, as before June 2025."""

    def __init__(self, root: Callable[[], str], place: str, user: Callable[[str, str], dict[str, Any]]) -> None:
        self._root, self._place, self._user = root, place, user
        self.releases: list[dict[str, Any]] = []
        self.contents: dict[int, bytes] = {}
        self.digests = True
        # Where assets are handed out; "" for the server itself.
        self.elsewhere = ""
        # What is done to the bytes of the next upload before they are stored.
        self.damage: list[Callable[[bytes], bytes]] = []

    def published(self) -> dict[str, dict[str, bytes]]:
        """What people can download: the files of each version."""
        return {
            one["tag_name"]: {asset["name"]: self.contents[asset["id"]] for asset in one["assets"]}
            for one in self.releases
            if not one["draft"]
        }

    def starter(self, tag: str, name: str) -> None:
        """Leave what a 502 leaves."""
        release = next(one for one in self.releases if one["tag_name"] == tag)
        release["assets"].append({**self._asset(name, b""), "state": "starter", "digest": None})

    def answer(self, request: Request) -> Answer | None:
        """Answer what is asked for below the place; None for anything else."""
        if not request.path.startswith(self._place):
            return None
        match request.path.removeprefix(self._place).split("/")[1:], request.method:
            case [], "GET":
                return Answer(status=200, content=page(self.releases[::-1], request.query, 30)[0])
            case [], "POST":
                return self._create(request)
            case ["tags", tag], "GET":
                found = next((one for one in self.releases if one["tag_name"] == tag and not one["draft"]), None)
                return Answer(status=200, content=found) if found else _missing()
            case ["assets", number], "GET" | "DELETE":
                return self._one_asset(int(number), request)
            case [number], "PATCH" | "DELETE" | "GET":
                return self._one(int(number), request)
            case [number, "assets"], "GET":
                release = self._find(int(number))
                return (
                    Answer(status=200, content=page(release["assets"], request.query, 30)[0]) if release else _missing()
                )
            case [number, "assets"], "POST":
                return self._upload(int(number), request)
            case _:
                return _missing()

    def download(self, number: int) -> Answer:
        """Hand out the bytes of an asset, as the host that GitHub redirects to."""
        return Answer(status=200, content=self.contents[number])

    def add(self, tag: str, body: str, *, draft: bool = False) -> None:
        """Add a release that somebody wrote."""
        self._made({"tag_name": tag, "name": tag, "body": body, "draft": draft})

    def _create(self, request: Request) -> Answer:
        release = self._made(request.json())
        return Answer(status=201, content=release, headers={"Location": release["url"]})

    def _made(self, asked: dict[str, Any]) -> dict[str, Any]:
        number = 1 + max((one["id"] for one in self.releases), default=500)
        url = f"{self._root()}{self._place}/{number}"
        release = {
            "id": number,
            "node_id": f"RE_{number}",
            "url": url,
            "html_url": f"{self._root()}/releases/tag/{asked['tag_name']}",
            "assets_url": f"{url}/assets",
            "upload_url": f"{url}/assets{{?name,label}}",
            "tarball_url": None,
            "zipball_url": None,
            "tag_name": asked["tag_name"],
            "target_commitish": asked.get("target_commitish", "main"),
            "name": asked.get("name"),
            "body": asked.get("body"),
            "draft": asked.get("draft", False),
            "prerelease": False,
            "created_at": _NOW,
            "published_at": None if asked.get("draft") else _NOW,
            "author": self._user(self._root(), "github-actions[bot]"),
            "assets": [],
        }
        self.releases.append(release)
        return release

    def _one(self, number: int, request: Request) -> Answer:
        release = self._find(number)
        if release is None:
            return _missing()
        if request.method == "DELETE":
            self.releases.remove(release)
            return Answer(status=204)
        if request.method == "PATCH":
            asked = request.json()
            taken = [one for one in self.releases if not one["draft"] and one["tag_name"] == release["tag_name"]]
            if asked.get("draft") is False and release["draft"] and taken:
                return _invalid("Release", "tag_name")
            release["draft"] = asked.get("draft", release["draft"])
            release["body"] = asked.get("body", release["body"])
            release["published_at"] = None if release["draft"] else _NOW
        return Answer(status=200, content=release)

    def _upload(self, number: int, request: Request) -> Answer:
        release = self._find(number)
        if release is None:
            return _missing()
        name = request.query["name"]
        if any(asset["name"] == name for asset in release["assets"]):
            return _invalid("ReleaseAsset", "name")
        data = self.damage.pop(0)(request.body) if self.damage else request.body
        asset = self._asset(name, data)
        release["assets"].append(asset)
        return Answer(status=201, content=asset, headers={"Location": asset["url"]})

    def _asset(self, name: str, data: bytes) -> dict[str, Any]:
        number = 1 + max(self.contents, default=9000)
        self.contents[number] = data
        return {
            "id": number,
            "node_id": f"RA_{number}",
            "url": f"{self._root()}{self._place}/assets/{number}",
            "browser_download_url": f"{self._root()}/download/{number}",
            "name": name,
            "label": "",
            "state": "uploaded",
            "content_type": "application/octet-stream",
            "size": len(data),
            "digest": f"sha256:{hashlib.sha256(data).hexdigest()}" if self.digests else None,
            "download_count": 0,
            "created_at": _NOW,
            "updated_at": _NOW,
            "uploader": self._user(self._root(), "github-actions[bot]"),
        }

    def _one_asset(self, number: int, request: Request) -> Answer:
        for release in self.releases:
            for asset in release["assets"]:
                if asset["id"] == number:
                    if request.method == "DELETE":
                        release["assets"].remove(asset)
                        return Answer(status=204)
                    return Answer(
                        status=302, headers={"Location": f"{self.elsewhere or self._root()}/download/{number}"}
                    )
        return _missing()

    def _find(self, number: int) -> dict[str, Any] | None:
        return next((one for one in self.releases if one["id"] == number), None)


def _missing() -> Answer:
    return Answer(status=404, content={"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})


def _invalid(resource: str, field: str) -> Answer:
    errors = [{"resource": resource, "code": "already_exists", "field": field}]
    content = {"message": "Validation Failed", "errors": errors, "documentation_url": "https://docs.github.com/rest"}
    return Answer(status=422, content=content)
