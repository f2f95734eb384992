"""A page of ours as a browser takes it: balanced, of known elements; its links, its texts and its shape."""

from html.parser import HTMLParser

import pytest

# What a page of ours is made of; no other element and no other attribute is in one.
ELEMENTS = {
    **dict.fromkeys(("html", "meta", "section", "p", "span", "th", "td", "a", "div", "table", "ul", "li", "b"), True),
    **dict.fromkeys(("pre", "details", "svg", "rect", "text", "form", "input", "select", "option", "button"), True),
    **dict.fromkeys(("head", "title", "style", "body", "main", "h1", "h2", "code", "del", "ins", "mark", "i"), False),
    **dict.fromkeys(("thead", "tbody", "tr", "summary", "strong", "br", "wbr", "script"), False),
    "output": True,
}
ATTRIBUTES = frozenset(
    (
        *("lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "colspan", "open", "hidden"),
        *("data-c", "width", "height", "x", "y", "rx", "aria-hidden", "aria-label", "type", "placeholder", "value"),
    )
)
# Those that need no value.
FLAGS = frozenset(("open", "hidden"))
# Elements without an end.
VOID = frozenset(("meta", "br", "wbr", "input"))


class Page(HTMLParser):
    """What is in a page; a text that could be broken in places is one text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.links: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.shape: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self._broken = False
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag == "rect"
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert ELEMENTS[tag] or not attrs
        for name, value in attrs:
            assert name in ATTRIBUTES
            assert (value is None) == (name in FLAGS)
            self.attributes.append((name, value or ""))
            if name == "href":
                self.links.append(value or "")
        self._broken = tag == "wbr"
        if tag != "wbr":
            self.shape.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self._broken = False
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        where = self.open[-1] if self.open else ""
        if self._broken:
            data = self.texts.pop()[1] + data
        self._broken = False
        self.texts.append((where, data))

    def handle_decl(self, decl: str) -> None:
        assert decl == "doctype html"

    def handle_comment(self, data: str) -> None:
        pytest.fail(f"a comment: {data}")

    def of(self, tag: str) -> list[str]:
        return [text for where, text in self.texts if where == tag]

    @property
    def text(self) -> str:
        return "".join(text for where, text in self.texts if where not in ("style", "title", "script"))
