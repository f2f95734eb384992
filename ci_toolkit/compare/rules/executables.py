"""Executables: stamps and signatures in PE files and kernel modules."""

import struct
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents
from ci_toolkit.compare.rules.remedy import advice, render, setting
from ci_toolkit.compare.rules.rule import Follows, Phase, Rule

_MODULE_MAGIC: Final = b"~Module signature appended~\n"
# X.509 and SHA-256, as they lie in signature lists.
_SIGNATURE_TYPES: Final = (
    bytes.fromhex("a159c0a5e494a74a87b5ab155c2bf072"),
    bytes.fromhex("2616c4c14c509240aca941f936934328"),
)
_EPOCH: Final = "SourceDateEpoch=<seconds of the last commit: git log -1 --format=%ct>"


def _pe_header(difference: Difference) -> int | None:
    """Return the offset of "PE\\0\\0", the same in both contents; None where they are no PE files."""
    pair = contents.both(difference)
    if pair is None or not contents.starts(difference, b"MZ"):
        return None
    offsets = {int.from_bytes(content.head[0x3C:0x40], "little") for content in pair}
    offset = offsets.pop()
    if offsets or any(content.head[offset : offset + 4] != b"PE\0\0" for content in pair):
        return None
    return offset


def _stamp(header: int) -> range:
    return range(header + 8, header + 12)


def _checksum(header: int) -> range:
    return range(header + 24 + 64, header + 24 + 68)


def _is_pe_stamp(difference: Difference, _facts: Facts) -> bool:
    if difference.field is Field.HEADER:
        return difference.container == "pe" and difference.name == "timestamp"
    header = _pe_header(difference)
    pair = contents.both(difference)
    if header is None or pair is None or difference.opened:
        return False
    span = slice(_stamp(header).start, _stamp(header).stop)
    return pair[0].head[span] != pair[1].head[span] and contents.differs_only_at(
        difference, (_stamp(header), _checksum(header))
    )


def _is_pe_checksum(difference: Difference, _facts: Facts) -> bool:
    return difference.container == "pe" and difference.name == "checksum"


def _certificates(head: bytes, header: int) -> range | None:
    """Where the certificate table lies in the file: data directory 4, the only one that holds a file offset."""
    optional = header + 24
    directories = {0x10B: 96, 0x20B: 112}.get(int.from_bytes(head[optional : optional + 2], "little"))
    if directories is None:
        return None
    place = optional + directories + 4 * 8
    try:
        offset, size = struct.unpack_from("<II", head, place)
    except struct.error:
        return None
    return range(offset, offset + size) if size else None


def _is_authenticode(difference: Difference, _facts: Facts) -> bool:
    if difference.field is Field.REGION:
        return difference.container == "pe" and difference.name == "certificate table"
    header = _pe_header(difference)
    pair = contents.whole(difference)
    if header is None or pair is None:
        return False
    table = _certificates(pair[0], header)
    same_place = table is not None and table == _certificates(pair[1], header)
    return same_place and contents.differs_only_at(difference, (table or range(0), _checksum(header)))


def _is_owner(difference: Difference, _facts: Facts) -> bool:
    pair = contents.whole(difference)
    if pair is None or difference.opened:
        return False
    first, second = (_without_owners(data) for data in pair)
    return first is not None and first == second


def _without_owners(lists: bytes) -> bytes | None:
    """Return EFI signature lists without the owner of each signature; UEFI 2.10 §32.4.1, None where they are none.

    A signed update has a header with a time and a PKCS#7 signature in front of them: those are another matter.
    """
    pieces: list[bytes] = []
    position = 0
    while position < len(lists):
        try:
            size, header, each = struct.unpack_from("<III", lists, position + 16)
        except struct.error:
            return None
        start = position + 28 + header
        if lists[position : position + 16] not in _SIGNATURE_TYPES or each <= 16 or size <= 28 or start > len(lists):
            return None
        end = position + size
        if end > len(lists) or (end - start) % each:
            return None
        pieces.append(lists[position:start])
        pieces += [lists[place + 16 : place + each] for place in range(start, end, each)]
        position = end
    return b"".join(pieces) if pieces else None


def _is_module_signature(difference: Difference, _facts: Facts) -> bool:
    if difference.field is Field.REGION:
        return difference.container == "elf" and difference.name == "module signature"
    pair = contents.whole(difference)
    if pair is None:
        return False
    first, second = (_without_signature(data) for data in pair)
    return first is not None and first == second


def _without_signature(module: bytes) -> bytes | None:
    """Return a kernel module without its appended signature: 12 bytes before the magic end in its big-endian size."""
    if not module.endswith(_MODULE_MAGIC):
        return None
    end = len(module) - len(_MODULE_MAGIC)
    size = int.from_bytes(module[end - 4 : end], "big")
    start = end - 12 - size
    return module[:start] if start > 0 else None


PE_TIMESTAMP: Final = Rule(
    cause=Cause(
        identifier="pe-timestamp",
        title="The time of linking in an EFI executable",
        explanation="The header of a PE file holds the time at which it was linked or put together.",
        fix=render((setting("Content", _EPOCH), advice("objcopy needs --preserve-dates, ld --no-insert-timestamp."))),
        source="https://github.com/dracutdevs/dracut/pull/2400",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT, Field.HEADER),
    recognise=_is_pe_stamp,
)

PE_CHECKSUM: Final = Rule(
    cause=Cause(
        identifier="pe-checksum",
        title="The checksum of an EFI executable",
        explanation="The checksum in the header of a PE file follows from its content.",
        fix="",
    ),
    phase=Phase.DERIVED,
    fields=(Field.HEADER,),
    recognise=_is_pe_checksum,
    follows=Follows.ELSE_UNKNOWN,
)

AUTHENTICODE: Final = Rule(
    cause=Cause(
        identifier="authenticode-signature",
        title="An EFI executable was signed twice",
        explanation="A signature holds the time of signing; all that is signed is equal.",
        fix=render((advice("Compare unsigned builds (SecureBoot=no), and attach one signature to both."),)),
        source="https://github.com/rhboot/pesign/issues/125",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT, Field.REGION),
    recognise=_is_authenticode,
)

MODULE_SIGNATURE: Final = Rule(
    cause=Cause(
        identifier="module-signature",
        title="A kernel module was signed with another key",
        explanation="The module is equal, and only the signature after it differs: each build made its own key.",
        fix=render((advice("Build modules once and install them as a package."),)),
        source="https://github.com/ublue-os/aurora/issues/2579",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT, Field.REGION),
    recognise=_is_module_signature,
)

SIGNATURE_OWNER: Final = Rule(
    cause=Cause(
        identifier="secure-boot-owner",
        title="The owner of a Secure Boot key is random",
        explanation="A signature list names an owner by a GUID, and one that was drawn for each build tells nothing.",
        fix=render(
            (
                advice(
                    "Name one owner: `cert-to-efi-sig-list -g <GUID>`, `sbsiglist --owner <GUID>`; mkosi takes zeros."
                ),
            )
        ),
        source="https://github.com/systemd/mkosi/commit/02363758",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_owner,
)
