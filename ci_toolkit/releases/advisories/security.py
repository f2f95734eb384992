"""What the advisories say of a release: which of its upgrades fixed what, and of which nobody could tell."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import BinaryIO, Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.mkosi.manifest import Package
from ci_toolkit.releases.advisories import arch, debian
from ci_toolkit.releases.advisories.fix import Fix, System, Upgrade
from ci_toolkit.releases.advisories.sources import Source, tracked
from ci_toolkit.reports import change

# What an upgrade of all packages by many years brings; more is no release's.
LIMIT_FIXES: Final = 10_000
_BLANKS: Final = b" \t\r\n"
_HEAD_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of an image: its system, its packages in the last release and now, and what they were built from.

    `sources` are by the packages' names; empty where nobody knows.
    """

    system: System
    before: Sequence[Package]
    now: Sequence[Package]
    sources: Mapping[str, Source] = field(default_factory=dict)


Upgrades = Mapping[System, Sequence[Upgrade]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """The fixes, ordered, and sentences about what could not be looked up; a name in them stands in backticks."""

    fixes: tuple[Fix, ...] = ()
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one file of a tracker says, and of which systems it says something."""

    fixes: tuple[Fix, ...]
    systems: frozenset[System]


def upgrades(images: Iterable[Known]) -> dict[System, tuple[Upgrade, ...]]:
    """Return what was upgraded in IMAGES, by their systems; each upgrade once."""
    found: defaultdict[System, set[Upgrade]] = defaultdict(set)
    for image in images:
        for moved in change.packages(image.before, image.now).moved:
            source = tracked(moved.name, moved.after, image.sources)
            found[image.system].add(
                Upgrade(package=moved.name, before=moved.before, after=moved.after, source=source or "")
            )
    return {system: tuple(sorted(told)) for system, told in sorted(found.items())}


def look_up(file: BinaryIO, wanted: Upgrades) -> Found:
    """Return what FILE, which a tracker handed out, says of the upgrades that are WANTED.

    A list is Arch's, an object is Debian's. Raises UnreadableError.
    """
    head = file.read(_HEAD_BYTES).lstrip(_BLANKS)[:1]
    file.seek(0)
    match head:
        case b"[":
            return _arch(file, wanted)
        case b"{":
            return _debian(file, wanted)
        case _:
            raise UnreadableError("it is not what Arch's or Debian's security tracker hands out")


def _arch(file: BinaryIO, wanted: Upgrades) -> Found:
    systems = frozenset(system for system in wanted if system.distribution == arch.NAME)
    named = _named(chain.from_iterable(wanted[system] for system in systems))
    return Found(fixes=_bounded(arch.fixes(file, named)), systems=systems)


def _debian(file: BinaryIO, wanted: Upgrades) -> Found:
    ours = {system: debian.tracked(system.release) for system in wanted if system.distribution == debian.NAME}
    named = {
        release: _named(chain.from_iterable(wanted[system] for system, of in ours.items() if of == release))
        for release in ours.values()
    }
    seen: set[str] = set()
    fixes = _bounded(debian.fixes(file, named, seen))
    return Found(fixes=fixes, systems=frozenset(system for system, release in ours.items() if release in seen))


def _named(found: Iterable[Upgrade]) -> dict[str, list[Upgrade]]:
    names: defaultdict[str, list[Upgrade]] = defaultdict(list)
    for upgrade in found:
        names[upgrade.tracked].append(upgrade)
    return dict(names)


def _bounded(fixes: Iterable[Fix]) -> tuple[Fix, ...]:
    found = []
    for fix in fixes:
        found.append(fix)
        if len(found) > LIMIT_FIXES:
            raise UnreadableError(f"it names more than {LIMIT_FIXES:,} fixes")
    return tuple(found)
