"""What dpkg, apt and debconf write: caches, lists, backups, the order of their records."""

from collections import Counter
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents, places
from ci_toolkit.compare.rules.droppings import dropping
from ci_toolkit.compare.rules.remedy import advice, render
from ci_toolkit.compare.rules.rule import Phase, Rule

_CLEAN: Final = advice("Or CleanPackageMetadata=yes, where the image needs no package manager.")

APT_CACHE: Final = dropping(
    identifier="apt-cache",
    title="apt's caches",
    explanation="apt writes its caches as they lie in memory, with the times of the files that they were made from.",
    globs=("var/cache/apt/*.bin",),
    magics=(b"\xdc\x76\xfe\x98", b"\x98\xfe\x76\xdc"),
    removes=("/var/cache/apt/*.bin",),
    extra=(_CLEAN,),
    source="https://git.silverlabs.uk/SilverLABS/SilverMetal/commit/d354040bd6dc54bb77473ed1e7000322305c6a46.patch",
)

APT_LISTS: Final = dropping(
    identifier="apt-lists",
    title="apt's package lists of the day",
    explanation="apt keeps the lists that it fetched, and each mirror signs them anew several times a day.",
    globs=("var/lib/apt/lists/*",),
    removes=("/var/lib/apt/lists/*",),
    extra=(_CLEAN,),
    source="https://wiki.debian.org/ReproducibleInstalls",
)

AUTOREMOVE: Final = dropping(
    identifier="apt-autoremove-kernels",
    title="apt's list of kernels to keep",
    explanation="apt asks for the version of the kernel that runs, which is the build host's.",
    globs=("etc/apt/apt.conf.d/01autoremove-kernels",),
    source="https://github.com/debuerreotype/debuerreotype/blob/master/scripts/.tar-exclude",
)

RECORD_BACKUP: Final = dropping(
    identifier="package-record-backup",
    title="Backups of dpkg's and debconf's databases",
    explanation="dpkg and debconf keep the state before their last change, which depends on what was installed last.",
    globs=("var/lib/dpkg/*-old", "var/cache/debconf/*-old"),
    removes=("/var/lib/dpkg/*-old", "/var/cache/debconf/*-old"),
    source="https://github.com/debuerreotype/debuerreotype/blob/master/scripts/debuerreotype-fixup",
)


_RECORDS: Final = ("var/lib/dpkg/status", "var/lib/dpkg/available", "var/lib/apt/extended_states")


def _is_record_order(difference: Difference, _facts: Facts) -> bool:
    pair = contents.texts(difference)
    if pair is None or not places.matches(difference.path, *_RECORDS):
        return False
    first, second = (Counter(text.strip("\n").split("\n\n")) for text in pair)
    return first == second


RECORD_ORDER: Final = Rule(
    cause=Cause(
        identifier="package-record-order",
        title="The same packages in another order",
        explanation="dpkg and apt write their records in the order in which the packages were unpacked or marked.",
        fix=render((advice("Install all packages at once by Packages=, which mkosi sorts, and none from scripts."),)),
        source="https://reproducible-builds.org/events/hamburg2023/images-filesystems",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_record_order,
    globs=_RECORDS,
)
