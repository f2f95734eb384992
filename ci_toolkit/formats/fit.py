"""How large each format will be, and whether a forge takes it."""

import zlib
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from ci_toolkit.errors import UsageError
from ci_toolkit.formats.source import UNIT, Disk
from ci_toolkit.formats.table import FORMATS, PACKED, WHOLE, Format
from ci_toolkit.formats.work import Work
from ci_toolkit.images.limits import GIB, MIB

# Bytes that one file may have; GitHub's must be smaller. https://docs.github.com/en/repositories/releasing-projects-on-github
# https://docs.gitlab.com/administration/instance_limits/#package-registry-limits
LIMITS: Final[Mapping[str, int]] = {"github": 2 * GIB - 1, "gitlab": 5 * GIB}

# Of so many units is told how well the disk can be compressed.
_SAMPLES: Final = 256
# By so much the sample may be wrong.
_DOUBT: Final = 1.25
_PER_MEMBER: Final = 1024


class Forecast(NamedTuple):
    """What a format will come to, in bytes; `sure` where compression has no say in it."""

    format: Format
    size: int
    sure: bool


def forecast(work: Work, wanted: Format, ratio: float) -> Forecast:
    """Return what WANTED will come to, where compression leaves RATIO. Raises UnreadableError where it cannot be."""
    if wanted.files:
        tree = work.tree
        size = tree.size + _PER_MEMBER * len(tree.entries)
    else:
        size = work.disk.held
    if wanted.grain == PACKED:
        return Forecast(wanted, int(size * ratio), sure=False)
    if wanted.grain != WHOLE:
        size = sum(wanted.grain for _ in work.disk.blocks(wanted.grain))
    elif not wanted.files:
        size = -(-work.disk.size // MIB) * MIB
    return Forecast(wanted, size, sure=True)


def ratio(disk: Disk) -> float:
    """Return what compression leaves of the disk, between 0 and 1, by a sample all over it."""
    units = [start for offset, length in disk.spans for start in range(offset, offset + length, UNIT)]
    step = max(1, len(units) // _SAMPLES)
    read = packed = 0
    for start in units[::step]:
        unit = disk.read(start, min(UNIT, disk.size - start))
        read += len(unit)
        packed += len(zlib.compress(unit, 1))
    return min(1.0, packed / read) if read else 0.0


def check(work: Work, wanted: Iterable[Format], forge: str) -> None:
    """Raise UsageError where one of WANTED cannot fit FORGE, with what can."""
    limit = LIMITS[forge]
    share = ratio(work.disk)
    told = [forecast(work, one, share) for one in wanted]
    beyond = [one for one in told if one.size > limit * (1 if one.sure else _DOUBT)]
    if beyond:
        sizes = ", ".join(f"{one.format.name} would be {_about(one)}" for one in beyond)
        raise UsageError(f"{sizes}, and {forge} takes {shown(limit)} for one file", hint=advice(work, share, forge))


def advice(work: Work, share: float, forge: str) -> str:
    """Return which formats fit FORGE, and how what does not is split."""
    limit = LIMITS[forge]
    known = [forecast(work, one, share) for one in FORMATS if not one.files]
    fitting = [one for one in known if one.size * (1 if one.sure else _DOUBT) <= limit]
    split = f"`split --bytes={limit // 10**6 // 100 * 100}MB FILE FILE.part-`; `cat FILE.part-*` joins it again"
    if not fitting:
        return f"Nothing that holds the whole disk fits: without --fit, {split}."
    best = ", ".join(f"{one.format.name} ({_about(one)})" for one in sorted(fitting, key=lambda one: one.size)[:3])
    return f"These would fit: {best}. Or, without --fit, {split}."


def shown(size: int) -> str:
    """Return SIZE in MB or GB."""
    return f"{size / 1e9:.2f} GB" if size >= 10**9 else f"{max(1, round(size / 1e6))} MB"


def _about(one: Forecast) -> str:
    return shown(one.size) if one.sure else f"about {shown(one.size)}"
