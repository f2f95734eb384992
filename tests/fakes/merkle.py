"""A tree of hashes as a transparency log keeps it: its root, and the proof that a leaf is in it (RFC 6962 §2.1)."""

import hashlib
from collections.abc import Sequence


def leaf(content: bytes) -> bytes:
    return hashlib.sha256(b"\0" + content).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    half = _half(len(leaves))
    return hashlib.sha256(b"\1" + root(leaves[:half]) + root(leaves[half:])).digest()


def path(number: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the hashes that lead from the leaf NUMBER to the root, the nearest first."""
    if len(leaves) == 1:
        return []
    half = _half(len(leaves))
    if number < half:
        return [*path(number, leaves[:half]), root(leaves[half:])]
    return [*path(number - half, leaves[half:]), root(leaves[:half])]


def _half(count: int) -> int:
    """Return the largest power of two below COUNT."""
    return int(1 << ((count - 1).bit_length() - 1))
