"""What compilers and linkers write into programs: paths, identifiers, times."""

import re
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents
from ci_toolkit.compare.rules.remedy import advice, render
from ci_toolkit.compare.rules.rule import Follows, Phase, Rule

# Where CI systems and programs keep what they compile; up to a name that differs from job to job.
_BUILD_DIRECTORY: Final = re.compile(
    rb"(?:/builds/|/home/[^/\0\n]+/(?:actions-runner/_?)?work/|/github/workspace|/var/tmp/|/tmp/|/root/|/build/)"
    rb"[^/\0\n\"' :]*"
)
_SHORTEST: Final = 5
_MARK: Final = b"\1"
_STRING_TABLES: Final = (".debug_str", ".debug_line_str")
_STRING_USER: Final = re.compile(r"(?:\.rela?)?\.debug_(?:info|line|macro|str_offsets)")


def _is_path(difference: Difference, facts: Facts) -> bool:
    """Equal binaries but for the directories that they were compiled in."""
    pair = contents.whole(difference)
    if pair is None or difference.opened or not all(b"\0" in content for content in pair):
        return False
    before, after = pair
    for leak in facts.leaks:
        if leak.name in ("build-path", "home") and min(len(leak.first), len(leak.second)) >= _SHORTEST:
            before = before.replace(leak.first.encode(), _MARK)
            after = after.replace(leak.second.encode(), _MARK)
    before, after = (_BUILD_DIRECTORY.sub(_MARK, content) for content in (before, after))
    return before == after or (_is_string_table(difference) and _strings(before) == _strings(after))


def _is_string_table(difference: Difference) -> bool:
    return _section(difference) in _STRING_TABLES


def _section(difference: Difference) -> str:
    return difference.path[-1] if difference.container == "elf" and difference.path else ""


def _strings(table: bytes) -> list[bytes]:
    """The strings of a table in an order of their own: the compiler writes them as its hash table has them."""
    return sorted(table.split(b"\0"))


def _is_string_offset(difference: Difference, _facts: Facts) -> bool:
    """Sections of equal length that say where the strings stand, by themselves or through relocations."""
    pair = contents.both(difference)
    return (
        pair is not None and pair[0].size == pair[1].size and _STRING_USER.fullmatch(_section(difference)) is not None
    )


def _is_build_id(difference: Difference, _facts: Facts) -> bool:
    if difference.field is Field.HEADER:
        return difference.container == "elf" and difference.name == "build_id"
    return bool(difference.path) and difference.path[-1] in (".note.gnu.build-id", ".gnu_debuglink")


def _is_archive_time(difference: Difference, _facts: Facts) -> bool:
    return difference.container == "ar" and difference.name == "symbol_table_time"


BINARY_PATH: Final = Rule(
    cause=Cause(
        identifier="binary-build-path",
        title="A program holds the path that it was compiled in",
        explanation="The two are equal but for the directory of the build, which the compiler writes into what helps "
        "to debug and into messages of failed assertions.",
        fix=render(
            (
                advice(
                    "Compile below a fixed path, or tell the compiler: -ffile-prefix-map=$PWD=/usr/src, "
                    "--remap-path-prefix for rustc, -trimpath for go."
                ),
            )
        ),
        source="https://reproducible-builds.org/docs/build-path/",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_path,
)

BUILD_ID: Final = Rule(
    cause=Cause(
        identifier="build-id",
        title="The identifier of a program follows from its content",
        explanation="The linker makes the build id a checksum of all the rest.",
        fix="",
        source="https://sourceware.org/binutils/docs/ld/Options.html",
    ),
    phase=Phase.DERIVED,
    fields=(Field.CONTENT, Field.HEADER),
    recognise=_is_build_id,
    follows=Follows.ELSE_UNKNOWN,
)

STRING_OFFSETS: Final = Rule(
    cause=Cause(
        identifier="debug-string-offset",
        title="Where the strings for debuggers stand follows from the strings",
        explanation="The compiler keeps the strings in a hash table: other paths come in another order, and all that "
        "points to them differs.",
        fix="",
        source="https://dwarfstd.org/dwarf5std.html",
    ),
    phase=Phase.DERIVED,
    fields=(Field.CONTENT,),
    recognise=_is_string_offset,
    follows=Follows.ELSE_UNKNOWN,
)

ARCHIVE_TIME: Final = Rule(
    cause=Cause(
        identifier="ar-symbol-time",
        title="The symbol table of a static library has a time",
        explanation="ar dates the table of symbols with the present, unless it is told to be deterministic.",
        fix=render((advice("Call ar and ranlib with D: `ar rcsD`, `ranlib -D`."),)),
        source="https://sourceware.org/binutils/docs/binutils/ar.html",
    ),
    phase=Phase.CONTENT,
    fields=(Field.HEADER,),
    recognise=_is_archive_time,
)
