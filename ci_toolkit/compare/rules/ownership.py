"""Owners, and the bits that go with them."""

from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules.remedy import advice, render
from ci_toolkit.compare.rules.rule import Phase, Rule

_SET_ID: Final = 0o6000


def _is_owner(difference: Difference, _facts: Facts) -> bool:
    """One of the two is root: a number that both builds took from their user database is another matter."""
    before, after = difference.before, difference.after
    return isinstance(before, int) and isinstance(after, int) and before != after and 0 in (before, after)


def _is_builder(difference: Difference, _facts: Facts) -> bool:
    """Neither is root, and one at least is no system user either; what both are was asked before."""
    before, after = difference.before, difference.after
    return isinstance(before, int) and isinstance(after, int) and before != after


def _is_set_id(difference: Difference, _facts: Facts) -> bool:
    before, after = difference.before, difference.after
    if not isinstance(before, int) or not isinstance(after, int):
        return False
    return before != after and before & ~_SET_ID == after & ~_SET_ID


def _is_name(difference: Difference, _facts: Facts) -> bool:
    return difference.container == "tar" and difference.name in ("user_name", "group_name")


_SAME_PRIVILEGES: Final = advice(
    "Build both with the full range of user ids: `ci-toolkit build`, or mkosi as root; "
    "or let a tmpfiles.d line set the owner at boot."
)

OWNERSHIP: Final = Rule(
    cause=Cause(
        identifier="ownership",
        title="Owners depend on who builds",
        explanation="One build gave these files to root and the other to somebody else: a build by an ordinary user "
        "has one user id only, and mkosi then leaves every owner out.",
        fix=render((_SAME_PRIVILEGES,)),
        source="https://github.com/systemd/mkosi/commit/b3a3e7e7",
    ),
    phase=Phase.METADATA,
    fields=(Field.UID, Field.GID),
    recognise=_is_owner,
)

SET_ID: Final = Rule(
    cause=Cause(
        identifier="set-id-bit",
        title="The set-user-id or set-group-id bit differs",
        explanation="chown(2) clears the bit on a file, and a new directory takes the set-group-id bit over from the "
        "one it is made in.",
        fix=render(
            (
                _SAME_PRIVILEGES,
                advice("Of directories, build below one without the bit: `chmod g-s <directory>`."),
            )
        ),
        source="https://github.com/systemd/mkosi/commit/59101e7d",
    ),
    phase=Phase.METADATA,
    fields=(Field.MODE,),
    recognise=_is_set_id,
)

BUILDER: Final = Rule(
    cause=Cause(
        identifier="builder-owner",
        title="Files belong to the user who built",
        explanation="The owner is a user of the machine that builds, whose number is another one there: a person's, or "
        "one of a range that was handed to a user namespace.",
        fix=render(
            (advice("Give them to root where they are packed or copied: `tar --owner=0 --group=0`, `chown -R 0:0`."),)
        ),
        source="https://reproducible-builds.org/docs/archives/",
    ),
    phase=Phase.METADATA,
    fields=(Field.UID, Field.GID),
    recognise=_is_builder,
)

OWNER_NAME: Final = Rule(
    cause=Cause(
        identifier="tar-owner-name",
        title="tar kept the owners' names on the build host",
        explanation="tar looked up the names of the owners in the user database of the machine that builds.",
        fix=render((advice("Run tar with --numeric-owner."),)),
        source="https://reproducible-builds.org/docs/archives/",
    ),
    phase=Phase.METADATA,
    fields=(Field.HEADER,),
    recognise=_is_name,
)
