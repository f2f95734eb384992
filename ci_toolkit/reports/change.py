"""What a build changed against an earlier one: the base branch's, or the last release's."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.mkosi.versions import is_newer
from ci_toolkit.reports.files import Files

if TYPE_CHECKING:
    from ci_toolkit.mkosi.manifest import Package


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A package whose version changed."""

    name: str
    architecture: str
    before: str
    after: str

    @property
    def down(self) -> bool:
        return is_newer(self.before, self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """Which packages came, went, and got another version; each by name."""

    added: "tuple[Package, ...]" = ()
    removed: "tuple[Package, ...]" = ()
    moved: tuple[Moved, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.moved)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From the base, built of `commit`, to this build: the sizes of the image in bytes.

    `name` is what the base is called, "" where nobody named it; `same_bits` tells whether all digests agree; `packages`
    is None where one of the two has no manifest, `files` where one has no list of files.
    """

    name: str = ""
    commit: str | None
    before: int
    after: int
    same_bits: bool
    packages: Packages | None
    files: Files | None = None

    @property
    def grown(self) -> int:
        """How many bytes more; fewer where it is negative."""
        return self.after - self.before

    @property
    def percent(self) -> float:
        """How much more, in percent of what it was; infinite from nothing."""
        if not self.before:
            return float("inf") if self.after else 0.0
        return self.grown / self.before * 100


def packages(before: "Iterable[Package]", after: "Iterable[Package]") -> Packages:
    """Compare two lists of packages. Of one name there may be several versions: kernels are kept so."""
    old, new = _by_name(before), _by_name(after)
    added: list[Package] = []
    removed: list[Package] = []
    moved: list[Moved] = []
    for key in sorted(old.keys() | new.keys()):
        came = sorted(new[key].keys() - old[key].keys())
        went = sorted(old[key].keys() - new[key].keys())
        if len(came) == len(went) == 1:
            moved.append(Moved(name=key[0], architecture=key[1], before=went[0], after=came[0]))
        else:
            added += [new[key][version] for version in came]
            removed += [old[key][version] for version in went]
    return Packages(added=tuple(added), removed=tuple(removed), moved=tuple(moved))


def _by_name(found: "Iterable[Package]") -> "defaultdict[tuple[str, str], dict[str, Package]]":
    names: defaultdict[tuple[str, str], dict[str, Package]] = defaultdict(dict)
    for package in found:
        names[package.name, package.architecture][package.version] = package
    return names
