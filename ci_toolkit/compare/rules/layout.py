"""Where things lie in an archive or a file system, and the bookkeeping of that."""

import re
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules.partitions import TABLES
from ci_toolkit.compare.rules.remedy import Remedy, advice, render
from ci_toolkit.compare.rules.rule import Follows, Phase, Rule

_REGIONS: Final = re.compile(
    r"super|bitmap|packed payload|checkpoint|summar|\bnodes\b|block map|counts|footer|\blog\b|"
    r"inode|director|descriptor|checksum|crc|journal|bookkeeping|metadata|\bfats?\b|fsinfo|"
    r"map blocks|pages of|free pages|header|padding|trailer|table|record|\btrees?\b|"
    r"attribute|compression settings|targets of links|ends of files|second copies|free space cache",
    re.IGNORECASE,
)
# Counts, sizes, places and checksums that a container keeps of what it holds.
_COUNTS: Final = frozenset(
    (
        "inode_count",
        "fragment_count",
        "id_count",
        "bytes_used",
        "used_size",
        "fs_tree_used_size",
        "device_used",
        "free_inodes",
        "free_segments",
        "valid_block_count",
        "valid_node_count",
        "valid_inode_count",
        "next_free_node",
        "checkpoint_blocks",
        "free_blocks",
        "block_count",
        "reserved_blocks",
        "reserved_descriptors",
        "inodes_per_group",
        "kilobytes_written",
        "checksum_seed",
        "checksum",
        "superblock_checksum",
        "virtual_size",
        "virtual_address",
        "entry_point",
        "change_counter",
        "version_valid_for",
        "page_count",
        "free_page_count",
        "first_free_page",
        "build_id",
        "debug_link",
        "debug_link_checksum",
    )
)


# What an RPM package says of its payload, and the digests and signatures of its parts.
_OF_RPM: Final = re.compile(
    r"signature\..+|(?:long|archive)?size|payloaddigest(?:alt)?|filesizes|longfilesizes|filemodes|filemtimes|filedigests|"
    r"filelinktos|fileusername|filegroupname|fileinodes|filedevices|filerdevs|dirindexes|basenames|dirnames"
)


def _always(_difference: Difference, _facts: Facts) -> bool:
    return True


def _is_bookkeeping(difference: Difference, _facts: Facts) -> bool:
    if difference.field is Field.HEADER:
        if difference.container == "rpm":
            return _OF_RPM.fullmatch(difference.name or "") is not None
        return difference.name in _COUNTS
    return difference.container not in TABLES and _REGIONS.search(difference.name or "") is not None


def _order_remedies(difference: Difference, _facts: Facts) -> tuple[Remedy, ...]:
    return _BY_CONTAINER.get(difference.container, _ANY)


_ANY: Final = (advice("Sort the members by name where the archive is made, under LC_ALL=C."),)
_BY_CONTAINER: Final = {
    "tar": (
        advice(
            "Unpack and pack again in mkosi.postoutput: `tar --sort=name --numeric-owner --format=posix "
            "--pax-option=delete=atime,delete=ctime`."
        ),
    ),
    "cpio": (advice("Sort the names before cpio, and run it with `--reproducible`; mkosi's own initrds are so made."),),
    "vfat": (
        advice("Build on a file system that lists directories in a fixed order; systemd-repart copies in that order."),
    ),
}

ARCHIVE_ORDER: Final = Rule(
    cause=Cause(
        identifier="archive-order",
        title="The same members in another order",
        explanation="Whatever packed it took the members in the order in which the host's file system lists them.",
        fix=render(_ANY),
        source="https://reproducible-builds.org/docs/archives/",
    ),
    phase=Phase.FORMAT,
    fields=(Field.ORDER,),
    recognise=_always,
    remedies=_order_remedies,
)

LAYOUT: Final = Rule(
    cause=Cause(
        identifier="layout",
        title="Files lie elsewhere in the file system",
        explanation="Inodes or blocks have other numbers, and nothing else differs in what they hold: "
        "one file more, or a longer one, moves all that are written after it.",
        fix=render(
            (advice("Nothing of its own, if another cause stands beside it; else look at the order of copying."),)
        ),
        source="https://reproducible-builds.org/docs/system-images/",
    ),
    phase=Phase.FILESYSTEM,
    fields=(Field.LAYOUT,),
    recognise=_always,
    follows=Follows.ELSE_CAUSE,
)

BOOKKEEPING: Final = Rule(
    cause=Cause(
        identifier="bookkeeping",
        title="Records of what is inside",
        explanation="Headers, tables, bitmaps, directories and checksums of a file system or an archive say what it "
        "holds, and differ where that differs.",
        fix="",
    ),
    phase=Phase.DERIVED,
    fields=(Field.REGION, Field.HEADER),
    recognise=_is_bookkeeping,
    follows=Follows.ELSE_UNKNOWN,
)
