"""The table of what is told from a record."""

from collections.abc import Callable, Mapping
from typing import Final

from ci_toolkit.records import cyclonedx, packages, provenance, spdx
from ci_toolkit.records.record import Record

# Format -> how it is written, and how the file beside an image is called after it.
FORMATS: Final[Mapping[str, tuple[Callable[[Record], str], str]]] = {
    "spdx": (spdx.render, "spdx.json"),
    "cyclonedx": (cyclonedx.render, "cdx.json"),
    "provenance": (provenance.render, "provenance.json"),
    "packages": (packages.render, "packages.txt"),
}
