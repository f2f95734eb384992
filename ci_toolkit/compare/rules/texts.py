"""Generated texts: stamps, values of the surroundings, the order of lines."""

import re
from collections import Counter
from functools import partial
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts, Leak
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents, places
from ci_toolkit.compare.rules.remedy import Remedy, advice, remove, render, script, setting
from ci_toolkit.compare.rules.rule import Follows, Phase, Rule
from ci_toolkit.compare.rules.stamps import only_stamps

_MARK: Final = "\0"
# Too short a value turns up by chance.
_SHORTEST: Final = 3
# Containers whose headers are texts.
_TEXTUAL: Final = ("oci",)


def _is_stamp(difference: Difference, facts: Facts) -> bool:
    if difference.field is Field.HEADER and difference.container not in _TEXTUAL:
        return False
    lines = contents.changed_lines(difference)
    return bool(lines) and all(only_stamps(before, after, facts) for before, after in lines or ())


def _stamp_remedies(difference: Difference, facts: Facts) -> tuple[Remedy, ...]:
    epoch = () if facts.epoch is not None else (setting("Content", _EPOCH),)
    if difference.field is Field.HEADER:
        return epoch
    return (*remove(difference), *epoch, _EPOCH_DATE)


_EPOCH: Final = "SourceDateEpoch=<seconds of the last commit: git log -1 --format=%ct>"
_EPOCH_DATE: Final = advice('Let the script that writes it take the epoch: `date --utc --date="@$SOURCE_DATE_EPOCH"`.')

BUILD_TIMESTAMP: Final = Rule(
    cause=Cause(
        identifier="build-timestamp",
        title="The time of the build is written into a file",
        explanation="The texts are equal but for dates or times, which are those of the two builds.",
        fix=render((setting("Content", _EPOCH), _EPOCH_DATE)),
        source="https://reproducible-builds.org/docs/source-date-epoch/",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT, Field.TARGET, Field.HEADER),
    recognise=_is_stamp,
    remedies=_stamp_remedies,
)


def _leaks(difference: Difference, facts: Facts) -> tuple[Leak, ...]:
    """Return the values of the surroundings that explain every line that differs, dates besides; else none."""
    leaks = tuple(leak for leak in facts.leaks if min(len(leak.first), len(leak.second)) >= _SHORTEST)
    if not leaks:
        return ()
    lines = contents.changed_lines(difference)
    found: set[Leak] = set()
    for before, after in lines or ():
        present = tuple(leak for leak in leaks if leak.first in before and leak.second in after)
        left, right = _masked(before, present), _masked(after, present)
        if left != right and not only_stamps(left, right, facts):
            return ()
        found.update(present)
    return tuple(leak for leak in leaks if leak in found)


def _masked(line: str, leaks: tuple[Leak, ...]) -> str:
    for leak in leaks:
        for value in sorted((leak.first, leak.second), key=len, reverse=True):
            line = line.replace(value, _MARK + leak.name + _MARK)
    return line


def _is_leak(difference: Difference, facts: Facts, *, name: str) -> bool:
    leaks = _leaks(difference, facts)
    return bool(leaks) and leaks[0].name == name


def _leak_detail(difference: Difference, facts: Facts) -> str:
    values = "; ".join(f"{leak.name}: {leak.first!a} and {leak.second!a}" for leak in _leaks(difference, facts))
    return f"The text holds what only the surroundings of the build can have told it ({values})." if values else ""


def _leak_remedies(difference: Difference, facts: Facts, *, general: tuple[Remedy, ...]) -> tuple[Remedy, ...]:
    return (*remove(difference), *general)


def _leak(name: str, title: str, explanation: str, *general: Remedy) -> Rule:
    return Rule(
        cause=Cause(
            identifier=name,
            title=title,
            explanation=explanation,
            fix=render(general),
            source="https://reproducible-builds.org/docs/",
        ),
        phase=Phase.CONTENT,
        fields=(Field.CONTENT, Field.TARGET),
        recognise=partial(_is_leak, name=name),
        remedies=partial(_leak_remedies, general=general),
        detail=_leak_detail,
    )


BUILD_PATH: Final = _leak(
    "build-path",
    "The path of the source tree is written into a file",
    "A tool wrote down where the source tree lay during the build.",
    advice(
        "Write paths as the image has them where the file is made; compilers take -ffile-prefix-map= and "
        "--remap-path-prefix."
    ),
)
HOME: Final = _leak(
    "home",
    "The builder's home is written into a file",
    "A tool wrote down the home directory of the user who built.",
    setting("Build", "Environment=HOME=/root"),
)
HOSTNAME: Final = _leak(
    "hostname",
    "The builder's host name is written into a file",
    "A script or a package's postinst asked for the host name, and got that of the machine that builds.",
    advice("Let the script that writes it take a fixed name instead of asking `hostname` or `uname -n`."),
)
LOCALE: Final = _leak(
    "locale",
    "The builder's locale is written into a file",
    "A tool wrote down the locale that it ran in.",
    setting("Content", "Locale=C.UTF-8"),
    setting("Build", "Environment=LC_ALL=C.UTF-8"),
)
ZONE: Final = _leak(
    "zone",
    "The builder's time zone is written into a file",
    "A tool wrote down the time zone that it ran in.",
    setting("Content", "Timezone=UTC"),
    setting("Build", "Environment=TZ=UTC"),
)


