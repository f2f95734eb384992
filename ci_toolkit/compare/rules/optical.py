"""ISO 9660: times and identifiers in the descriptors of a volume."""

from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import places
from ci_toolkit.compare.rules.remedy import advice, render
from ci_toolkit.compare.rules.rule import Phase, Rule

_TIMES: Final = ("creation_time", "modification_time", "expiration_time", "effective_time")


def _is_time(difference: Difference, _facts: Facts) -> bool:
    if difference.container != "iso9660":
        return False
    if difference.field is Field.MTIME:
        return places.matches(difference.path, "*boot.cat", "*boot.catalog")
    return (difference.name or "").removeprefix("joliet_") in _TIMES


def _is_id(difference: Difference, _facts: Facts) -> bool:
    return difference.container == "iso9660" and difference.name in ("disk_signature", "disk_guid", "partition_guid")


ISO_TIME: Final = Rule(
    cause=Cause(
        identifier="iso-time",
        title="An ISO says when it was made",
        explanation="The descriptors of the volume hold the time at which it was written, and so does the "
        "record of the boot catalogue, which is made for it.",
        fix=render(
            (
                advice(
                    "Export SOURCE_DATE_EPOCH to xorriso, and give it `-volume_date all_file_dates set_to_mtime "
                    '-alter_date_r m "=$SOURCE_DATE_EPOCH" / --`.'
                ),
            )
        ),
        source="https://reproducible-builds.org/docs/system-images/",
    ),
    phase=Phase.FILESYSTEM,
    fields=(Field.HEADER, Field.MTIME),
    recognise=_is_time,
)

ISO_ID: Final = Rule(
    cause=Cause(
        identifier="iso-disk-id",
        title="The boot record of an ISO has a random identifier",
        explanation="xorriso derives the identifiers of the partition tables in an ISO from the time of the volume, "
        "and isohybrid draws them.",
        fix=render(
            (
                advice(
                    "Export SOURCE_DATE_EPOCH to xorriso, or fix them: `isohybrid --id 0x<8 digits>`, "
                    "`--gpt_disk_guid`."
                ),
            )
        ),
        source="https://github.com/OSInside/kiwi/commit/66a0a4c3",
    ),
    phase=Phase.FILESYSTEM,
    fields=(Field.HEADER,),
    recognise=_is_id,
)
