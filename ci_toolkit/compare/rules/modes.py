"""Permissions that a umask took or left."""

from itertools import product
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules.remedy import Remedy, Where, render
from ci_toolkit.compare.rules.rule import Phase, Rule

# The umasks that machines have: none at all (GitLab's Docker executor), a group's, everybody's, a cautious one's.
_UMASKS: Final = (0o000, 0o002, 0o007, 0o022, 0o027, 0o037, 0o077)
# What open(2) and mkdir(2) are asked for, before the umask takes its part.
_REQUESTED: Final = (0o666, 0o777)
_PAIRS: Final = frozenset(
    (requested & ~first, requested & ~second)
    for requested, first, second in product(_REQUESTED, _UMASKS, _UMASKS)
    if requested & ~first != requested & ~second
)
_SPECIAL: Final = 0o7000


def _is_umask(difference: Difference, facts: Facts) -> bool:
    before, after = difference.before, difference.after
    if not isinstance(before, int) or not isinstance(after, int) or before & _SPECIAL != after & _SPECIAL:
        return False
    before, after = before & 0o777, after & 0o777
    if facts.umasks is None:
        return (before, after) in _PAIRS
    first, second = facts.umasks
    requested = before | after
    return first != second and (requested & ~first, requested & ~second) == (before, after)


def _detail(difference: Difference, facts: Facts) -> str:
    if facts.umasks is not None:
        first, second = facts.umasks
        return f"The two builds ran under umask {first:03o} and {second:03o}, and these files kept what it left them."
    return ""


UMASK: Final = Rule(
    cause=Cause(
        identifier="umask",
        title="Permissions follow the umask of the build",
        explanation="Programs run by the build (depmod, shell scripts, a git checkout) create files with the "
        "permissions that the umask of the process leaves them, and the two builds had different ones.",
        fix=render(
            (
                Remedy(
                    where=Where.SHELL,
                    line="umask 022  # `ci-toolkit build` does this, and gives mkosi.extra git's own modes",
                ),
            )
        ),
        source="https://github.com/systemd/mkosi/issues/699",
    ),
    phase=Phase.METADATA,
    fields=(Field.MODE,),
    recognise=_is_umask,
    detail=_detail,
)
