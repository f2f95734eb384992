"""The JSON documents of container images: what they refer to, and their values as facts with a name each."""

import json
import re
from collections.abc import Iterator
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import Entry, Fact
from ci_toolkit.images.limits import KIB, MIB, Budget

# json.loads gives no better type.
Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

_SIZE_MAX: Final = 4 * MIB
_DEPTH_MAX: Final = 24
# What only follows from the contents: digests, names made of them, and sizes.
_FOLLOWS: Final = re.compile(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{128}\b")
_SIZE: Final = "size"
_DIGEST: Final = re.compile(r"^([a-z0-9]+(?:[+._-][a-z0-9]+)*):([0-9a-fA-F]{32,128})$")
# Where in a document a value stands is looked for in small ones only: it takes time for every value.
_SEARCHED_MAX: Final = 64 * KIB
_PLACES_MAX: Final = 32


def parsed(entry: Entry, budget: Budget) -> tuple[Json, bytes]:
    """Return what ENTRY says, and its bytes. Raises UnreadableError where it is no JSON document."""
    if entry.data is None or entry.size > _SIZE_MAX:
        raise UnreadableError(f"{entry.path}: no file, or one of {entry.size} bytes")
    # What is made of it takes several times as much.
    budget.attribute(8 * entry.size)
    raw = entry.data.read_at(0, entry.size)
    try:
        return json.loads(raw), raw
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{entry.path}: no JSON document") from error


def child(document: Json, key: str) -> Json:
    return document.get(key) if isinstance(document, dict) else None


def children(document: Json, key: str) -> list[Json]:
    found = child(document, key)
    return found if isinstance(found, list) else []


def word(document: Json, key: str) -> str:
    found = child(document, key)
    return found if isinstance(found, str) else ""


def blob(descriptor: Json) -> str:
    """Return where a layout keeps what DESCRIPTOR refers to; "" where it refers to nothing sensible."""
    match = _DIGEST.match(word(descriptor, "digest"))
    return f"blobs/{match.group(1)}/{match.group(2)}" if match else ""


def facts(role: str, document: Json, raw: bytes, start: int | None, budget: Budget) -> Iterator[Fact]:
    """Yield the values of DOCUMENT, RAW as it is written, from byte START of the container on."""
    searched = start is not None and len(raw) <= _SEARCHED_MAX
    for name, value in _values(role, document, 0):
        budget.attribute(len(name) + 64)
        if name.endswith(f".{_SIZE}") or _follows(value):
            continue
        places = _places(raw, value, start) if searched and start is not None else ()
        yield Fact(name=name, value=value, places=places)


def _values(name: str, document: Json, depth: int) -> Iterator[tuple[str, int | str | tuple[str, ...] | None]]:
    if depth > _DEPTH_MAX:
        return
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _values(f"{name}.{key}", value, depth + 1)
    elif isinstance(document, list):
        if all(isinstance(value, str) for value in document):
            yield name, tuple(value for value in document if isinstance(value, str))
            return
        for number, value in enumerate(document, 1):
            yield from _values(f"{name}.{number}", value, depth + 1)
    elif isinstance(document, bool) or not isinstance(document, (str, int, type(None))):
        yield name, json.dumps(document)
    else:
        yield name, document


def _follows(value: int | str | tuple[str, ...] | None) -> bool:
    words = value if isinstance(value, tuple) else (value,) if isinstance(value, str) else ()
    return any(_FOLLOWS.search(found) for found in words)


def _places(raw: bytes, value: int | str | tuple[str, ...] | None, start: int) -> tuple[tuple[int, int], ...]:
    """Return where strings of VALUE stand, each time, without their quotes; numbers may stand anywhere."""
    words = value if isinstance(value, tuple) else (value,) if isinstance(value, str) else ()
    found: list[tuple[int, int]] = []
    for text in words:
        needle = json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")
        position = raw.find(needle)
        while position >= 0 and len(found) < _PLACES_MAX:
            found.append((start + position + 1, len(needle) - 2))
            position = raw.find(needle, position + len(needle))
    return tuple(place for place in found if place[1])
