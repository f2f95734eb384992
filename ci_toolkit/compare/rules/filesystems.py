"""File systems: their identifiers, seeds and times."""

import re
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents
from ci_toolkit.compare.rules.remedy import Remedy, advice, render, setting
from ci_toolkit.compare.rules.rule import Phase, Rule

_FILE_SYSTEMS: Final = ("ext4", "vfat", "btrfs", "xfs", "squashfs", "erofs", "f2fs", "swap")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_IDENTIFIERS: Final = ("uuid", "journal_uuid", "volume_id", "metadata_uuid", "meta_uuid")
_TIMES: Final = (
    "mkfs_time",
    "mkfs_time_nanoseconds",
    "write_time",
    "check_time",
    "mount_time",
)
# btrfs dates each of its subvolumes.
_SUBVOLUME_TIME: Final = re.compile(r".+_(?:change|creation)_time")


def seed(_difference: Difference, facts: Facts) -> tuple[Remedy, ...]:
    """`Seed=` with an identifier of the first build: any UUID will do, once it is written down."""
    uuids = (identifier.first for identifier in facts.identifiers if _UUID.fullmatch(identifier.first))
    return (setting("Output", f"Seed={next(uuids, '<uuid, from uuidgen>')}"),)


def _is_hash_seed(difference: Difference, _facts: Facts) -> bool:
    return difference.container == "ext4" and difference.name == "hash_seed"


def _hash_seed_remedies(difference: Difference, _facts: Facts) -> tuple[Remedy, ...]:
    before = str(difference.before)
    value = before if _UUID.fullmatch(before) else "<uuid>"
    # mke2fs keeps only its last -E, so what systemd-repart passes has to be said again.
    options = f"-E hash_seed={value},nodiscard,lazy_itable_init=1"
    return (setting("Build", f'Environment="SYSTEMD_REPART_MKFS_OPTIONS_EXT4={options}"'), _NEWER_SYSTEMD)


_NEWER_SYSTEMD: Final = advice("Not with systemd 260 or later, which derives it from Seed=.")


def _is_uuid(difference: Difference, _facts: Facts) -> bool:
    return difference.container in _FILE_SYSTEMS and difference.name in _IDENTIFIERS


def _is_label_time(difference: Difference, _facts: Facts) -> bool:
    return difference.container == "vfat" and difference.name == "label_time"


def _is_btrfs_id(difference: Difference, _facts: Facts) -> bool:
    if difference.container != "btrfs" or difference.field is not Field.HEADER:
        return False
    values = (difference.before, difference.after)
    # The UUID of the whole is another cause: that one can be told to mkfs.
    return difference.name not in _IDENTIFIERS and all(
        isinstance(value, str) and _UUID.fullmatch(value) for value in values
    )


def _is_time(difference: Difference, _facts: Facts) -> bool:
    if difference.field is Field.HEADER:
        of_subvolume = difference.container == "btrfs" and _SUBVOLUME_TIME.fullmatch(difference.name or "") is not None
        return of_subvolume or (difference.container in _FILE_SYSTEMS and difference.name in _TIMES)
    # squashfs keeps its time in bytes 8 to 11: https://dr-emann.github.io/squashfs/
    return contents.starts(difference, b"hsqs") and contents.differs_only_at(difference, (range(8, 12),))


def _time_remedies(difference: Difference, facts: Facts) -> tuple[Remedy, ...]:
    if facts.epoch is None:
        return (setting("Content", _EPOCH),)
    return (_NEWER_TOOLS,)


_EPOCH: Final = "SourceDateEpoch=<seconds of the last commit: git log -1 --format=%ct>"
_NEWER_TOOLS: Final = advice(
    "With it, take tools that honour SOURCE_DATE_EPOCH, by ToolsTree=default: e2fsprogs 1.47.1, xfsprogs 6.17."
)

HASH_SEED: Final = Rule(
    cause=Cause(
        identifier="hash-seed",
        title="The hash seed of ext4 is random",
        explanation="mke2fs draws a random seed for the hashes of directory entries, "
        "and every indexed directory is laid out after it.",
        fix=render(
            (
                setting(
                    "Build",
                    'Environment="SYSTEMD_REPART_MKFS_OPTIONS_EXT4=-E hash_seed=<uuid>,nodiscard,lazy_itable_init=1"',
                ),
                _NEWER_SYSTEMD,
            )
        ),
        source="https://github.com/systemd/systemd/pull/40323",
    ),
    phase=Phase.FILESYSTEM,
    fields=(Field.HEADER,),
    recognise=_is_hash_seed,
    remedies=_hash_seed_remedies,
)

FILESYSTEM_UUID: Final = Rule(
    cause=Cause(
        identifier="filesystem-uuid",
        title="The identifier of a file system is random",
        explanation="systemd-repart derives identifiers from the seed of the image, and without Seed= it draws one.",
        fix=render((setting("Output", "Seed=<uuid, from uuidgen>"),)),
        source="https://github.com/systemd/systemd/pull/25759",
    ),
    phase=Phase.FILESYSTEM,
    fields=(Field.HEADER,),
    recognise=_is_uuid,
    remedies=seed,
)

