"""Lists of checksums, which follow from what they are of."""

import re
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents, places
from ci_toolkit.compare.rules.rule import Follows, Phase, Rule

# MD5, SHA-1, SHA-224, SHA-256, SHA-384 and SHA-512 in hexadecimal.
_DIGEST: Final = re.compile(r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{56}|[0-9A-Fa-f]{64}|"
                            r"[0-9A-Fa-f]{96}|[0-9A-Fa-f]{128})(?![0-9A-Fa-f])")  # fmt: skip
_LISTS: Final = (
    "*SUMS",
    "*SUMS.txt",
    "*.md5",
    "*.sha1",
    "*.sha256",
    "*.sha512",
    "*.md5sums",
    "*.sha256sums",
    "*.mtree",
)


def _is_list(difference: Difference, _facts: Facts) -> bool:
    lines = contents.changed_lines(difference)
    if not lines or not places.matches(difference.path, *_LISTS):
        return False
    return all(_DIGEST.sub("", before) == _DIGEST.sub("", after) for before, after in lines)


CHECKSUM_LIST: Final = Rule(
    cause=Cause(
        identifier="checksum-list",
        title="Checksums of what differs",
        explanation="The lists are equal but for digests: they are of files that differ.",
        fix="",
        source="https://reproducible-builds.org/docs/stable-inputs/",
    ),
    phase=Phase.DERIVED,
    fields=(Field.CONTENT,),
    recognise=_is_list,
    globs=_LISTS,
    follows=Follows.ELSE_UNKNOWN,
)
