"""What comparing two images came to, before anything is explained."""

from dataclasses import dataclass
from enum import StrEnum

from ci_toolkit.compare.difference import Difference
from ci_toolkit.compare.parts import Disk


class Verdict(StrEnum):
    """Equal bytes or not: taken from digests or the bytes themselves, never from the absence of differences.

    FAILED where there are none to compare, since a build failed; no comparison has it.
    """

    IDENTICAL = "identical"
    DIFFERENT = "different"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two inputs: a name for people, the format found, size in bytes, and SHA-256 where it was asked for."""

    name: str
    format: str
    size: int
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something that was not looked into, and why; the bytes were compared all the same."""

    path: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The whole result of `walk.compare`. `differing_bytes` counts positions at which the two inputs differ, plus the
    difference of their sizes; None where the inputs are trees and have no bytes of their own. `disks` says what lies
    where, for the spans of differences and findings; None where nothing is a disk or a file system."""

    verdict: Verdict
    a: Side
    b: Side
    differing_bytes: int | None
    first_offset: int | None
    differences: tuple[Difference, ...]
    skipped: tuple[Skipped, ...]
    truncated: bool = False
    disks: tuple[Disk, Disk] | None = None
