"""The order in which a packer took its members, and the inodes that it saw them under."""

import re
from functools import partial
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents
from ci_toolkit.compare.rules.remedy import Remedy, advice, render, setting
from ci_toolkit.compare.rules.rule import Follows, Phase, Rule


def _is_of(difference: Difference, _facts: Facts, *, container: str) -> bool:
    return difference.container == container


def _order(identifier: str, title: str, explanation: str, *remedies: Remedy, container: str, source: str) -> Rule:
    return Rule(
        cause=Cause(identifier=identifier, title=title, explanation=explanation, fix=render(remedies), source=source),
        phase=Phase.FORMAT,
        fields=(Field.ORDER,),
        recognise=partial(_is_of, container=container),
    )


_RETAR: Final = advice(
    "Unpack and pack again in mkosi.postoutput: `tar --sort=name --numeric-owner --format=posix "
    "--pax-option=delete=atime,delete=ctime`."
)
_REPRODUCIBLE: Final = advice(
    "Sort the names before cpio, and run it with `--reproducible --renumber-inodes`; mkosi's own initrds are so made."
)

TAR_ORDER: Final = _order(
    "tar-order",
    "The same members of a tar in another order",
    "tar took the members in the order in which the host's file system lists them.",
    _RETAR,
    container="tar",
    source="https://github.com/systemd/mkosi/blob/main/mkosi/archive.py",
)

CPIO_ORDER: Final = _order(
    "cpio-order",
    "The same members of an initrd in another order",
    "cpio took the names in the order in which find or a script gave them to it.",
    _REPRODUCIBLE,
    container="cpio",
    source="https://github.com/systemd/mkosi/commit/5629e6b8",
)

FAT_ORDER: Final = _order(
    "fat-order",
    "The same entries of a FAT in another order",
    "systemd-repart copies into FAT in the order in which the host's file system lists a directory.",
    advice("Build on a file system that lists directories in a fixed order; systemd-repart copies in that order."),
    container="vfat",
    source="https://github.com/NixOS/nixpkgs/issues/537940",
)

CPIO_INODES: Final = Rule(
    cause=Cause(
        identifier="cpio-inodes",
        title="An initrd keeps the inode numbers of the build host",
        explanation="cpio writes the number that each file had on the machine that packed it, and nothing reads it "
        "again but to find hard links.",
        fix=render((_REPRODUCIBLE,)),
        source="https://github.com/systemd/mkosi/commit/f59e8f4e",
    ),
    phase=Phase.FORMAT,
    fields=(Field.LAYOUT,),
    recognise=partial(_is_of, container="cpio"),
    follows=Follows.ELSE_CAUSE,
)


_BLOCK: Final = 512
# A map of holes: how many pieces there are, then offset and length of each, a number on each line.
_MAP: Final = re.compile(rb"(?:\d+\n)+\0*")
_PROCESS: Final = re.compile(rb"(GNUSparseFile|PaxHeaders)\.\d+")
_NAME: Final = 100
_CHECKSUM: Final = slice(148, 156)
_OLD_MAP: Final = slice(386, 483)


def _headers(difference: Difference) -> tuple[list[bytes], list[bytes]] | None:
    pair = contents.both(difference)
    if pair is None or difference.container not in ("tar", "oci") or difference.name != "headers":
        return None
    first, second = (
        [content.head[place : place + _BLOCK] for place in range(0, len(content.head), _BLOCK)] for content in pair
    )
    return first, second


def _is_sparse(difference: Difference, _facts: Facts) -> bool:
    """The headers say where holes are, and the two say it differently: in each of the ways that GNU tar has for it."""
    headers = _headers(difference)
    return headers is not None and _holes(headers[0]) != _holes(headers[1])


def _holes(blocks: list[bytes]) -> list[bytes]:
    maps = [block for block in blocks if _MAP.fullmatch(block)]
    records = [line for block in blocks for line in block.split(b"\n") if b"GNU.sparse." in line]
    old = [block[_OLD_MAP] for block in blocks if block[156:157] == b"S" and block[257:262] == b"ustar"]
    return [*maps, *records, *old]


def _is_process(difference: Difference, _facts: Facts) -> bool:
    """The headers are equal but for numbers of processes in names, and for sums over these."""
    headers = _headers(difference)
    return headers is not None and [*map(_anonymous, headers[0])] == [*map(_anonymous, headers[1])]


def _anonymous(block: bytes) -> bytes:
    name = _PROCESS.sub(rb"\1", block[:_NAME])
    if name == block[:_NAME]:
        return block
    return name.rstrip(b"\0") + block[_NAME : _CHECKSUM.start] + block[_CHECKSUM.stop :]


TAR_PROCESS: Final = Rule(
    cause=Cause(
        identifier="tar-process-id",
        title="tar wrote its own process id",
        explanation="GNU tar calls the headers of a sparse file GNUSparseFile.<pid>, and those of PAX records "
        "PaxHeaders.<pid> where POSIXLY_CORRECT is set.",
        fix=render((advice("Pack without --sparse, and with `--pax-option=exthdr.name=%d/PaxHeaders/%f`."),)),
        source="https://reproducible-builds.org/docs/archives/",
    ),
    phase=Phase.FORMAT,
    fields=(Field.REGION,),
    recognise=_is_process,
)

TAR_SPARSE: Final = Rule(
    cause=Cause(
        identifier="tar-sparse",
        title="tar followed the holes of sparse files",
        explanation="tar --sparse, as mkosi calls it, leaves out the holes of a file, and where these are depends on "
        "the file system and on how the file was written.",
        fix=render((advice("Pack again in mkosi.postoutput without --sparse, or make no sparse files."),)),
        source="https://github.com/systemd/mkosi/blob/main/mkosi/archive.py",
    ),
    phase=Phase.FORMAT,
    fields=(Field.REGION,),
    recognise=_is_sparse,
)

_LINKS: Final = {"cpio": ("link_count",), "tar": ("hard_link",), "oci": ("hard_link",)}


def _is_links(difference: Difference, facts: Facts) -> bool:
    """A count of links differs, or that of all inodes where both images have the same names."""
    if difference.name == "inode_count" and difference.container in ("erofs", "squashfs"):
        depth = len(difference.path)
        return not any(path[:depth] == difference.path for path in facts.alone)
    return difference.name in _LINKS.get(difference.container, ())


def _link_remedies(difference: Difference, _facts: Facts) -> tuple[Remedy, ...]:
    return _UNLINKED.get(difference.container, _UNLINKED["tar"])


_UNLINKED: Final = {
    "erofs": (setting("Build", "Environment=SYSTEMD_REPART_MKFS_OPTIONS_EROFS=--hard-dereference"),),
    "squashfs": (setting("Build", "Environment=SYSTEMD_REPART_MKFS_OPTIONS_SQUASHFS=-no-hardlinks"),),
    "cpio": (advice("Take dracut-ng 108 or later, with --reproducible and SOURCE_DATE_EPOCH: it links alike then."),),
    "tar": (advice("Of a tar, pack with --hard-dereference."),),
}

HARD_LINKS: Final = Rule(
    cause=Cause(
        identifier="hard-links",
        title="Files are hard links in one image and copies in the other",
        explanation="Equal files were linked to each other on one machine and copied on the other: by `hardlink` in "
        "dracut, by the package manager, or by a copy across file systems.",
        fix=render(remedy for remedies in _UNLINKED.values() for remedy in remedies),
        source="https://github.com/systemd/systemd/pull/36960",
    ),
    phase=Phase.FILESYSTEM,
    fields=(Field.HEADER,),
    recognise=_is_links,
    remedies=_link_remedies,
)