FILESYSTEM_TIME: Final = Rule(
    cause=Cause(
        identifier="filesystem-time",
        title="The file system says when it was made",
        explanation="mkfs writes the current time into the file system, where it does not honour SOURCE_DATE_EPOCH.",
        fix=render((setting("Content", _EPOCH), _NEWER_TOOLS)),
        source="https://reproducible-builds.org/docs/system-images/",
    ),
    phase=Phase.FILESYSTEM,
    fields=(Field.HEADER, Field.CONTENT),
    recognise=_is_time,
    remedies=_time_remedies,
)


FAT_LABEL_TIME: Final = Rule(
    cause=Cause(
        identifier="fat-label-time",
        title="The label of a FAT has the time of the build",
        explanation="mkfs.vfat dates the entry of the label with the present, unless it heeds SOURCE_DATE_EPOCH, which "
        "dosfstools 4.2 as it was released does not.",
        fix=render(
            (
                setting("Build", "Environment=SYSTEMD_REPART_MKFS_OPTIONS_VFAT=--invariant"),
                advice(
                    "It fixes the volume id as well, to 1234-ABCD; a later dosfstools, by ToolsTree=default, needs but "
                    "SourceDateEpoch=."
                ),
            )
        ),
        source="https://github.com/dosfstools/dosfstools/commit/8da7bc9",
    ),
    phase=Phase.FILESYSTEM,
    fields=(Field.HEADER,),
    recognise=_is_label_time,
)

BTRFS_UUIDS: Final = Rule(
    cause=Cause(
        identifier="btrfs-uuids",
        title="btrfs draws identifiers that nobody can set",
        explanation="mkfs.btrfs draws UUIDs for its device, its tree of chunks and its subvolumes, whatever UUID the "
        "file system is given, and they are in every block.",
        fix=render(
            (
                advice(
                    "Take another file system, or compare the contents; a btrfs-progs with DETERMINISTIC_SEED "
                    "(btrfs-progs#1126) is not released yet."
                ),
            )
        ),
        source="https://github.com/kdave/btrfs-progs/pull/1126",
    ),
    phase=Phase.FILESYSTEM,
    fields=(Field.HEADER,),
    recognise=_is_btrfs_id,
)


def _is_luks(difference: Difference, _facts: Facts) -> bool:
    return difference.container == "luks" or contents.starts(difference, b"LUKS\xba\xbe")


LUKS: Final = Rule(
    cause=Cause(
        identifier="luks-volume",
        title="An encrypted volume is random",
        explanation="The key and the salts of an encrypted volume are drawn when it is made, and so is all it holds.",
        fix=render((advice("Encrypt at first boot instead: Encrypt=tpm2 in a repart.d file that the image ships."),)),
        source="https://www.freedesktop.org/software/systemd/man/latest/repart.d.html#Encrypt=",
    ),
    phase=Phase.FILESYSTEM,
    fields=(Field.CONTENT, Field.HEADER, Field.REGION),
    recognise=_is_luks,
)


def _is_f2fs_checkpoint(difference: Difference, _facts: Facts) -> bool:
    return difference.container == "f2fs" and difference.name == "checkpoint_version"


def _is_f2fs_kernel(difference: Difference, _facts: Facts) -> bool:
    return difference.container == "f2fs" and difference.name in ("made_by_kernel", "mounted_by_kernel")


F2FS_CHECKPOINT: Final = Rule(
    cause=Cause(
        identifier="f2fs-checkpoint",
        title="f2fs begins with a checkpoint of a random number",
        explanation="mkfs.f2fs draws the version of the first checkpoint from the clock, and it is in every node.",
        fix=render((setting("Build", "Environment=SYSTEMD_REPART_MKFS_OPTIONS_F2FS=-r"),)),
        source="https://manpages.debian.org/bookworm/f2fs-tools/mkfs.f2fs.8.en.html",
    ),
    phase=Phase.FILESYSTEM,
    fields=(Field.HEADER,),
    recognise=_is_f2fs_checkpoint,
)

F2FS_KERNEL: Final = Rule(
    cause=Cause(
        identifier="f2fs-kernel",
        title="f2fs names the kernel that it was made under",
        explanation="mkfs.f2fs copies /proc/version into the superblock, and no option tells it otherwise.",
        fix=render(
            (advice("Make it under one kernel, as in a virtual machine that each build boots, or take another one."),)
        ),
        source="https://manpages.debian.org/bookworm/f2fs-tools/mkfs.f2fs.8.en.html",
    ),
    phase=Phase.FILESYSTEM,
    fields=(Field.HEADER,),
    recognise=_is_f2fs_kernel,
)
