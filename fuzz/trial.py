"""One case: two images compared, explained and reported, and all that must hold whatever is in them."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt

from ci_toolkit.cli import deliver
from ci_toolkit.compare.comparison import Comparison, Verdict
from ci_toolkit.compare.explain import explain, explained_bytes
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.reports import stored, summary, terminal
from ci_toolkit.reports.report import Report
from fuzz.image import Image, differing
from fuzz.names import TAG

_RENDERERS: Final[dict[str, Callable[[Report], str]]] = {
    "terminal": terminal.render,
    "markdown": partial(deliver.render, kind="markdown"),
    "summary": summary.render,
    "html": partial(deliver.render, kind="html"),
    "json": partial(deliver.render, kind="json"),
}
_MARKDOWN: Final = MarkdownIt("gfm-like")
_FOLD: Final = re.compile(r"<details>\n<summary>[^<>]*</summary>|</details>|<br>")
_HIDDEN: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_COMMAND: Final = re.compile(r"^\s*::|##\w*\[", re.MULTILINE)
_VOID: Final = frozenset({"meta", "br", "wbr", "hr", "img", "link", "input", "col"})
_FOREIGN: Final = frozenset({"img", "iframe", "object", "embed", "link", TAG})


class WrongError(Exception):
    """Something that must hold does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a case ended, in words that tell one way through the readers from another."""

    refused: bool
    ways: frozenset[str]


def run(a: Path, b: Path) -> Outcome:
    """Compare A and B as the command line does. Raises WrongError, or whatever the toolkit should not."""
    try:
        comparison = compare(a, b)
    except UnreadableError as error:
        return Outcome(refused=True, ways=frozenset({_worded(error.message)}))
    _check_truth(a, b, comparison)
    findings = explain(comparison.differences, Facts())
    report = Report(
        title=f"{a.name} and {b.name}",
        verdict=comparison.verdict,
        comparison=comparison,
        findings=findings,
        explained_bytes=explained_bytes(findings),
    )
    if report.explained_bytes > (comparison.differing_bytes or 0):
        raise WrongError(f"{report.explained_bytes} bytes explained of {comparison.differing_bytes}")
    for kind, render in _RENDERERS.items():
        _check_report(kind, render(report))
    ways = {f"{one.container} {one.field} {one.name} {one.opened}"[:120] for one in comparison.differences}
    ways |= {_worded(skipped.reason) for skipped in comparison.skipped}
    return Outcome(refused=False, ways=frozenset(ways))


def _worded(message: str) -> str:
    """A message without its numbers and names, so that only its kind is left."""
    return re.sub(r"'.*'|\".*\"|\d+|/\S+", "…", message, flags=re.DOTALL)


def _check_truth(a: Path, b: Path, comparison: Comparison) -> None:
    """Hold the comparison against the bytes of both files."""
    with Image(str(a), writable=False) as one, Image(str(b), writable=False) as other:
        count, first = differing(one, other)
    told = comparison.verdict is Verdict.DIFFERENT, comparison.differing_bytes, comparison.first_offset
    if told != (bool(count), count, first):
        raise WrongError(f"{count} bytes differ from {first} on; told was {told}")
    total = sum(difference.bytes for difference in comparison.differences)
    if total > count or any(difference.bytes < 0 for difference in comparison.differences):
        raise WrongError(f"the differences have {total} bytes of {count}")


def _check_report(kind: str, text: str) -> None:
    if (found := _HIDDEN.search(text)) is not None:
        raise WrongError(f"{kind}: a hidden character {found[0]!a} at {found.start()}")
    if (found := _COMMAND.search(text)) is not None and kind != "json":
        raise WrongError(f"{kind}: a command of a runner at {found.start()}")
    if kind in ("markdown", "summary"):
        _check_markdown(kind, text)
    elif kind == "html":
        _Page(text)
    elif kind == "json":
        if not text.isascii():
            raise WrongError("json: not ASCII")
        json.loads(text)
        stored.parse(text)


def _check_markdown(kind: str, text: str) -> None:
    folds = 0
    for token in (inner for outer in _MARKDOWN.parse(text) for inner in (outer, *(outer.children or ()))):
        if token.type in ("html_block", "html_inline"):
            if not _FOLD.fullmatch(token.content.strip()):
                raise WrongError(f"{kind}: markup {token.content!r}")
            folds += token.content.count("<details>") - token.content.count("</details>")
        if token.type == "image":
            raise WrongError(f"{kind}: an image {token.content!r}")
    if folds:
        raise WrongError(f"{kind}: {folds} folds are open")


class _Page(HTMLParser):
    """A page, balanced, and without an element or attribute that is not ours."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self.feed(text)
        self.close()
        if self._open:
            raise WrongError(f"html: {self._open} are open")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _FOREIGN or any(name.startswith("on") for name, _ in attrs):
            raise WrongError(f"html: a foreign element {tag} {attrs}")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("script", "style") and TAG in data:
            raise WrongError(f"html: a name in a {self._open[-1]}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        opened = self._open.pop() if tag not in _VOID and self._open else ""
        if tag not in _VOID and opened != tag:
            raise WrongError(f"html: </{tag}> closes <{opened}> at {self.getpos()}")
