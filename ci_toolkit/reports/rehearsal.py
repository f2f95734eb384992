"""What a dry run found out, as text and as JSON."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_toolkit.host.environment import Variation
from ci_toolkit.mkosi.config import ImageConfig
from ci_toolkit.process import Command
from ci_toolkit.reports import escape, outline

SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What would be done.

    `images` are all that mkosi names, the main one last; `commands` the calls of mkosi, inside of the place that is
    `described`; `passed_over` the runners that were not taken, with the reasons; `in_turn` why two builds would not run
    at once, None where they would or where there is but one. `cached_bytes` lie in `cache`. `needed_bytes` is an
    estimate from the build that `output` holds, None where it holds none, and `free_bytes` what is free there.
    """

    directory: Path
    images: tuple[ImageConfig, ...]
    runner: str
    described: str
    passed_over: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    commands: tuple[Command, ...]
    variations: tuple[Variation, ...]
    in_turn: str | None
    minutes: float | None
    output: Path
    cache: Path
    cached_bytes: int
    needed_bytes: int | None
    free_bytes: int


def to_text(found: Rehearsal, comment: str) -> str:
    """Return FOUND as lines, a name and a value in each; COMMENT tells where the comment would go, or why nowhere."""
    rows = [(name, escape.visible(text, escape.SENTENCE_LIMIT_CHARACTERS)) for name, text in _rows(found, comment)]
    width = max(len(name) for name, _ in rows)
    lines = "".join(f"{name:<{width}}  {text}\n" for name, text in rows)
    return escape.inert(f"Nothing was built. What would be done:\n{lines}")


def _rows(found: Rehearsal, comment: str) -> Iterator[tuple[str, str]]:
    for image in found.images:
        words = (image.distribution, image.release, image.architecture, image.format)
        yield "image", f"{image.name}: {' '.join(word for word in words if word)}, as {image.output}"
    yield "runner", found.described
    for reason in found.passed_over:
        yield "not by", reason
    yield from found.facts
    for note in found.notes:
        yield "note", note
    for argv in found.commands:
        yield "mkosi's call", shlex.join(argv.argv)
    if len(found.commands) > 1:
        varied = [one.name for one in found.variations if one.skipped is None]
        yield "varied", ", ".join(varied) or "nothing"
        for one in found.variations:
            if one.skipped is not None:
                yield "not varied", f"{one.name}: {one.skipped}"
        yield "order", "both builds at once" if found.in_turn is None else f"one after the other: {found.in_turn}"
    yield "time limit", "none" if found.minutes is None else f"{found.minutes:g} minutes for each build"
    yield "output", str(found.output)
    yield (
        "packages",
        f"{found.cache}, {outline.size(found.cached_bytes)} there" if found.cached_bytes else str(found.cache),
    )
    yield "disk", _disk(found)
    yield "comment", comment


def _disk(found: Rehearsal) -> str:
    free = f"{outline.size(found.free_bytes)} free"
    if found.needed_bytes is None:
        return f"{free}; how much it takes is not known before a first build"
    enough = "" if found.needed_bytes <= found.free_bytes else ": too little"
    return f"about {outline.size(found.needed_bytes)} by the last build's files, {free}{enough}"


def to_json(found: Rehearsal, comment: str) -> str:
    """Return the same for machines."""
    document = {
        "schema": SCHEMA,
        "directory": str(found.directory),
        "images": [
            {
                "name": one.name,
                "distribution": one.distribution,
                "release": one.release,
                "architecture": one.architecture,
                "format": one.format,
                "output": one.output,
            }
            for one in found.images
        ],
        "runner": {"name": found.runner, "description": found.described, "passed_over": list(found.passed_over)},
        "facts": dict(found.facts),
        "notes": list(found.notes),
        "commands": [{"argv": list(one.argv), "environment": dict(one.environment)} for one in found.commands],
        "variations": [{"name": one.name, "skipped": one.skipped} for one in found.variations],
        "in_turn": found.in_turn,
        "minutes": found.minutes,
        "output": str(found.output),
        "cache": {"directory": str(found.cache), "bytes": found.cached_bytes},
        "disk": {"needed": found.needed_bytes, "free": found.free_bytes},
        "comment": comment,
    }
    return json.dumps(document, indent=2) + "\n"
