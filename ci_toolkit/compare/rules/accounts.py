"""The account databases: backups that tools leave, the order of their lines, the numbers in them."""

from collections import Counter
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents, places
from ci_toolkit.compare.rules.droppings import dropping
from ci_toolkit.compare.rules.remedy import Remedy, advice, render, script
from ci_toolkit.compare.rules.rule import Phase, Rule

# Name of the file -> the fields that hold numbers of users and groups.
_NUMBERS: Final = {"etc/passwd": (2, 3), "etc/group": (2,)}
# Numbers below are for system users: SYS_UID_MAX of login.defs(5).
_FIRST_PERSON: Final = 1000
_BY_USERS: Final = ("etc/passwd", "etc/shadow")
_BY_GROUPS: Final = ("etc/group", "etc/gshadow")


def _is_numbers(difference: Difference, _facts: Facts) -> bool:
    """Two owners that are both system users, or databases with the same accounts under other numbers."""
    before, after = difference.before, difference.after
    if difference.field is not Field.CONTENT:
        return all(isinstance(value, int) and 0 < value < _FIRST_PERSON for value in (before, after))
    numbers = _NUMBERS.get(places.name(difference.path))
    pair = contents.texts(difference)
    if numbers is None or pair is None:
        return False
    first, second = (_accounts(text, numbers) for text in pair)
    return first is not None and first == second and Counter(pair[0].split("\n")) != Counter(pair[1].split("\n"))


def _accounts(text: str, numbers: tuple[int, ...]) -> Counter[tuple[str, ...]] | None:
    """The accounts without their numbers; None where a line is no account."""
    found: Counter[tuple[str, ...]] = Counter()
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) <= max(numbers) or not all(fields[index].isdigit() for index in numbers):
            return None
        found[tuple("" if index in numbers else field for index, field in enumerate(fields))] += 1
    return found


def _is_order(difference: Difference, _facts: Facts) -> bool:
    pair = contents.texts(difference)
    if pair is None or not places.matches(difference.path, *_BY_USERS, *_BY_GROUPS):
        return False
    before, after = (text.splitlines() for text in pair)
    return before != after and Counter(before) == Counter(after)


def _order_remedies(difference: Difference, _facts: Facts) -> tuple[Remedy, ...]:
    return (_SORT_USERS,) if places.matches(difference.path, *_BY_USERS) else (_SORT_GROUPS,)


_SORT_USERS: Final = script("mkosi-chroot pwck --sort")
_SORT_GROUPS: Final = script("mkosi-chroot grpck --sort")

ACCOUNT_BACKUP: Final = dropping(
    identifier="account-backup",
    title="Backups of the account databases",
    explanation="The tools that make users keep the state before their last change in files whose name ends in '-'.",
    globs=tuple(f"etc/{name}-" for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")),
    source="https://github.com/systemd/mkosi/issues/3331",
)

SYSTEM_IDS: Final = Rule(
    cause=Cause(
        identifier="system-user-ids",
        title="System users got other numbers",
        explanation="Packages took the next free numbers for their users and groups, in the order in which they "
        "happened to be installed.",
        fix=render(
            (advice("Give every system user of the image a fixed number in a sysusers.d file in mkosi.skeleton."),)
        ),
        source="https://www.freedesktop.org/software/systemd/man/latest/sysusers.d.html",
    ),
    phase=Phase.METADATA,
    fields=(Field.UID, Field.GID, Field.CONTENT),
    recognise=_is_numbers,
)

ACCOUNT_ORDER: Final = Rule(
    cause=Cause(
        identifier="account-order",
        title="The same accounts in another order",
        explanation="Packages added their users and groups in the order in which they happened to be installed.",
        fix=render((_SORT_USERS, _SORT_GROUPS)),
        source="https://github.com/flashbots/flashbots-images/blob/main/shared/mkosi.finalize.d/90-debloat.sh",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_order,
    globs=(*_BY_USERS, *_BY_GROUPS),
    remedies=_order_remedies,
)
