"""Which packages were installed, and where they came from."""

import re
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents, places
from ci_toolkit.compare.rules.remedy import advice, render, setting
from ci_toolkit.compare.rules.rule import Phase, Rule

_PACMAN_ENTRY: Final = re.compile(r"var/lib/pacman/local/[^/]+-[^/-]+-[^/-]+(?:/.*)?")
_MODULES: Final = re.compile(r"(?:usr/)?lib/modules/[^/]+")
_ADDRESS: Final = re.compile(r"(?:https?|ftp|file)://\S+")
# A day as archives have it in their addresses: 20260701T000000Z, 2026/07/01, 2026-07-01, 20260701.
_SNAPSHOT: Final = re.compile(r"(?<!\d)20\d\d(?:/[01]\d/[0-3]\d|-?[01]\d-?[0-3]\d(?:T[0-2]\d[0-5]\d[0-6]\dZ)?)(?!\d)")
_SOURCES: Final = (
    "etc/apt/sources.list",
    "etc/apt/sources.list.d/*",
    "etc/pacman.d/mirrorlist",
    "etc/pacman.conf",
    "etc/yum.repos.d/*.repo",
    "etc/zypp/repos.d/*.repo",
)


def _is_package_set(difference: Difference, _facts: Facts) -> bool:
    """A package is in one image only, or is of another version, by the package manager's own records."""
    if difference.field is Field.PRESENCE:
        return _PACMAN_ENTRY.fullmatch(places.name(difference.path)) is not None
    pair = contents.both(difference)
    if pair is None or not places.matches(difference.path, "var/lib/dpkg/status", "lib/apk/db/installed"):
        return False
    first, second = (_versions(content.head) for content in pair)
    if contents.whole(difference) is not None:
        return first != second
    # Of long records only the beginning is here: a package missing from it may follow further down.
    return any(second.get(name, version) != version for name, version in first.items())


def _versions(records: bytes) -> dict[bytes, bytes]:
    """The versions of packages in dpkg's status file or in apk's installed database; a cut last record is left out."""
    fields = re.findall(rb"^(?:Package|Version|P|V): ?(.*)\n", records, re.MULTILINE)
    return dict(zip(fields[::2], fields[1::2], strict=False))


def _is_kernel(difference: Difference, _facts: Facts) -> bool:
    """The directory of a kernel's modules is in one image only."""
    is_directory = "directory" in (difference.before, difference.after)
    return is_directory and _MODULES.fullmatch(places.name(difference.path)) is not None


def _addresses_differ(difference: Difference, *, but_for: re.Pattern[str]) -> bool:
    """Tell whether two files of package sources are equal but for what BUT_FOR matches in their addresses."""
    lines = contents.changed_lines(difference)
    if not lines or not places.matches(difference.path, *_SOURCES):
        return False
    return all(_without(before, but_for) == _without(after, but_for) for before, after in lines)


def _without(line: str, pattern: re.Pattern[str]) -> str:
    return _ADDRESS.sub(lambda found: pattern.sub("", found.group()), line)


def _is_snapshot(difference: Difference, _facts: Facts) -> bool:
    return _addresses_differ(difference, but_for=_SNAPSHOT)


def _is_package_source(difference: Difference, _facts: Facts) -> bool:
    return _addresses_differ(difference, but_for=_ADDRESS)


_SNAPSHOT_LINE: Final = setting("Distribution", "Snapshot=<what `mkosi latest-snapshot` prints>")

PACKAGE_SET: Final = Rule(
    cause=Cause(
        identifier="package-set",
        title="Other packages were installed",
        explanation="The two images do not have the same packages in the same versions: the mirror moved on between "
        "the builds. Look at this first; most of the rest may follow from it.",
        fix=render((_SNAPSHOT_LINE,)),
        source="https://vdwaa.nl/mkosi-reproducible-images.html",
    ),
    phase=Phase.INPUT,
    fields=(Field.CONTENT, Field.PRESENCE),
    recognise=_is_package_set,
)

KERNEL_VERSION: Final = Rule(
    cause=Cause(
        identifier="kernel-version",
        title="Another kernel was installed",
        explanation="The modules of a kernel lie in a directory named after its version, and the two images do not "
        "have the same ones.",
        fix=render((_SNAPSHOT_LINE,)),
        source="https://vdwaa.nl/mkosi-reproducible-images.html",
    ),
    phase=Phase.INPUT,
    fields=(Field.PRESENCE,),
    recognise=_is_kernel,
)

SNAPSHOT_DATE: Final = Rule(
    cause=Cause(
        identifier="snapshot-date",
        title="The packages are from snapshots of two days",
        explanation="The addresses of the packages are equal but for the day of the snapshot, which each build worked "
        "out for itself.",
        fix=render((_SNAPSHOT_LINE, advice("Work it out once for each pipeline, and hand it to all of its jobs."))),
        source="https://gitlab.archlinux.org/archlinux/archlinux-wsl/-/merge_requests/76",
    ),
    phase=Phase.INPUT,
    fields=(Field.CONTENT,),
    recognise=_is_snapshot,
    globs=_SOURCES,
)

PACKAGE_SOURCES: Final = Rule(
    cause=Cause(
        identifier="package-sources",
        title="Another package mirror is named in the image",
        explanation="A mirror or snapshot that was used for one build only is written into the image's configuration.",
        fix=render((advice("Ship the file that the image should have in mkosi.extra."),)),
        source="https://reproducible-builds.org/events/hamburg2023/images-filesystems",
    ),
    phase=Phase.INPUT,
    fields=(Field.CONTENT,),
    recognise=_is_package_source,
    globs=_SOURCES,
)
