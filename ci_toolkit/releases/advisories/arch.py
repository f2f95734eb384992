"""What Arch Linux's security tracker says: all.json, a list of groups, of issues that one version of packages fixed.

https://github.com/archlinux/arch-security-tracker/blob/master/tracker/view/index.py
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.mkosi.alpm import compare
from ci_toolkit.releases.advisories.fix import Fix, Upgrade, is_identifier, severity
from ci_toolkit.releases.advisories.walk import LIMIT_VERSION, walk

NAME: Final = "arch"
_TEXTS: Final = ("status", "severity", "fixed")
_LISTS: Final = ("packages", "issues")
# The tracker's file has some three megabytes.
_LIMIT_BYTES: Final = 16 << 20
_LIMIT_LIST: Final = 5_000


def fixes(file: BinaryIO, wanted: Mapping[str, Sequence[Upgrade]]) -> Iterator[Fix]:
    """Yield what the FILE says that upgrades of WANTED fixed; they are under the packages' names.

    Raises UnreadableError for what is no such list.
    """
    texts: dict[str, str] = {}
    lists: dict[str, list[str]] = {name: [] for name in _LISTS}
    for path, event, value in walk(file, _LIMIT_BYTES):
        if event == "string" and len(path) == 2 and path[1] in _TEXTS:
            texts[path[1]] = value
        elif event == "string" and len(path) == 3 and path[1] in _LISTS:
            lists[path[1]].append(value)
            if len(lists[path[1]]) > _LIMIT_LIST:
                raise UnreadableError(f"a group of it has more than {_LIMIT_LIST:,} {path[1]}")
        elif event == "end_map" and len(path) == 1:
            yield from _of_group(texts, lists, wanted)
            texts, lists = {}, {name: [] for name in _LISTS}


def _of_group(
    texts: Mapping[str, str], lists: Mapping[str, Sequence[str]], wanted: Mapping[str, Sequence[Upgrade]]
) -> Iterator[Fix]:
    fixed = texts.get("fixed", "")
    issues = [issue for issue in lists["issues"] if is_identifier(issue)]
    if not issues or not fixed or len(fixed) > LIMIT_VERSION or texts.get("status") == "Not affected":
        return
    for upgrade in (upgrade for package in dict.fromkeys(lists["packages"]) for upgrade in wanted.get(package, ())):
        if compare(upgrade.before, fixed) < 0 <= compare(upgrade.after, fixed):
            for issue in issues:
                yield Fix(
                    identifier=issue,
                    package=upgrade.package,
                    before=upgrade.before,
                    after=upgrade.after,
                    severity=severity(texts.get("severity", "")),
                    distribution=NAME,
                )
