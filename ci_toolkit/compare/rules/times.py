"""Times of files: of the build, of the checkout, of another zone."""

from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import places
from ci_toolkit.compare.rules.remedy import Remedy, advice, render, setting
from ci_toolkit.compare.rules.rule import Phase, Rule

_SECOND: Final = 1_000_000_000
_QUARTER_HOUR: Final = 900 * _SECOND
# From UTC-12 to UTC+14.
_FARTHEST_ZONES: Final = 26 * 3600 * _SECOND
_LOCAL: Final = ("vfat", "zip")
_CLOCK: Final = "usr/lib/clock-epoch"
_MICROCODE: Final = ("kernel", "kernel/x86", "kernel/x86/microcode", "kernel/x86/microcode/*", "early_cpio")
_EPOCH: Final = setting("Content", "SourceDateEpoch=<seconds of the last commit: git log -1 --format=%ct>")


def _times(difference: Difference) -> tuple[int, int] | None:
    before, after = difference.before, difference.after
    if not isinstance(before, int) or not isinstance(after, int) or before == after:
        return None
    return before, after


def _is_zone(difference: Difference, _facts: Facts) -> bool:
    """FAT and zip keep local time: the same moment written in another zone is off by quarters of an hour exactly."""
    times = _times(difference)
    if times is None or difference.container not in _LOCAL:
        return False
    apart = abs(times[0] - times[1])
    return apart % _QUARTER_HOUR == 0 and apart <= _FARTHEST_ZONES


def _is_fat(difference: Difference, _facts: Facts) -> bool:
    return difference.container == "vfat"


def _is_tar(difference: Difference, _facts: Facts) -> bool:
    return difference.container == "tar" and difference.name in ("atime", "ctime")


def _is_of_inode(difference: Difference, _facts: Facts) -> bool:
    return difference.container in ("ext4", "btrfs", "xfs", "f2fs") and difference.name is not None


def _is_clock(difference: Difference, _facts: Facts) -> bool:
    return difference.name is None and places.matches(difference.path, _CLOCK)


def _is_microcode(difference: Difference, _facts: Facts) -> bool:
    return difference.container == "cpio" and places.matches(difference.path, *_MICROCODE)


def _is_late(difference: Difference, facts: Facts) -> bool:
    times = _times(difference)
    return times is not None and facts.epoch is not None and max(times) > facts.epoch * _SECOND


def _is_old(difference: Difference, facts: Facts) -> bool:
    times = _times(difference)
    return times is not None and facts.epoch is not None and max(times) <= facts.epoch * _SECOND


def _is_mtime(difference: Difference, _facts: Facts) -> bool:
    return _times(difference) is not None


def _fat_remedies(_difference: Difference, facts: Facts) -> tuple[Remedy, ...]:
    return (_NEWER_REPART,) if facts.epoch is not None else (_EPOCH, _NEWER_REPART)


def _inode_remedies(difference: Difference, facts: Facts) -> tuple[Remedy, ...]:
    if difference.container == "f2fs":
        return (setting("Build", f'Environment="SYSTEMD_REPART_MKFS_OPTIONS_F2FS=-r -T {facts.epoch or "<seconds>"}"'),)
    return (_NEWER_MKFS,) if facts.epoch is not None else (_EPOCH, _NEWER_MKFS)


_NEWER_REPART: Final = advice(
    "With it, take a systemd-repart that clamps times on FAT (systemd#43545), by ToolsTree=default."
)
_NEWER_MKFS: Final = advice(
    "With it, take an mkfs that heeds it, by ToolsTree=default: e2fsprogs 1.47.1, xfsprogs 6.17."
)

TIME_ZONE: Final = Rule(
    cause=Cause(
        identifier="time-zone",
        title="Times on FAT and in zip archives are local time",
        explanation="FAT and zip keep local time without a zone, so the same moment is written differently in another "
        "zone.",
        fix=render((setting("Build", "Environment=TZ=UTC"),)),
        source="https://github.com/systemd/systemd/pull/29646",
    ),
    phase=Phase.METADATA,
    fields=(Field.MTIME,),
    recognise=_is_zone,
)

