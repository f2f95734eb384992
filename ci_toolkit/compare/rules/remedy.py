"""Fixes: lines for mkosi.conf, for mkosi.initrd.conf or for a script, and how they are written down together."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ci_toolkit.compare.difference import Difference
from ci_toolkit.compare.rules import places


class Where(StrEnum):
    """The file that a line belongs into, in the order in which they are shown."""

    CONFIG = "mkosi.conf"
    INITRD = "mkosi.initrd.conf"
    SCRIPT = "mkosi.finalize"
    SHELL = "shell"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One line that mends something; `section` is mkosi.conf's, "" for a script or a sentence of advice."""

    where: Where
    line: str
    section: str = ""


_HEADINGS = {
    Where.CONFIG: "",
    Where.INITRD: "# in mkosi.initrd.conf: the image's own RemoveFiles= does not reach the default initrd",
    Where.SCRIPT: "# in mkosi.finalize",
    Where.SHELL: "# in the shell that starts mkosi",
    Where.ADVICE: "",
}


def setting(section: str, line: str) -> Remedy:
    """A line of mkosi.conf, for SECTION."""
    return Remedy(where=Where.CONFIG, section=section, line=line)


def script(line: str) -> Remedy:
    """A line of the image's mkosi.finalize, which runs after RemoveFiles= and before the times are clamped."""
    return Remedy(where=Where.SCRIPT, line=line)


def advice(sentence: str) -> Remedy:
    return Remedy(where=Where.ADVICE, line=sentence)


def remove(difference: Difference, *globs: str) -> tuple[Remedy, ...]:
    """`RemoveFiles=` for the file of DIFFERENCE, or for GLOBS where they say it better, in the image that holds it."""
    where = Where.INITRD if places.in_initrd(difference.path) else Where.CONFIG
    chosen = globs or (f"/{_glob(places.name(places.file(difference)))}",)
    return tuple(Remedy(where=where, section="Content", line=f"RemoveFiles={glob}") for glob in chosen)


def _glob(name: str) -> str:
    """Write NAME, which came out of an image, so that it is one word of a list: other characters match as "?"."""
    return re.sub(r"[^A-Za-z0-9._/+@:~-]", "?", name)


def render(remedies: Iterable[Remedy]) -> str:
    """Write REMEDIES as text to copy: each line once, under the file and the section that it belongs into."""
    unique = list({_key(remedy): remedy for remedy in reversed(tuple(remedies))}.values())[::-1]
    lines: list[str] = []
    for where in Where:
        chosen = [remedy for remedy in unique if remedy.where is where]
        if where is Where.ADVICE:
            lines += [f"# {remedy.line}" if lines else remedy.line for remedy in chosen]
            continue
        if chosen and _HEADINGS[where]:
            lines.append(_HEADINGS[where])
        for section in dict.fromkeys(remedy.section for remedy in chosen):
            lines += [f"[{section}]"] if section else []
            lines += [remedy.line for remedy in chosen if remedy.section == section]
    return "\n".join(lines)


def _key(remedy: Remedy) -> tuple[Where, str]:
    """What may stand there once only: a setting that takes one value, a variable, else the line itself."""
    if remedy.where is not Where.CONFIG or remedy.line.startswith("RemoveFiles="):
        return remedy.where, remedy.line
    name, _, value = remedy.line.partition("=")
    return remedy.where, f"{name}={value.partition('=')[0]}" if name == "Environment" else name
