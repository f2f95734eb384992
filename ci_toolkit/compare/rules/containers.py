"""Containers of differing members."""

from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules.rule import Follows, Phase, Rule

# Formats that are one compressed payload and nothing else.
COMPRESSIONS: Final = ("gzip", "xz", "bzip2", "zstd", "lz4", "lzma")


def _is_container(difference: Difference, _facts: Facts) -> bool:
    inside = difference.container in COMPRESSIONS and difference.field is not Field.CONTENT
    return difference.opened or inside or is_packed(difference)


def is_packed(difference: Difference) -> bool:
    """Tell whether this is what the members of an archive are compressed to."""
    return difference.field is Field.REGION and difference.name == "compressed data"


CONTAINER: Final = Rule(
    cause=Cause(
        identifier="container",
        title="Files that hold what differs",
        explanation="An archive, an executable or a partition differs because something inside it does.",
        fix="",
    ),
    phase=Phase.DERIVED,
    fields=(Field.CONTENT, Field.REGION, Field.HEADER),
    recognise=_is_container,
    follows=Follows.ELSE_UNKNOWN,
)