_HOST_NAMES: Final = ("etc/hostname", "etc/mailname")
_MAIL_SERVERS: Final = ("etc/exim4/update-exim4.conf.conf", "etc/postfix/main.cf")
# Settings of mail servers that their postinst takes from the host name.
_MAIL: Final = re.compile(r"^(?:dc_other_hostnames|dc_readhost|myhostname|mydestination|myorigin) *=")


def _is_host_name_file(difference: Difference, _facts: Facts) -> bool:
    lines = contents.changed_lines(difference)
    if not lines:
        return False
    if places.matches(difference.path, *_HOST_NAMES):
        return len(lines) == 1
    of_mail = places.matches(difference.path, *_MAIL_SERVERS)
    return of_mail and all(_setting(before) == _setting(after) != "" for before, after in lines)


def _setting(line: str) -> str:
    """The name of a mail server's setting that holds a host name, "" for any other."""
    found = _MAIL.match(line)
    return found.group() if found else ""


HOSTNAME_FILE: Final = Rule(
    cause=Cause(
        identifier="hostname-file",
        title="The builder's host name became the image's",
        explanation="A package's postinst or a script took over the name of the machine that builds.",
        fix=render(
            (
                setting("Content", "Hostname=<name>"),
                advice("Names of mail servers are best set in mkosi.finalize, or at first boot."),
            )
        ),
        source="https://github.com/gardenlinux/gardenlinux/commit/02a053a50",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_host_name_file,
    globs=(*_HOST_NAMES, *_MAIL_SERVERS),
)


def _is_reordered(difference: Difference, _facts: Facts) -> bool:
    pair = contents.texts(difference)
    if pair is None:
        return False
    before, after = pair[0].splitlines(), pair[1].splitlines()
    return len(before) == len(after) and before != after and Counter(before) == Counter(after)


def _order_remedies(difference: Difference, _facts: Facts) -> tuple[Remedy, ...]:
    pair = contents.texts(difference)
    lines = pair[0].splitlines() if pair else []
    # Of anything but a plain list, sorted lines would be another text.
    if not all(_PLAIN.match(line) for line in lines):
        return (_SORTED,)
    return (script(f'LC_ALL=C sort -o "$BUILDROOT/{_quoted(difference)}" "$BUILDROOT/{_quoted(difference)}"'), _SORTED)


def _quoted(difference: Difference) -> str:
    """The name, if it can stand between double quotes in a script; it came out of an image."""
    name = places.name(difference.path)
    safe = name.isascii() and name.replace("/", "").replace("-", "").replace(".", "").replace("_", "").isalnum()
    return name if safe else "<file>"


_PLAIN: Final = re.compile(r"[\w/.+-]")
_SORTED: Final = advice(
    "Best is to sort where the lines are written, under LC_ALL=C.UTF-8, if their order has no meaning."
)

LINE_ORDER: Final = Rule(
    cause=Cause(
        identifier="line-order",
        title="The same lines in another order",
        explanation="A text was generated from a listing whose order depends on the host: "
        "its locale, its file system, or what happened to run first.",
        fix=render((_SORTED,)),
        source="https://reproducible-builds.org/docs/stable-inputs/",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_reordered,
    remedies=_order_remedies,
)


def _is_reference(difference: Difference, facts: Facts) -> bool:
    """Equal texts but for identifiers of the image's own partitions and file systems, which differ already."""
    lines = contents.changed_lines(difference) if facts.identifiers else None
    return bool(lines) and all(_refers(before.lower(), after.lower(), facts) for before, after in lines or ())


def _refers(before: str, after: str, facts: Facts) -> bool:
    for identifier in facts.identifiers:
        if identifier.first in before and identifier.second in after:
            before = before.replace(identifier.first, _MARK)
            after = after.replace(identifier.second, _MARK)
    return before == after


def _origins(difference: Difference, facts: Facts) -> tuple[str, ...]:
    pair = contents.texts(difference) or ("", "")
    before, after = pair[0].lower(), pair[1].lower()
    used = (identifier for identifier in facts.identifiers if identifier.first in before and identifier.second in after)
    return tuple(sorted({identifier.cause for identifier in used}))


IDENTIFIER_REFERENCE: Final = Rule(
    cause=Cause(
        identifier="identifier-reference",
        title="A text names a partition or file system by its identifier",
        explanation="The identifier in the text is the one that differs in the partition table or the file system.",
        fix="",
    ),
    phase=Phase.DERIVED,
    fields=(Field.CONTENT, Field.TARGET),
    recognise=_is_reference,
    follows=Follows.ELSE_UNKNOWN,
    origins=_origins,
)
