"""dm-verity: areas of hashes over another partition, and partitions with a signature of its root hash."""

import hashlib
import json
import struct
from typing import Any, Final
from uuid import UUID

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Fact, Region
from ci_toolkit.images.limits import KIB, Budget

_MAGIC: Final = b"verity\0\0"
_SUPERBLOCK: Final = struct.Struct("<8sII16s32sIIQH6x256s")
_DIGESTS: Final = {"sha1": 20, "sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64}
_BLOCKS: Final = frozenset(512 << shift for shift in range(11))
_LEVELS_MAX: Final = 63
_NUMBERS: Final = (
    ("version", 8, 4),
    ("hash_type", 12, 4),
    ("data_block_size", 64, 4),
    ("hash_block_size", 68, 4),
    ("data_blocks", 72, 8),
)
# As systemd-repart makes them, which fills them up with zeros.
_SIGNATURE_MAX: Final = 64 * KIB
_KEYS: Final = (("rootHash", "root_hash"), ("certificateFingerprint", "certificate_fingerprint"))


def recognise(data: Data) -> bool:
    return data.read_at(0, 8) == _MAGIC


def read(data: Data, _budget: Budget) -> Container:
    """Read the superblock. Raises UnreadableError for one that cannot be believed, or an area that is cut."""
    raw = data.read_at(0, 512)
    if len(raw) < 512:
        raise UnreadableError(f"the superblock of dm-verity ends at byte {data.size}: the image is cut")
    _, version, kind, uuid, name, data_block, hash_block, blocks, salt_size, salt = _SUPERBLOCK.unpack_from(raw)
    algorithm = name.partition(b"\0")[0].decode("latin-1")
    if version != 1 or kind > 1 or not {data_block, hash_block} <= _BLOCKS or salt_size > len(salt):
        raise UnreadableError("the superblock of dm-verity is damaged")
    salt = salt[:salt_size]
    facts = [
        Fact(name="uuid", value=str(UUID(bytes=uuid)), places=((16, 16),)),
        Fact(name="algorithm", value=algorithm, places=((32, 32),)),
        Fact(name="salt", value=salt.hex(), places=((80, 2), (88, 256))),
    ]
    facts += [
        Fact(name=fact, value=int.from_bytes(raw[offset : offset + length], "little"), places=((offset, length),))
        for fact, offset, length in _NUMBERS
    ]
    regions = [Region(name="superblock", data=data.window(0, 512))]
    if algorithm in _DIGESTS:
        start = hash_block
        size = _tree(blocks, hash_block, _DIGESTS[algorithm]) * hash_block
        if start + size > data.size:
            raise UnreadableError(
                f"the tree of hashes ends at byte {start + size}, the image at byte {data.size}: the image is cut"
            )
        if size:
            # The root lies first; its own hash is kept elsewhere, and all others follow from the data.
            top = data.read_at(start, hash_block)
            root = hashlib.new(algorithm, salt + top if kind == 1 else top + salt).hexdigest()
            facts.append(Fact(name="root_hash", value=root))
            regions.append(Region(name="hash tree", data=data.window(start, size)))
    return Container(
        format="verity", entries=(), facts=tuple(facts), regions=tuple(regions), remainder="padding", transparent=True
    )


def _tree(blocks: int, size: int, digest: int) -> int:
    """Return how many blocks of SIZE the hashes of BLOCKS take, and the hashes of these, up to one root."""
    # Digests are filled up to a power of two.
    each = size // (1 << (digest - 1).bit_length())
    total = 0
    for _ in range(_LEVELS_MAX):
        if blocks <= 1:
            break
        blocks = -(-blocks // each)
        total += blocks
    return total


def is_signature(data: Data) -> bool:
    head = data.read_at(0, 1)
    return head == b"{" and _told(data) is not None


def read_signature(data: Data, _budget: Budget) -> Container:
    """Read the JSON of a partition of verity signatures. Raises UnreadableError where it is damaged."""
    told = _told(data)
    if told is None:
        raise UnreadableError("the signature of the root hash is damaged")
    raw = data.read_at(0, _SIGNATURE_MAX)
    facts = [
        Fact(name=name, value=told[key], places=_places(raw, told[key]))
        for key, name in _KEYS
        if isinstance(told.get(key), str)
    ]
    ((start, length),) = _places(raw, told["signature"]) or ((0, 0),)
    regions = [Region(name="signature", data=data.window(start, length))] if length else []
    return Container(
        format="verity-signature",
        entries=(),
        facts=tuple(facts),
        regions=(*regions, Region(name="signature record", data=data.window(0, len(raw.rstrip(b"\0"))))),
        remainder="padding",
    )


def _told(data: Data) -> dict[str, Any] | None:
    raw = data.read_at(0, _SIGNATURE_MAX)
    if b'"rootHash"' not in raw or b'"signature"' not in raw:
        return None
    try:
        told = json.loads(raw.rstrip(b"\0 \n"))
    except (ValueError, RecursionError):
        return None
    if isinstance(told, dict) and isinstance(told.get("rootHash"), str) and isinstance(told.get("signature"), str):
        return told
    return None


def _places(raw: bytes, value: str) -> tuple[tuple[int, int], ...]:
    """Return where VALUE stands, if it is written as it is."""
    sought = value.encode("utf-8", "surrogatepass")
    start = raw.find(sought) if sought else -1
    return ((start, len(sought)),) if start >= 0 else ()
