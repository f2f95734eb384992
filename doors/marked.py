"""Parts of a file that are written by a program, between a line that names them and one that ends them."""

import re
from collections.abc import Callable, Mapping
from typing import Final

# In YAML and in Markdown: "# doors: inputs" ... "# doors: end".
_BEGIN: Final = re.compile(r"^( *)(?:# |<!-- )doors: ([a-z-]+)(?: -->)?$")
_END: Final = re.compile(r"^ *(?:# |<!-- )doors: end(?: -->)?$")


def names(text: str) -> list[str]:
    """Return the names of the parts of TEXT."""
    found = (_BEGIN.match(line) for line in text.splitlines())
    return [match[2] for match in found if match and match[2] != "end"]


def rewritten(text: str, parts: Mapping[str, Callable[[], str]]) -> str:
    """Return TEXT with each of PARTS written anew, as far in as the line that names it.

    Raises ValueError for a part that is not known, or does not end.
    """
    lines: list[str] = []
    rest = iter(text.splitlines())
    for line in rest:
        lines.append(line)
        match = _BEGIN.match(line)
        if match is None:
            continue
        if match[2] not in parts:
            raise ValueError(f"no part is called {match[2]}")
        lines += [f"{match[1]}{one}".rstrip() for one in parts[match[2]]().splitlines()]
        end = next((one for one in rest if _END.match(one)), None)
        if end is None:
            raise ValueError(f"the part {match[2]} does not end")
        lines.append(end)
    return "\n".join(lines) + "\n"
