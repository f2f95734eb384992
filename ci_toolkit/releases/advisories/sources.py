"""What packages of Debian were built from, as dpkg's list of those that are installed says: var/lib/dpkg/status.

https://manpages.debian.org/trixie/dpkg-dev/deb-src-control.5.en.html
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

PATH: Final = "var/lib/dpkg/status"
# Some 15,000 packages.
LIMIT_BYTES: Final = 16 << 20

_FIELDS: Final = re.compile(rb"^(Package|Status|Source|Version):(.*)$", re.MULTILINE)
_SOURCE: Final = re.compile(r"([^ (]+)(?: *\(([^)]*)\))?")
# Kernels are signed in a source package of their own; what is signed was built from the one without.
_SIGNED: Final = re.compile(r"(.+)-signed-[a-z0-9]+")
_REBUILT: Final = re.compile(r"\+b\d+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source package, and its version."""

    name: str
    version: str


def parse(data: bytes) -> dict[str, Source]:
    """Return what each installed package was built from by what DATA says, dpkg's list; what is odd is left out."""
    return dict(_sources(data))


def _sources(data: bytes) -> Iterator[tuple[str, Source]]:
    for stanza in data.split(b"\n\n"):
        fields = {name.decode(): value.strip().decode("utf-8", "replace") for name, value in _FIELDS.findall(stanza)}
        name, version = fields.get("Package", ""), fields.get("Version", "")
        if not name or not version or not fields.get("Status", "").endswith(" installed"):
            continue
        found = _SOURCE.fullmatch(fields.get("Source", name))
        if found is not None:
            yield name, Source(name=found[1], version=found[2] or version)


def tracked(package: str, version: str, sources: Mapping[str, Source]) -> str | None:
    """Return the source package that advisories have PACKAGE of VERSION under; None where it is not known.

    Where a package has another version than its source, that of the last release says nothing about its source then.
    """
    source = sources.get(package)
    if source is None:
        return None
    if found := _SIGNED.fullmatch(source.name):
        return found[1]
    return source.name if of_source(version) == source.version else None


def of_source(version: str) -> str:
    """Return the version of the source that a package of VERSION was built from, maybe once more ("+b1")."""
    return _REBUILT.sub("", version)
