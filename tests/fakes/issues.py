"""The issues of a fake forge: GitHub's and GitLab's differ in a few words."""

import re
from collections.abc import Callable
from typing import Any

from forge_server import Answer, Request, page


class Issues:
    """Keeps issues below PLACE, a path; `words` are the fields of the number and the text, and the word for open."""

    def __init__(self, place: str, words: tuple[str, str, str], root: Callable[[], str]) -> None:
        self.path = re.compile(rf"{re.escape(place)}(?:/(\d+))?")
        self.number, self.text, self.open = words
        self._root = root
        self.issues: list[dict[str, Any]] = []

    def add(self, title: str, text: str) -> dict[str, Any]:
        number = 100 + len(self.issues)
        url = f"{self._root()}/issues/{number}"
        issue = {self.number: number, "title": title, self.text: text, "state": self.open}
        issue |= {"html_url": url, "web_url": url}
        self.issues.append(issue)
        return issue

    def opened(self) -> list[dict[str, Any]]:
        return [one for one in self.issues if one["state"] == self.open]

    def answer(self, request: Request, path: str) -> Answer | None:
        found = self.path.fullmatch(path)
        if found is None:
            return None
        if found[1] is None and request.method == "GET":
            items = self.opened() if request.query.get("state") == self.open else self.issues
            return Answer(status=200, content=page(items[::-1], request.query, 20)[0])
        if found[1] is None and request.method == "POST":
            return Answer(status=201, content=self.add(request.json()["title"], request.json()[self.text]))
        issue = next((one for one in self.issues if str(one[self.number]) == found[1]), None)
        if issue is None or request.method not in ("PATCH", "PUT"):
            return Answer(status=404, content={"message": "404 Not found"})
        asked = request.json()
        closes = asked.get("state") == "closed" or asked.get("state_event") == "close"
        issue.update({name: asked[name] for name in ("title", self.text) if name in asked})
        issue["state"] = "closed" if closes else issue["state"]
        return Answer(status=200, content=issue)
