"""Fetch what the security trackers say, and look up what the upgrades of a release fixed. No release fails by it."""

import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import urlsplit

from ci_toolkit.console import Console, printable
from ci_toolkit.errors import UnreadableError
from ci_toolkit.forges.forge import BusyError
from ci_toolkit.forges.patience import Patience
from ci_toolkit.images import one
from ci_toolkit.mkosi.manifest import Package
from ci_toolkit.records import addresses, published, reading
from ci_toolkit.releases.advisories import debian, security, sources
from ci_toolkit.releases.advisories.fix import Fix, System, ordered
from ci_toolkit.releases.advisories.security import Known, Security, Upgrades
from ci_toolkit.releases.advisories.sources import Source
from ci_toolkit.releases.advisories.walk import LIMIT_BYTES

# A release waits for advisories, but not long: it is worth more than they are.
_ATTEMPTS: Final = 4
_WAITING_SECONDS: Final = 60.0
_ALL_SECONDS: Final = 300.0
_HINT: Final = "The notes of the release say so; it is published all the same."


@dataclass(frozen=True, slots=True, kw_only=True)
class Imaged:
    """An image of the release: its file, the directory with the record of its build, its packages before and now."""

    name: str
    file: Path
    build: Path
    before: Sequence[Package] | None
    now: Sequence[Package] | None


def of_release(places: Sequence[str], images: Iterable[Imaged], console: Console) -> Security | None:
    """Return what PLACES say of the upgrades in IMAGES; None where nothing was upgraded, as far as it is known."""
    known: list[Known] = []
    gaps: list[str] = []
    for image in images:
        if image.before is None or image.now is None or set(image.before) == set(image.now):
            continue
        try:
            system = _system(image.build)
        except UnreadableError as error:
            console.warn(f"of {printable(image.name)} no security fixes were looked up: {error.message}", hint=_HINT)
            gaps.append(f"It is not known which distribution `{_plain(image.name)}` is of.")
            continue
        known.append(Known(system=system, before=image.before, now=image.now, sources=_sources(image, system, console)))
    wanted = security.upgrades(known)
    found = look_up(places, wanted, console) if wanted else Security()
    if not wanted and not gaps:
        return None
    return Security(fixes=found.fixes, gaps=(*gaps, *found.gaps))


def _system(build: Path) -> System:
    image = reading.load(build).image
    return System(distribution=image.distribution, release=image.release)


def _sources(image: Imaged, system: System, console: Console) -> Mapping[str, Source]:
    """Return what the packages of IMAGE were built from, as far as it says; of Debian, whose tracker goes by that."""
    if system.distribution != debian.NAME:
        return {}
    try:
        status = one.read(image.file, sources.PATH, sources.LIMIT_BYTES)
    except UnreadableError as error:
        console.say(f"The list of packages in {printable(image.name)} was not read: {error.message}")
        status = None
    if status is None:
        console.say(f"Packages of {printable(image.name)} are looked up by their own names, not by their sources'")
    return sources.parse(status or b"")


def look_up(places: Sequence[str], wanted: Upgrades, console: Console, patience: Patience | None = None) -> Security:
    """Return what PLACES, files and addresses of what trackers hand out, say of the upgrades that are WANTED.

    What cannot be had or read is a warning, and one of the gaps.
    """
    waiting = patience or Patience(
        attempts=_ATTEMPTS, total_seconds=_WAITING_SECONDS, end_seconds=_ALL_SECONDS, tell=console.say
    )
    fixes: list[Fix] = []
    gaps: list[str] = []
    told: set[System] = set()
    for place in places:
        try:
            with _opened(place, waiting) as file:
                found = security.look_up(file, wanted)
        except (UnreadableError, OSError) as error:
            reason = error.message if isinstance(error, UnreadableError) else str(error)
            console.warn(f"the advisories of {printable(place)} were not looked up: {reason}", hint=_HINT)
            gaps.append(f"The advisories of `{_short(place)}` could not be looked up.")
            continue
        fixes += found.fixes
        told |= found.systems
    if not gaps:  # where one is, it may have been the one that knows them
        for system in sorted(wanted.keys() - told):
            name = f"{system.distribution} {system.release}".strip()
            console.warn(f"none of the advisories are of {printable(name)}", hint=_HINT)
            gaps.append(f"No advisories were at hand of `{_plain(name)}`.")
    return Security(fixes=ordered(fixes), gaps=tuple(gaps))


def _short(place: str) -> str:
    """Return PLACE as everybody may read it: without the directories of this machine, or what an address asks with."""
    if not addresses.is_address(place):
        return _plain(Path(place).name)
    parts = urlsplit(place)
    return _plain(f"{parts.hostname}{parts.path}")


def _plain(name: str) -> str:
    """Return NAME as it may stand between backticks."""
    return printable(name).replace("`", "'")


@contextmanager
def _opened(place: str, patience: Patience) -> Iterator[BinaryIO]:
    """Open the file at PLACE, which is fetched where that is an address. Raises UnreadableError, OSError."""
    if not addresses.is_address(place):
        with os.fdopen(os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UnreadableError("it is no file")
            yield file
        return
    with tempfile.TemporaryDirectory(prefix="ci-toolkit-") as directory:
        path = Path(directory, "advisories.json")
        _fetch(place, path, patience)
        with path.open("rb") as file:
            yield file


def _fetch(address: str, target: Path, patience: Patience) -> None:
    """Write what is at ADDRESS to TARGET. Raises UnreadableError where it cannot be had, also after some waiting."""

    try:
        patience.bounded(lambda: _copy(address, target, patience))
    except BusyError as error:
        raise UnreadableError(f"it did not come within {patience.end_seconds:.0f} s") from error


def _copy(address: str, target: Path, patience: Patience) -> None:
    base, _ = published.split(address, "", patience)
    with base.pieces(address, LIMIT_BYTES) as pieces, target.open("wb") as file:
        if pieces is None:
            raise UnreadableError("nothing is there")
        for piece in pieces:
            file.write(piece)
