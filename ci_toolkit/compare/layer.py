"""One pair of containers on the way down two images, and which bytes of the images belong to their entries."""

from dataclasses import dataclass

from ci_toolkit.compare.bytes import Changes
from ci_toolkit.compare.ledger import Steps
from ci_toolkit.compare.spans import relative
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry
from ci_toolkit.images.packed import origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One pair of containers and where it is.

    `a` and `b` are the bytes of the containers, None for directories of this machine. `changes` are the outermost
    images' differing bytes, None below an opened container: they were counted when its own content was seen to differ.
    """

    path: Steps
    depth: int
    one: Container
    other: Container
    a: Data | None = None
    b: Data | None = None
    changes: Changes | None = None


def below(path: Steps, name: str) -> Steps:
    return (*path, name) if name else path


def claim(changes: Changes | None, a: Data | None, b: Data | None) -> int:
    if changes is None:
        return 0
    # Moved entries lie elsewhere on either side; directories are left to their container's regions, and so are
    # contents that were taken out of another structure.
    origins = [origin(data) for data in (a, b) if data is not None]
    return sum(changes.claim(data.runs) for data in origins if changes.hold(data))


def is_moved(layer: Layer, x: Entry, y: Entry) -> bool:
    """Tell whether two entries with equal contents differ in inode or, in a file system, in where they lie."""
    if x.inode != y.inode:
        return True
    if not layer.one.placed or x.data is None or y.data is None or layer.a is None or layer.b is None:
        return False
    one, other = origin(x.data), origin(y.data)
    return one.runs != other.runs and relative(layer.a, one) != relative(layer.b, other)


def record(layer: Layer, x: Entry | None, y: Entry | None) -> int:
    """Claim the bytes that hold the metadata of two entries."""
    if layer.changes is None:
        return 0
    return sum(
        layer.changes.claim(data.located(*entry.record))
        for data, entry in ((layer.a, x), (layer.b, y))
        if data is not None and entry is not None and entry.record is not None and sum(entry.record) <= data.size
    )
