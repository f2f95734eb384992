"""Carry pip's index settings to another machine."""

import ast
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never
from urllib.parse import urlsplit


class Kind(StrEnum):
    """What a setting's value is made of."""

    LOCATIONS = "addresses or directories"
    FILE = "a file"
    WORD = "a word"


# The settings that say where packages come from and how they are fetched; everything else is left on the machine.
SETTINGS: Final = {
    "index-url": Kind.LOCATIONS,
    "extra-index-url": Kind.LOCATIONS,
    "find-links": Kind.LOCATIONS,
    "no-index": Kind.WORD,
    "trusted-host": Kind.WORD,
    "proxy": Kind.WORD,
    "cert": Kind.FILE,
    "client-cert": Kind.FILE,
    "timeout": Kind.WORD,
    "default-timeout": Kind.WORD,
    "retries": Kind.WORD,
    "prefer-binary": Kind.WORD,
    "only-binary": Kind.WORD,
    "no-binary": Kind.WORD,
}
# Later ones win, as in pip: the command's section over the global one, the environment over both.
_SECTIONS: Final = ("global", "install", ":env:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A pip.conf for elsewhere, and what could not go with it."""

    text: str
    left_behind: tuple[str, ...]


def parse(listing: str) -> dict[str, str]:
    """Return what `pip install` goes by, from the output of `pip config list`."""
    sections: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in listing.splitlines():
        match = re.match(r"(?P<section>:env:|[\w-]+)\.(?P<name>[\w-]+)=(?P<value>['\"].*)$", line)
        if match is not None and match["section"] in sections:
            sections[match["section"]][match["name"]] = str(ast.literal_eval(match["value"]))
    return {name: value for section in _SECTIONS for name, value in sections[section].items()}


def carry(settings: dict[str, str], relocate: Callable[[str], str | None]) -> Carried:
    """Return the pip.conf for SETTINGS; RELOCATE gives the new path of a file, or None where there is no such file."""
    lines: list[str] = []
    left: list[str] = []
    for name, kind in SETTINGS.items():
        words = settings.get(name, "").split()
        match kind:
            case Kind.LOCATIONS:
                kept = [word for word in words if _is_remote(word)]
                left += [f"{name} {word}" for word in words if word not in kept]
            case Kind.FILE:
                moved = [(word, relocate(word)) for word in words]
                kept = [new for _, new in moved if new is not None]
                left += [f"{name} {word}" for word, new in moved if new is None]
            case Kind.WORD:
                kept = words
            case _:
                assert_never(kind)
        if kept:
            lines.append(f"{name} = " + "\n    ".join(kept) + "\n")
    text = "[global]\n" + "".join(lines) if lines else ""
    return Carried(text=text, left_behind=tuple(left))


def locations(settings: dict[str, str]) -> Iterable[str]:
    """Yield every network address in SETTINGS, proxies included."""
    for name in ("index-url", "extra-index-url", "find-links", "proxy"):
        yield from (word for word in settings.get(name, "").split() if _is_remote(word))


def _is_remote(word: str) -> bool:
    return urlsplit(word).scheme in ("http", "https") or "+" in urlsplit(word).scheme
