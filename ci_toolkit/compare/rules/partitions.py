"""Partition tables: identifiers and the checksums over them."""

from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules.filesystems import seed
from ci_toolkit.compare.rules.remedy import render, setting
from ci_toolkit.compare.rules.rule import Follows, Phase, Rule

TABLES: Final = ("gpt", "mbr")
_IDENTIFIERS: Final = ("disk_guid", "partition_guid", "disk_signature")
_EXTENTS: Final = ("first_lba", "last_lba", "sectors", "first_usable_lba", "last_usable_lba")


def of_table(difference: Difference) -> bool:
    """Tell whether these are bytes of the table itself, which follow from what it tells, not from what lies inside."""
    return difference.container in TABLES and difference.field is Field.REGION


def _is_guid(difference: Difference, _facts: Facts) -> bool:
    return difference.container in TABLES and difference.name in _IDENTIFIERS


def _is_extent(difference: Difference, _facts: Facts) -> bool:
    return difference.container in TABLES and difference.name in _EXTENTS


def _is_table(difference: Difference, _facts: Facts) -> bool:
    return of_table(difference) and difference.name in ("gpt header", "partition table")


GPT_GUID: Final = Rule(
    cause=Cause(
        identifier="gpt-guid",
        title="Identifiers in the partition table are random",
        explanation="systemd-repart derives the identifiers of the disk and of its partitions from the seed of the "
        "image, and without Seed= it draws one.",
        fix=render((setting("Output", "Seed=<uuid, from uuidgen>"),)),
        source="https://github.com/systemd/systemd/pull/25759",
    ),
    phase=Phase.FILESYSTEM,
    fields=(Field.HEADER,),
    recognise=_is_guid,
    remedies=seed,
)

PARTITION_EXTENT: Final = Rule(
    cause=Cause(
        identifier="partition-extent",
        title="Partitions begin or end elsewhere",
        explanation="systemd-repart makes a partition as large as what goes into it, and the next one begins after it.",
        fix="",
        source="https://www.freedesktop.org/software/systemd/man/latest/repart.d.html",
    ),
    phase=Phase.DERIVED,
    fields=(Field.HEADER,),
    recognise=_is_extent,
    follows=Follows.ELSE_UNKNOWN,
)

TABLE_CHECKSUM: Final = Rule(
    cause=Cause(
        identifier="partition-table-checksum",
        title="Checksums of the partition table",
        explanation="The checksums follow from the entries of the table.",
        fix="",
        source="https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html",
    ),
    phase=Phase.DERIVED,
    fields=(Field.REGION,),
    recognise=_is_table,
    follows=Follows.ELSE_UNKNOWN,
)
