"""The surroundings that a build is given: NORMAL for what ships, VARIED for the build that proves it.

Normalising is choosing NORMAL. The proving build is given VARIED, or less when the caller or the runner says so; the
report names what varied, with both values.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Final

from ci_toolkit.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Everything in which two machines differ and which a build could notice.

    `cpus` is how many processors the build may use, None for all; `first_id` is the user and group id, seen from
    outside, that stands for the build's root; `build_path` is where the source tree lies; `time_of_day` "later" only
    records that the second build starts after the first has ended.
    """

    hostname: str
    build_path: str
    locale: str
    zone: str
    home: str
    cpus: int | None
    first_id: int
    umask: int
    time_of_day: str


NORMAL: Final = Environment(
    hostname="image-builder",
    build_path="/var/tmp/ci-toolkit/source",
    locale="C.UTF-8",
    zone="UTC",
    home="/var/tmp/ci-toolkit/home",
    cpus=None,
    first_id=0,
    umask=0o022,
    time_of_day="first",
)

# As far from NORMAL as a working build allows. A zone of +13:45 moves the date for most of the day, and no other zone
# has its three-quarter hour; the locale has other collation, digits and messages. The umask stays: it decides the
# modes of every file that a script writes, so a build under another umask is another image, and mending that is
# normalising's work, not the image's.
VARIED: Final = Environment(
    hostname="elsewhere",
    build_path="/var/tmp/ci-toolkit/another/place/source",
    locale="fr_FR.UTF-8",
    zone="Pacific/Chatham",
    home="/var/tmp/ci-toolkit/another/home",
    cpus=1,
    first_id=100_000,
    umask=0o022,
    time_of_day="later",
)

# The names that --vary knows, and the field each of them stands for.
VARIATIONS: Final = {
    "hostname": "hostname",
    "build-path": "build_path",
    "locale": "locale",
    "zone": "zone",
    "home": "home",
    "cpus": "cpus",
    "uid": "first_id",
    "time": "time_of_day",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """One property in which the two builds' surroundings differed, or why it could not be varied."""

    name: str
    first: str
    second: str
    skipped: str | None = None


def parse_vary(text: str) -> frozenset[str]:
    """Read `--vary`: "all", "none", or names joined by commas, each with a "-" before it to leave it out of all.

    Raises UsageError for a name that is not in VARIATIONS.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names in (["all"], []):
        return frozenset(VARIATIONS)
    if names == ["none"]:
        return frozenset()
    unknown = sorted({name.removeprefix("-") for name in names} - set(VARIATIONS))
    if unknown:
        raise UsageError(
            f"--vary does not know {', '.join(unknown)}",
            hint=f"It knows: all, none, {', '.join(VARIATIONS)}; -NAME leaves one out.",
        )
    left_out = {name.removeprefix("-") for name in names if name.startswith("-")}
    chosen = {name for name in names if not name.startswith("-")} or set(VARIATIONS)
    return frozenset(chosen - left_out)


def varied(names: Iterable[str]) -> Environment:
    """Return NORMAL with the properties NAMES taken from VARIED."""
    return replace(NORMAL, **{VARIATIONS[name]: getattr(VARIED, VARIATIONS[name]) for name in names})


def differences(first: Environment, second: Environment) -> tuple[Variation, ...]:
    """Return what differs between two surroundings, in the order of the record."""
    names = {field: name for name, field in VARIATIONS.items()}
    return tuple(
        Variation(
            name=names.get(field.name, field.name),
            first=_shown(getattr(first, field.name)),
            second=_shown(getattr(second, field.name)),
        )
        for field in fields(Environment)
        if getattr(first, field.name) != getattr(second, field.name)
    )


def _shown(value: str | int | None) -> str:
    return "all" if value is None else str(value)
