"""Names of temporary files and directories, written down in what was made in them."""

import re
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents, places
from ci_toolkit.compare.rules.remedy import advice, render
from ci_toolkit.compare.rules.rule import Phase, Rule

_TEMPORARY: Final = re.compile(r"((?:/var)?/tmp/)([^/\s\"':,;]+)")
# mktemp(1), mkstemp(3) and Python draw six to ten characters, of which hardly ever more than two are the same.
_DRAWN: Final = re.compile(r"[A-Za-z0-9_]{4,}")
_WORDS: Final = re.compile(r"[a-z]+")
_PARAMETERS: Final = ("usr/lib/dracut/build-parameter.txt", "lib/dracut/build-parameter.txt")


def _is_temporary(difference: Difference, _facts: Facts) -> bool:
    lines = contents.changed_lines(difference)
    return bool(lines) and all(_only_names(before, after) for before, after in lines or ())


def _only_names(before: str, after: str) -> bool:
    """Tell whether two lines differ only in names below /tmp that were drawn."""
    if _TEMPORARY.sub(r"\1", before) != _TEMPORARY.sub(r"\1", after):
        return False
    pairs = zip(_TEMPORARY.finditer(before), _TEMPORARY.finditer(after), strict=True)
    return all(_is_drawn(first.group(2), second.group(2)) for first, second in pairs if first.group() != second.group())


def _is_drawn(first: str, second: str) -> bool:
    """Tell whether two names are as long as each other, and differ in a stretch that is no plain word."""
    places = [place for place, (a, b) in enumerate(zip(first, second, strict=False)) if a != b]
    if len(first) != len(second) or not places:
        return False
    drawn = [name[places[0] : places[-1] + 1] for name in (first, second)]
    return all(map(_DRAWN.fullmatch, drawn)) and not _WORDS.fullmatch("".join(drawn))


def _is_parameter(difference: Difference, facts: Facts) -> bool:
    return places.matches(difference.path, *_PARAMETERS) and _is_temporary(difference, facts)


DRACUT_PARAMETERS: Final = Rule(
    cause=Cause(
        identifier="dracut-parameters",
        title="dracut wrote its command line into the initrd",
        explanation="dracut before 111 keeps its arguments in the initrd, and one of them is a temporary directory "
        "under a random name.",
        fix=render((advice("Call dracut with directories of fixed names, or take dracut-ng 111 or later."),)),
        source="https://github.com/gardenlinux/gardenlinux/issues/4175",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_parameter,
    globs=_PARAMETERS,
)

TEMPORARY_PATH: Final = Rule(
    cause=Cause(
        identifier="temporary-path",
        title="The name of a temporary directory is written into a file",
        explanation="The texts are equal but for names below /tmp, which are drawn at random each time.",
        fix=render((advice("Make it in a directory of a fixed name instead of one that mktemp names."),)),
        source="https://github.com/flashbots/flashbots-images/commit/e45c4ec",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT, Field.TARGET),
    recognise=_is_temporary,
)
