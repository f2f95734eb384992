"""How a rule for "a file at this place" is made: the place, what the content begins with, what removes it."""

from dataclasses import replace
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents, places
from ci_toolkit.compare.rules.remedy import Remedy, remove, render, setting
from ci_toolkit.compare.rules.rule import Phase, Rule

_OF_FILE: Final = (Field.CONTENT, Field.PRESENCE)


def dropping(
    *,
    identifier: str,
    title: str,
    explanation: str,
    globs: tuple[str, ...],
    source: str,
    magics: tuple[bytes, ...] = (),
    removes: tuple[str, ...] = (),
    extra: tuple[Remedy, ...] = (),
) -> Rule:
    """Return the rule for files that are never the same twice and are best removed.

    GLOBS are names without a leading slash; contents must begin with one of MAGICS where any are given. REMOVES are
    what RemoveFiles= should say, by default the file itself; EXTRA is advised besides.
    """

    def recognise(difference: Difference, _facts: Facts) -> bool:
        # What lies inside such a file goes with it.
        if _file(difference, globs) != difference.path:
            return True
        if difference.field not in _OF_FILE or not places.matches(difference.path, *globs):
            return False
        if difference.field is Field.PRESENCE:
            return "file" in (difference.before, difference.after)
        return not magics or contents.starts(difference, *magics)

    def remedies(difference: Difference, _facts: Facts) -> tuple[Remedy, ...]:
        whole = replace(difference, path=_file(difference, globs), container="")
        return remove(whole, *removes) + extra

    general = removes or tuple(f"/{glob}" for glob in globs)
    return Rule(
        cause=Cause(
            identifier=identifier,
            title=title,
            explanation=explanation,
            fix=render((*(setting("Content", f"RemoveFiles={glob}") for glob in general), *extra)),
            source=source,
        ),
        phase=Phase.CONTENT,
        fields=(*_OF_FILE, Field.HEADER, Field.REGION),
        recognise=recognise,
        globs=globs,
        remedies=remedies,
    )


def _file(difference: Difference, globs: tuple[str, ...]) -> tuple[str, ...]:
    """Return the path of the file at one of the places GLOBS that DIFFERENCE lies in, else its own path."""
    steps = (difference.path[:length] for length in range(1, len(difference.path)))
    return next((path for path in steps if places.matches(path, *globs)), difference.path)
