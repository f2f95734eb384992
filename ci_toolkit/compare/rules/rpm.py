"""What rpm and dnf write: journals, histories, counters."""

import re
import struct
from typing import Final

from ci_toolkit.compare.difference import Content, Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents, places
from ci_toolkit.compare.rules.droppings import dropping
from ci_toolkit.compare.rules.remedy import advice, render, script, setting
from ci_toolkit.compare.rules.rule import Phase, Rule

_JOURNALS: Final = ("*/rpmdb.sqlite-shm", "*/rpmdb.sqlite-wal", "*/.rpm.lock")


def _is_journal(difference: Difference, _facts: Facts) -> bool:
    if difference.field is Field.PRESENCE and "file" not in (difference.before, difference.after):
        return False
    return places.matches(difference.path, *_JOURNALS)


RPM_JOURNAL: Final = Rule(
    cause=Cause(
        identifier="rpm-journal",
        title="The journal of the rpm database",
        explanation="SQLite's journal files and rpm's lock stay behind beside the rpm database.",
        # Not by RemoveFiles=: the journal may hold what the database does not have yet.
        fix=render(
            (
                script(
                    """find "$BUILDROOT" -xdev -name rpmdb.sqlite -exec sqlite3 {} 'PRAGMA journal_mode=DELETE' ';'"""
                ),
                script("""find "$BUILDROOT" -xdev -name .rpm.lock -delete"""),
            )
        ),
        source="https://github.com/systemd/mkosi/pull/4091",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT, Field.PRESENCE),
    recognise=_is_journal,
    globs=_JOURNALS,
)

# Tags of a package's header that say when it was installed, and by which transaction: a time as well.
_INSTALLED: Final = (1008, 1128)
_BLOB: Final = re.compile(r"X'([0-9A-F]*)'")
_ROW_KEY: Final = re.compile(r"^(\d+: \()X'[0-9A-F]{8}'", re.MULTILINE)


def _is_install_time(difference: Difference, _facts: Facts) -> bool:
    """Rows of rpm's database that are equal but for such times; long tables are judged by their beginning."""
    pair = contents.both(difference)
    table = difference.path[-1] if difference.path else ""
    of_rpm = len(difference.path) < 2 or places.matches(difference.path[:-1], "*/rpmdb.sqlite", "rpmdb.sqlite")
    if pair is None or difference.container != "sqlite" or not of_rpm:
        return False
    before, after = (_rows(content) for content in pair)
    if before == after:
        return False
    if table == "table Installtid":
        return _ROW_KEY.sub(r"\1", before) == _ROW_KEY.sub(r"\1", after)
    return table == "table Packages" and _undated(before) == _undated(after)


def _rows(content: Content) -> str:
    text = content.head.decode("utf-8", "replace")
    return text if content.whole is not None else text.rpartition("\n")[0]


def _undated(rows: str) -> str:
    return _BLOB.sub(lambda blob: _without_times(bytes.fromhex(blob.group(1))), rows)


def _without_times(header: bytes) -> str:
    """A package's header in hexadecimal with zeros for its times: https://rpm-software-management.github.io/rpm/manual/"""
    found = bytearray(header)
    count = int.from_bytes(header[:4], "big")
    start = 8 + 16 * count
    for place in range(8, min(start, len(header) - 15), 16):
        tag, _, offset, _ = struct.unpack_from(">IIII", header, place)
        if tag in _INSTALLED and start + offset + 4 <= len(found):
            found[start + offset : start + offset + 4] = bytes(4)
    return found.hex()


INSTALL_TIME: Final = Rule(
    cause=Cause(
        identifier="rpm-install-time",
        title="rpm's times of installation",
        explanation="rpm writes into its database when each package was installed, and numbers the transaction by that "
        "time; it takes SOURCE_DATE_EPOCH instead, where it is set.",
        fix=render((setting("Content", "SourceDateEpoch=<seconds of the last commit: git log -1 --format=%ct>"),)),
        source="https://github.com/openSUSE/obs-build/pull/1164",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_install_time,
)

DNF_HISTORY: Final = dropping(
    identifier="dnf-history",
    title="dnf's history of transactions",
    explanation="dnf keeps when each transaction began and ended, by which user and from which command line.",
    globs=("usr/lib/sysimage/libdnf5/transaction_history.sqlite*", "var/lib/dnf/history.sqlite*"),
    magics=(b"SQLite format 3\0", b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"),
    removes=("/usr/lib/sysimage/libdnf5/transaction_history.sqlite*", "/var/lib/dnf/history.sqlite*"),
    extra=(advice("Or build with a dnf5 that honours SOURCE_DATE_EPOCH (dnf5#2584)."),),
    source="https://github.com/rpm-software-management/dnf5/issues/2326",
)

DNF_STATE: Final = dropping(
    identifier="dnf-state",
    title="dnf's counters and caches",
    explanation="dnf keeps counters that it sends to mirrors, and what it fetched on the day of the build.",
    globs=("usr/lib/sysimage/libdnf5/*", "var/lib/dnf/*", "var/cache/dnf/*", "var/cache/libdnf5/*"),
    removes=("/usr/lib/sysimage/libdnf5", "/var/lib/dnf", "/var/cache/dnf", "/var/cache/libdnf5"),
    source="https://github.com/podman-container-tools/image_build/pull/51",
)


def _is_build_time(difference: Difference, _facts: Facts) -> bool:
    return difference.container == "rpm" and difference.name == "buildtime"


def _is_build_host(difference: Difference, _facts: Facts) -> bool:
    # The cookie is of the host, and of the time.
    return difference.container == "rpm" and difference.name in ("buildhost", "cookie")


BUILD_TIME: Final = Rule(
    cause=Cause(
        identifier="rpm-build-time",
        title="A package says when it was built",
        explanation="rpmbuild writes the present time into the header, unless a macro says to take SOURCE_DATE_EPOCH.",
        fix=render(
            (
                advice(
                    'Build it with `rpmbuild --define "use_source_date_epoch_as_buildtime 1" '
                    '--define "clamp_mtime_to_source_date_epoch 1"` and SOURCE_DATE_EPOCH set.'
                ),
            )
        ),
        source="https://rpm-software-management.github.io/rpm/manual/buildprocess.html",
    ),
    phase=Phase.FORMAT,
    fields=(Field.HEADER,),
    recognise=_is_build_time,
)

BUILD_HOST: Final = Rule(
    cause=Cause(
        identifier="rpm-build-host",
        title="A package names the machine that it was built on",
        explanation="rpmbuild writes the name of the host into the header.",
        fix=render((advice('Build it with `rpmbuild --define "_buildhost reproducible"`.'),)),
        source="https://rpm-software-management.github.io/rpm/manual/buildprocess.html",
    ),
    phase=Phase.FORMAT,
    fields=(Field.HEADER,),
    recognise=_is_build_host,
)