FAT_TIME: Final = Rule(
    cause=Cause(
        identifier="fat-time",
        title="Times on FAT are the build's",
        explanation="systemd-repart before version 261 copies files into FAT with the times that they have at that "
        "moment, and makes directories at the present time, whatever SourceDateEpoch= says.",
        fix=render((_EPOCH, _NEWER_REPART)),
        source="https://github.com/systemd/systemd/pull/43545",
    ),
    phase=Phase.METADATA,
    fields=(Field.MTIME,),
    recognise=_is_fat,
    remedies=_fat_remedies,
)

TAR_TIME: Final = Rule(
    cause=Cause(
        identifier="tar-access-time",
        title="tar kept times of access and change",
        explanation="An archive in PAX format holds when each file was last read and last changed on the machine "
        "that packed it.",
        fix=render((advice("Pack with `tar --pax-option=delete=atime,delete=ctime`, as mkosi does."),)),
        source="https://github.com/systemd/mkosi/commit/8980ff1d",
    ),
    phase=Phase.METADATA,
    fields=(Field.MTIME,),
    recognise=_is_tar,
)

INODE_TIME: Final = Rule(
    cause=Cause(
        identifier="inode-time",
        title="Times that only the file system itself can set",
        explanation="When an inode was made, changed or read cannot be set from outside: mkfs writes the present time "
        "there unless it heeds SOURCE_DATE_EPOCH.",
        fix=render((_EPOCH, _NEWER_MKFS)),
        source="https://github.com/tytso/e2fsprogs/issues/91",
    ),
    phase=Phase.METADATA,
    fields=(Field.MTIME,),
    recognise=_is_of_inode,
    remedies=_inode_remedies,
)

CLOCK_EPOCH: Final = Rule(
    cause=Cause(
        identifier="clock-epoch",
        title="The earliest time that the system will believe",
        explanation="mkosi touches /usr/lib/clock-epoch, whose time systemd takes where a clock is behind it; "
        "without SourceDateEpoch= that is the time of the build.",
        fix=render((_EPOCH,)),
        source="https://github.com/systemd/mkosi/commit/920416d3",
    ),
    phase=Phase.METADATA,
    fields=(Field.MTIME,),
    recognise=_is_clock,
    globs=(_CLOCK,),
)

MICROCODE_TIME: Final = Rule(
    cause=Cause(
        identifier="microcode-time",
        title="Times in the archive of the processor's microcode",
        explanation="mkosi before December 2025 did not clamp the times in the small archive that goes before the "
        "initrd.",
        fix=render((_EPOCH, advice("With it, build with mkosi 27 or later."))),
        source="https://github.com/systemd/mkosi/pull/4091",
    ),
    phase=Phase.METADATA,
    fields=(Field.MTIME,),
    recognise=_is_microcode,
    globs=_MICROCODE,
)

LATE_TIME: Final = Rule(
    cause=Cause(
        identifier="late-mtime",
        title="Files are newer than SourceDateEpoch=",
        explanation="SourceDateEpoch= is set, and these files are newer all the same: something wrote them after mkosi "
        "clamped the times, or outside of the tree that it clamps.",
        fix=render((advice("Write the file in mkosi.finalize or earlier, not in mkosi.postoutput."),)),
        source="https://github.com/systemd/mkosi/commit/472c2b8b",
    ),
    phase=Phase.METADATA,
    fields=(Field.MTIME,),
    recognise=_is_late,
)

OLD_TIME: Final = Rule(
    cause=Cause(
        identifier="old-mtime",
        title="Times of the checkout are older than SourceDateEpoch=",
        explanation="SourceDateEpoch= only lowers times; these are older than it, so they are the checkout's or a "
        "cache's own, and differ from machine to machine.",
        fix=render(
            (
                advice(
                    "Build with `ci-toolkit build`, which gives the copied source tree one time, or `touch` it in a "
                    "script."
                ),
            )
        ),
        source="https://lists.debian.org/debian-live/2023/08/msg00008.html",
    ),
    phase=Phase.METADATA,
    fields=(Field.MTIME,),
    recognise=_is_old,
)

MTIME: Final = Rule(
    cause=Cause(
        identifier="mtime",
        title="Modification times are the build's",
        explanation="Files carry the time at which they were written, and no SourceDateEpoch= set them all to one.",
        fix=render((_EPOCH,)),
        source="https://github.com/systemd/mkosi/commit/bdf37e11",
    ),
    phase=Phase.METADATA,
    fields=(Field.MTIME,),
    recognise=_is_mtime,
)
