"""How far untrusted images are followed."""

from dataclasses import dataclass, replace
from sys import getsizeof
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30

_READ_TIMES: Final = 32
_DECOMPRESSED_READ_TIMES: Final = 8
_DECOMPRESSED_TIMES: Final = 128
_MEMBERS: Final = 150_000
_BYTES_OF_MEMBER: Final = 512
_DIFFERENCES: Final = 10_000
_BYTES_OF_DIFFERENCE: Final = 2 * KIB
# What an entry takes besides its name, attributes and facts.
_ENTRY: Final = 400


class BeyondLimitError(UnreadableError):
    """Something goes further than images are followed; its bytes are compared all the same."""


class LongNameError(BeyondLimitError):
    """One name is longer than any that is listed; those beside it may still be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one comparison may cost; beyond it the bytes are still compared, and a `Skipped` says what was left out.

    `depth` counts containers inside containers, `members` the entries of all containers, `metadata` the memory in bytes
    that these take with their names and attributes, `path` the characters of one name, `decompressed` the bytes that
    all compressed streams may come to, `streams` how many streams, frames and blocks they consist of, `window` the
    memory that one decompressor may ask for, `read` the bytes that may be read from the contents of entries, besides
    several times what was decompressed, `head` and `kept` the bytes kept of one content and of all, `differences` how
    many are listed that are of no time, and `times` how many that are.
    """

    depth: int = 12
    members: int = 700_000
    metadata: int = 320 * MIB
    path: int = 4 * KIB
    decompressed: int = 16 * GIB
    streams: int = 4_000_000
    window: int = 128 * MIB
    read: int = 256 * GIB
    head: int = 256 * KIB
    kept: int = 64 * MIB
    differences: int = 50_000
    times: int = 100_000

    def scaled(self, held: int) -> "Limits":
        """Return these limits, or less for images that HOLD few bytes: what is small may not ask for hours.

        No image that somebody made for use comes near: its bytes are read some ten times, at each layer that they lie
        in, and expand to the hundredfold where a file system in a compressed image is mostly empty. A file takes more
        than half a kilobyte of it, compressed and with its name, where there are very many; and where it differs, its
        content does.
        """
        return replace(
            self,
            members=min(self.members, _MEMBERS + held // _BYTES_OF_MEMBER),
            read=min(self.read, 256 * MIB + _READ_TIMES * held),
            decompressed=min(self.decompressed, GIB + _DECOMPRESSED_TIMES * held),
            streams=min(self.streams, 100_000 + held),
            differences=min(self.differences, _DIFFERENCES + held // _BYTES_OF_DIFFERENCE),
            times=min(self.times, 2 * (_DIFFERENCES + held // _BYTES_OF_DIFFERENCE)),
        )


class Entries(NamedTuple):
    """What is left for entries: of their number, and of the memory for what they are called and hold."""

    members: int
    metadata: int


class Budget:
    """What is left of the limits while one comparison runs."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._members = limits.members
        self._metadata = limits.metadata
        self._decompressed = limits.decompressed
        self._streams = limits.streams
        self._readable = limits.read
        self._read = 0
        self._kept = limits.kept

    def member(self, path: str, metadata: int = 0) -> None:
        """Account for one entry, its name and METADATA more bytes. Raises BeyondLimitError, LongNameError for the name.

        Names count at their size in memory, which one character beyond the first 256 doubles.
        """
        self._members -= 1
        if self._members < 0:
            raise BeyondLimitError(f"more than {self.limits.members} entries in all")
        self.attribute(_ENTRY + getsizeof(path) + metadata)
        if len(path) > self.limits.path:
            raise LongNameError(f"a name of {len(path)} characters")

    def entries(self) -> Entries:
        """Return what is left for entries."""
        return Entries(self._members, self._metadata)

    def again(self, before: Entries, after: Entries) -> bool:
        """Account for what was accounted for between two moments once more; False where that would be too much."""
        members = self._members - (before.members - after.members)
        metadata = self._metadata - (before.metadata - after.metadata)
        if members < 0 or metadata < 0:
            return False
        self._members, self._metadata = members, metadata
        return True

    def attribute(self, size: int) -> None:
        """Account for SIZE bytes that are kept beside the entries' contents. Raises BeyondLimitError."""
        self._metadata -= size
        if self._metadata < 0:
            raise BeyondLimitError(f"entries, names and attributes of more than {self.limits.metadata} bytes in all")

    def decompress(self, size: int) -> None:
        """Account for SIZE decompressed bytes. Raises BeyondLimitError."""
        self._decompressed -= size
        if self._decompressed < 0:
            raise BeyondLimitError(f"compressed streams hold more than {self.limits.decompressed} bytes in all")
        # What is decompressed is compared, and looked into, as anything else.
        self._readable += _DECOMPRESSED_READ_TIMES * size

    def stream(self) -> None:
        """Account for one stream, frame or block, which may be empty. Raises BeyondLimitError."""
        self._streams -= 1
        if self._streams < 0:
            raise BeyondLimitError(f"compressed streams have more than {self.limits.streams} parts in all")

    def read(self, size: int) -> None:
        """Account for SIZE bytes read from contents. Raises BeyondLimitError."""
        self._read += size
        if self._read > self._readable:
            raise BeyondLimitError(f"contents come to more than {self._readable} bytes in all")

    def keep(self, size: int) -> int:
        """Return how many of the SIZE first bytes of a content may be kept: all that one may have, or none."""
        wanted = min(size, self.limits.head)
        if wanted > self._kept:
            return 0
        self._kept -= wanted
        return wanted
