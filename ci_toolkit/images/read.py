"""Say what something is, by what it is and not by its name, and open it.

The tables are in the rooms: `kinds.py` of disks, partitions, filesystems, archives, databases and executables.
"""

import codecs
from typing import Final

from ci_toolkit.images.archives.kinds import ARCHIVES, STREAMS
from ci_toolkit.images.data import Data, held
from ci_toolkit.images.databases.kinds import DATABASES
from ci_toolkit.images.disks.kinds import DISKS
from ci_toolkit.images.executables.kinds import EXECUTABLES
from ci_toolkit.images.filesystems.kinds import FILESYSTEMS, ISO9660
from ci_toolkit.images.format import Format
from ci_toolkit.images.limits import KIB
from ci_toolkit.images.partitions.kinds import GPT, MBR

# Most specific first: a fixed VHD is a disk with a footer, and an ISO image may have a partition table; a GPT disk has
# an MBR too, and so, by its signature, has a FAT file system.
FORMATS: Final[tuple[Format, ...]] = (
    *DISKS, ISO9660, GPT, *FILESYSTEMS, MBR, *EXECUTABLES, *DATABASES, *ARCHIVES, *STREAMS
)  # fmt: skip

COMPRESSIONS: Final = frozenset(stream.name for stream in STREAMS)

_GLIMPSE: Final = 64 * KIB
_SMALL: Final = 16 * KIB


def identify(data: Data) -> Format | None:
    """Return the format of DATA, None where it is no container. Raises UnreadableError when it cannot be read."""
    # Each format asks for a few bytes: most contents are small, and read once for all of them.
    asked = held(data.read_at(0, data.size)) if data.size <= _SMALL else data
    for known in FORMATS:
        if known.recognise(asked):
            return known
    return None


def describe(data: Data) -> str:
    """Name what DATA is, for people: a format, "text", "empty" or "data"."""
    known = identify(data)
    if known is not None:
        return known.name
    head = data.read_at(0, _GLIMPSE)
    if not head:
        return "empty"
    return "text" if b"\0" not in head and _is_utf8(head) else "data"


def _is_utf8(head: bytes) -> bool:
    try:
        # The last character may be cut in two.
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < _GLIMPSE)
    except UnicodeDecodeError:
        return False
    return True
