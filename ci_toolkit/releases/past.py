"""The releases that are there already."""

from dataclasses import dataclass
from datetime import date

from ci_toolkit.releases import version as versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A published release. `labels` are other names that people gave it, such as a title, a tag, or a link to it."""

    version: str
    labels: tuple[str, ...] = ()

    @property
    def day(self) -> date:
        day = versions.day_of(self.version)
        assert day is not None  # what has another name is no release of ours
        return day


def ordered(found: tuple[Past, ...]) -> tuple[Past, ...]:
    """Return FOUND, the newest first."""
    return tuple(sorted(found, key=lambda past: versions.order(past.version), reverse=True))


def newest(found: tuple[Past, ...]) -> Past | None:
    """Return the newest of FOUND."""
    return next(iter(ordered(found)), None)
