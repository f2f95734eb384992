"""dm-verity: the salt, the tree of hashes, the signature of its root, and who names that root."""

import json
import re
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents
from ci_toolkit.compare.rules.remedy import advice, render, setting
from ci_toolkit.compare.rules.rule import Follows, Phase, Rule

_MAGIC: Final = b"verity\0\0"
_SALT: Final = ("salt", "uuid")
_HASHES: Final = ("root_hash", "hashes", "hash tree", "hash blocks")
_SUPERBLOCK: Final = 512
# Where cryptsetup keeps them: https://gitlab.com/cryptsetup/cryptsetup/-/wikis/DMVerity
_UUID_AT: Final = slice(16, 32)
_SALT_AT: Final = slice(88, 344)
_SAME: Final = slice(32, 88)
_ROOT_HASH: Final = re.compile(r"\b((?:usr|root)hash=)[0-9a-f]{64}(?![0-9a-f])")


def _superblocks(difference: Difference) -> tuple[bytes, bytes] | None:
    pair = contents.both(difference)
    if pair is None or not contents.starts(difference, _MAGIC):
        return None
    first, second = (content.head[:_SUPERBLOCK] for content in pair)
    return (first, second) if len(first) == len(second) == _SUPERBLOCK else None


def _is_salt(difference: Difference, _facts: Facts) -> bool:
    if difference.field is Field.HEADER:
        return difference.container == "verity" and difference.name in _SALT
    pair = _superblocks(difference)
    if pair is None or pair[0][_SAME] != pair[1][_SAME]:
        return False
    return any(pair[0][place] != pair[1][place] for place in (_UUID_AT, _SALT_AT))


def _is_hash(difference: Difference, _facts: Facts) -> bool:
    """Hashes that differ under one salt, so because the data do; or a root hash that a command line names."""
    if difference.container in ("verity", "verity-signature") and difference.name in _HASHES:
        return True
    if difference.field is Field.CONTENT:
        pair = _superblocks(difference)
        if pair is not None:
            return pair[0] == pair[1]
        lines = contents.changed_lines(difference)
        return bool(lines) and all(_without(before) == _without(after) for before, after in lines or ())
    return False


def _without(line: str) -> str:
    return _ROOT_HASH.sub(r"\1", line)


def _is_signature(difference: Difference, _facts: Facts) -> bool:
    """The JSON that systemd-repart puts into a partition of verity signatures."""
    if difference.container == "verity-signature":
        return difference.name in ("signature", "certificate_fingerprint")
    pair = contents.both(difference)
    if pair is None or difference.opened:
        return False
    return all(_signature(content.head) for content in pair)


def _signature(head: bytes) -> bool:
    if not head.startswith(b"{"):
        return False
    try:
        told = json.loads(head.rstrip(b"\0 \n"))
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and {"rootHash", "signature"} <= told.keys()


def _is_partition(difference: Difference, facts: Facts) -> bool:
    """The identifier of a partition is one half of a root hash: the data have the first, the hashes the second."""
    before, after = difference.before, difference.after
    if difference.container != "gpt" or difference.name != "partition_guid":
        return False
    if not isinstance(before, str) or not isinstance(after, str):
        return False
    first, second = (guid.replace("-", "").lower() for guid in (before, after))
    return any((first, second) in ((a[:32], b[:32]), (a[32:], b[32:])) for a, b in facts.root_hashes)


VERITY_PARTITION: Final = Rule(
    cause=Cause(
        identifier="verity-partition",
        title="Identifiers of partitions that dm-verity protects",
        explanation="A partition with data under dm-verity has the first half of the root hash for its identifier, and "
        "the one with the hashes the second half.",
        fix="",
        source="https://uapi-group.org/specifications/specs/discoverable_partitions_specification/",
    ),
    phase=Phase.DERIVED,
    fields=(Field.HEADER,),
    recognise=_is_partition,
    follows=Follows.ELSE_CAUSE,
    of_image=True,
)

VERITY_SALT: Final = Rule(
    cause=Cause(
        identifier="verity-salt",
        title="The salt of dm-verity is random",
        explanation="systemd-repart since version 255 derives the salt and the UUID from the seed of the image; "
        "without Seed= and in earlier ones they are drawn, and so every hash differs.",
        fix=render((setting("Output", "Seed=<uuid, from uuidgen>"),)),
        source="https://github.com/systemd/systemd/pull/28695",
    ),
    phase=Phase.FILESYSTEM,
    fields=(Field.HEADER, Field.CONTENT),
    recognise=_is_salt,
)

VERITY_SIGNATURE: Final = Rule(
    cause=Cause(
        identifier="verity-signature",
        title="The signature of a verity root hash",
        explanation="The partition holds the root hash, and a signature with the time of signing.",
        fix=render((advice("Compare builds without one (Verity=hash), and attach one signature to both."),)),
        source="https://github.com/systemd/systemd/pull/39709",
    ),
    phase=Phase.FILESYSTEM,
    fields=(Field.CONTENT, Field.REGION, Field.HEADER),
    recognise=_is_signature,
)

VERITY_HASH: Final = Rule(
    cause=Cause(
        identifier="verity-hash",
        title="Hashes of dm-verity over what differs",
        explanation="The tree of hashes and its root, which the command line of the kernel names, follow from the "
        "data that they are of.",
        fix="",
        source="https://docs.kernel.org/admin-guide/device-mapper/verity.html",
    ),
    phase=Phase.DERIVED,
    fields=(Field.CONTENT, Field.HEADER, Field.REGION),
    recognise=_is_hash,
    follows=Follows.ELSE_CAUSE,
    of_image=True,
)
