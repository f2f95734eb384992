"""What Debian's security tracker says: of each source package and CVE, the version that fixed it in each release.

https://security-tracker.debian.org/tracker/data/json
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.mkosi.versions import is_newer
from ci_toolkit.releases.advisories.fix import Fix, Upgrade, is_identifier, severity
from ci_toolkit.releases.advisories.sources import of_source
from ci_toolkit.releases.advisories.walk import LIMIT_VERSION, walk

NAME: Final = "debian"
# The tracker knows releases by the names that they keep. What testing has, it has from unstable.
_RELEASES: Final = {"unstable": "sid", "testing": "sid"}
_MEMBERS: Final = ("status", "fixed_version", "urgency")
# "resolved" with this version: the release never had it.
_NEVER: Final = "0"
# The tracker knows half as many, of all packages.
_LIMIT_JUDGED: Final = 100_000


def tracked(release: str) -> str:
    """Return the name under which the tracker has the RELEASE of an image."""
    return _RELEASES.get(release, release)


def fixes(file: BinaryIO, wanted: Mapping[str, Mapping[str, Sequence[Upgrade]]], seen: set[str]) -> Iterator[Fix]:
    """Yield what the FILE says that upgrades of WANTED fixed; they are under their releases and the tracked names.

    Releases of WANTED that FILE knows are added to SEEN. Raises UnreadableError for what is no JSON.
    """
    told: dict[str, str] = {}
    judged = 0
    for path, event, value in walk(file):
        if len(path) == 5:
            if event == "string" and path[4] in _MEMBERS and path[3] in wanted and path[2] == "releases":
                told[path[4]] = value
        elif event == "end_map" and len(path) == 4:
            if path[3] in wanted and path[2] == "releases":
                seen.add(path[3])
                upgrades = wanted[path[3]].get(path[0], ())
                judged += len(upgrades)
                if judged > _LIMIT_JUDGED:
                    raise UnreadableError(f"it tells of more than {_LIMIT_JUDGED:,} issues of the packages")
                yield from _of_release(path[1], told, upgrades)
            told = {}


def _of_release(identifier: str, told: Mapping[str, str], upgrades: Sequence[Upgrade]) -> Iterator[Fix]:
    fixed = told.get("fixed_version", "")
    if not upgrades or told.get("status") != "resolved" or not is_identifier(identifier):
        return
    if fixed in ("", _NEVER) or len(fixed) > LIMIT_VERSION:
        return
    for upgrade in upgrades:
        before, after = of_source(upgrade.before), of_source(upgrade.after)
        if is_newer(fixed, before) and not is_newer(fixed, after):
            yield Fix(
                identifier=identifier,
                package=upgrade.tracked,
                before=before,
                after=after,
                severity=severity(told.get("urgency", "")),
                distribution=NAME,
            )
