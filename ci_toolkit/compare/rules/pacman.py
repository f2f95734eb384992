"""What pacman writes: dates, databases, a keyring."""

import re
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents, places
from ci_toolkit.compare.rules.droppings import dropping
from ci_toolkit.compare.rules.remedy import advice, render, script
from ci_toolkit.compare.rules.rule import Phase, Rule

_DESCRIPTIONS: Final = "var/lib/pacman/local/*/desc"


def _is_install_date(difference: Difference, _facts: Facts) -> bool:
    """The line below %INSTALLDATE%, and no other, differs."""
    pair = contents.texts(difference)
    lines = contents.changed_lines(difference)
    if pair is None or not lines or not places.matches(difference.path, _DESCRIPTIONS):
        return False
    dated = re.compile(r"(?<=^%INSTALLDATE%\n)\d+$", re.MULTILINE)
    return dated.sub("", pair[0]) == dated.sub("", pair[1])


INSTALL_DATE: Final = Rule(
    cause=Cause(
        identifier="pacman-install-date",
        title="pacman's dates of installation",
        explanation="pacman, 7.1 too, writes the time of the installation into each package's desc file, whatever "
        "SOURCE_DATE_EPOCH says. Builds by ci-toolkit have the epoch there.",
        fix=render((script("""sed -i '/%INSTALLDATE%/{n;s/.*/0/}' "$BUILDROOT"/var/lib/pacman/local/*/desc"""),)),
        source="https://bugs.archlinux.org/task/75214",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_install_date,
    globs=(_DESCRIPTIONS,),
)

PACMAN_SYNC: Final = dropping(
    identifier="pacman-sync-database",
    title="pacman's databases of the day",
    explanation="The databases of the repositories are of the day of the build.",
    globs=("var/lib/pacman/sync/*",),
    removes=("/var/lib/pacman/sync/*",),
    source="https://gitlab.archlinux.org/archlinux/archlinux-docker/-/blob/master/REPRO.md",
)

PACMAN_KEYRING: Final = dropping(
    identifier="pacman-keyring",
    title="pacman's keyring was made during the build",
    explanation="pacman-key --init makes a random master key, which every machine that boots the image would share.",
    globs=("etc/pacman.d/gnupg/*",),
    removes=("/etc/pacman.d/gnupg",),
    extra=(advice("Have a unit with ConditionFirstBoot= run `pacman-key --init && pacman-key --populate`."),),
    source="https://gitlab.archlinux.org/archlinux/archlinux-docker/-/blob/master/REPRO.md",
)
