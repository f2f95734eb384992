"""Password hashes with another salt, and the day of their last change."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents, places
from ci_toolkit.compare.rules.remedy import Remedy, advice, remove, render, script, setting
from ci_toolkit.compare.rules.rule import Phase, Rule

# crypt(5): $method$[parameters$]salt$hash, and bcrypt's 22 characters of salt without a separator.
_HASH: Final = re.compile(
    r"(?P<method>!?\$(?:y|gy)\$[^$:]*\$|!?\$7\$.{11}|!?\$(?:1|5|6|md5|sha1)(?:\$rounds=\d+)?\$|!?\$2[abxy]\$\d\d\$(?=.{53}$))"
    r"(?P<salt>(?<=\d\$)[./A-Za-z0-9]{22}(?=.{31}$)|[^$:]+\$)"
    r"(?P<hash>[./A-Za-z0-9]{22,})"
)
_SHADOW: Final = ("etc/shadow", "etc/shadow-")
_CREDENTIAL: Final = ("*/credstore*/passwd.hashed-password.*", "passwd.hashed-password.*")
_HASHED: Final = 'RootPassword=hashed:<what one run of "openssl passwd -6" printed>'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changes:
    """What differs between two shadow files: whose salts, and whether days of the last change."""

    salted: tuple[str, ...]
    dated: bool


def _salts_differ(before: str, after: str) -> bool:
    """Tell whether two hashes are of one method with one set of parameters, and of another salt."""
    first, second = _HASH.fullmatch(before), _HASH.fullmatch(after)
    return (
        first is not None
        and second is not None
        and first["method"] == second["method"]
        and first["salt"] != second["salt"]
        and len(first["hash"]) == len(second["hash"])
    )


def _changes(difference: Difference) -> _Changes | None:
    """Read what differs between two shadow files; None as soon as it is anything but salts and days."""
    lines = contents.changed_lines(difference)
    if not lines or not places.matches(difference.path, *_SHADOW):
        return None
    salted: list[str] = []
    dated = False
    for before, after in lines:
        for index, first, second in _fields(before, after):
            if index == 1 and _salts_differ(first, second):
                salted.append(before.split(":")[0])
            elif index == 2 and _is_day(first) and _is_day(second):
                dated = True
            else:
                return None
    return _Changes(salted=tuple(salted), dated=dated)


def _fields(before: str, after: str) -> Iterator[tuple[int, str, str]]:
    """Yield the fields that differ, by number; a line that is not of nine fields differs as a whole, as number -1."""
    first, second = before.split(":"), after.split(":")
    if len(first) != 9 or len(second) != 9:
        yield -1, before, after
        return
    for index, (left, right) in enumerate(zip(first, second, strict=True)):
        if left != right:
            yield index, left, right


def _is_day(text: str) -> bool:
    """Days since 1970 that lie between 1997 and 2106, or the empty field."""
    return text == "" or (text.isascii() and text.isdigit() and 10_000 <= int(text) < 50_000)


def _is_salt(difference: Difference, _facts: Facts) -> bool:
    if places.matches(difference.path, *_CREDENTIAL):
        lines = contents.changed_lines(difference)
        return lines is not None and len(lines) == 1 and _salts_differ(*lines[0])
    changes = _changes(difference)
    return changes is not None and bool(changes.salted)


def _is_date(difference: Difference, _facts: Facts) -> bool:
    changes = _changes(difference)
    return changes is not None and changes.dated and not changes.salted


def _salt_remedies(difference: Difference, _facts: Facts) -> tuple[Remedy, ...]:
    changes = _changes(difference)
    name = places.name(difference.path)
    users = set(changes.salted) if changes else {name.rpartition(".")[2]}
    remedies: tuple[Remedy, ...] = ()
    if "root" in users:
        remedies += (setting("Content", _HASHED),)
    if users - {"root"}:
        remedies += (advice("For other users, give useradd or usermod a fixed hash: `usermod -p '<hash>' <user>`."),)
    if changes and changes.dated:
        remedies += _DATE_REMEDIES
    if name == "etc/shadow-":
        remedies += remove(difference)
    return remedies


def _salt_detail(difference: Difference, _facts: Facts) -> str:
    changes = _changes(difference)
    if changes is None or not changes.dated:
        return ""
    return _SALT_EXPLANATION + " The day of the last change differs as well."


def _date_remedies(difference: Difference, _facts: Facts) -> tuple[Remedy, ...]:
    if places.matches(difference.path, "etc/shadow-"):
        return remove(difference)
    return _DATE_REMEDIES


_DATE_REMEDIES: Final = (
    script("""sed -i -E 's/^([^:]*:[^:]*):[0-9]*:/\\1::/' "$BUILDROOT/etc/shadow\""""),
    advice("Or take tools that honour SOURCE_DATE_EPOCH: shadow 4.8, systemd 252 and mkosi 27, or later."),
)
_SALT_EXPLANATION: Final = (
    "A plain password is hashed anew by each build, with a random salt, so its hash never comes out the same twice."
)

PASSWORD_SALT: Final = Rule(
    cause=Cause(
        identifier="password-salt",
        title="A password was hashed with another salt",
        explanation=_SALT_EXPLANATION,
        fix=render((setting("Content", _HASHED),)),
        source="https://github.com/flashbots/flashbots-images/commit/effa3ed",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_salt,
    globs=(*_CREDENTIAL, *_SHADOW),
    remedies=_salt_remedies,
    detail=_salt_detail,
)

SHADOW_DATE: Final = Rule(
    cause=Cause(
        identifier="shadow-date",
        title="The day of the last password change is the build's",
        explanation="The third field of /etc/shadow is the day on which the password was set, which is that of the "
        "build wherever the tool that wrote it ignores SOURCE_DATE_EPOCH.",
        fix=render(_DATE_REMEDIES),
        source="https://github.com/shadow-maint/shadow/pull/146",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_date,
    globs=_SHADOW,
    remedies=_date_remedies,
)
