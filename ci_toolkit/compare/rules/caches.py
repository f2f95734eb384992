"""Caches that tools generate during the build, and that hold its inodes, times or order."""

import struct
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents, places
from ci_toolkit.compare.rules.droppings import dropping
from ci_toolkit.compare.rules.remedy import advice, render, setting
from ci_toolkit.compare.rules.rule import Phase, Rule

# What files of gdbm begin with, for pages of 32 and of 64 bits, and for the newer form.
_GDBM: Final = (0x13579ACD, 0x13579ACE, 0x13579ACF, 0x13579AD0, 0x13579AD1)

LDCONFIG_CACHE: Final = dropping(
    identifier="ldconfig-cache",
    title="ldconfig's auxiliary cache",
    explanation="ldconfig keeps the device, inode and change time of every library in aux-cache, "
    "and those are other ones in each build; ldconfig does without the file.",
    globs=("var/cache/ldconfig/aux-cache",),
    magics=(b"glibc-ld.so.auxcache",),
    source="https://github.com/systemd/mkosi/issues/2957",
)

MAN_CACHE: Final = dropping(
    identifier="man-cache",
    title="mandb's index",
    explanation="mandb keeps the times of manual pages in a hashed database.",
    globs=("var/cache/man/*",),
    magics=tuple(magic for number in _GDBM for magic in (struct.pack("<I", number), struct.pack(">I", number))),
    removes=("/var/cache/man",),
    source="https://wiki.debian.org/ReproducibleInstalls",
)

FONT_CACHE: Final = dropping(
    identifier="font-cache",
    title="fontconfig's cache",
    explanation="fontconfig keeps the times of font directories in its cache, or a random .uuid beside the fonts.",
    globs=("var/cache/fontconfig/*", "usr/share/fonts/*.uuid", "usr/lib/fontconfig/cache/*"),
    magics=(b"\x04\xfc\x02\xfc", b"\xfc\x02\xfc\x04"),
    removes=("/var/cache/fontconfig", "/usr/share/fonts/**/.uuid"),
    source="https://cgit.freedesktop.org/~tagoh/fontconfig/commit/?id=f098adac54ab86b75a38f2d23fa706a1348f55ba",
)

CATALOG_CACHE: Final = dropping(
    identifier="appstream-cache",
    title="AppStream's cache",
    explanation="AppStream compiles its catalogues into a cache under an identifier of their places and times.",
    globs=("var/cache/swcatalog/*.xb", "var/cache/app-info/*.xmlb"),
    magics=(b"XMLb",),
    removes=("/var/cache/swcatalog", "/var/cache/app-info"),
    source="https://lists.debian.org/debian-live/2023/08/msg00008.html",
)

JAVA_KEYSTORE: Final = dropping(
    identifier="java-keystore",
    title="Java's certificate store",
    explanation="Each entry of a Java key store has the time at which it was put there.",
    globs=("etc/ssl/certs/java/cacerts", "etc/pki/*/java/cacerts", "etc/ca-certificates/extracted/java-cacerts.jks"),
    magics=(b"\xfe\xed\xfe\xed",),
    extra=(advice("Or make it with p11-kit 0.25 or later and SourceDateEpoch=."),),
    source="https://github.com/p11-glue/p11-kit/issues/379",
)

# Bit 0 of a pyc's flags says that it is checked by a hash: PEP 552.
_FLAG_REF: Final = 0x80


def _is_pyc(difference: Difference, _facts: Facts) -> bool:
    """Byte code of one interpreter and one source, with another time of it or with other reference marks."""
    if difference.container == "pyc":
        return difference.name == "source_mtime" or _is_marked(difference)
    pair = contents.whole(difference)
    if pair is None or not places.matches(difference.path, "*.pyc"):
        return False
    before, after = pair
    # Version, "\r\n", and flags 0: such a file names its source by time and size.
    if len(before) != len(after) or len(before) < 16 or before[:8] != after[:8] or before[2:8] != b"\r\n\0\0\0\0":
        return False
    return before[12:16] == after[12:16] and _marks(before[16:], after[16:]) and before != after


def _is_marked(difference: Difference) -> bool:
    pair = contents.whole(difference)
    return pair is not None and len(pair[0]) == len(pair[1]) and _marks(*pair)


def _marks(before: bytes, after: bytes) -> bool:
    """Tell whether code differs in nothing but the marks of what is referred to."""
    return all(a ^ b in (0, _FLAG_REF) for a, b in zip(before, after, strict=True))


PYC: Final = Rule(
    cause=Cause(
        identifier="pyc",
        title="Python byte code compiled during the build",
        explanation="A .pyc names its source by modification time, and marks objects by how often they happened to be "
        "referred to while it was compiled.",
        fix=render(
            (
                setting("Build", "Environment=PYTHONDONTWRITEBYTECODE=1"),
                advice("Or compile with `python3 -m compileall --invalidation-mode=unchecked-hash`."),
            )
        ),
        source="https://peps.python.org/pep-0552/",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT, Field.HEADER),
    recognise=_is_pyc,
)
