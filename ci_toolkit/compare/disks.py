"""Disks in containers of hypervisors: compared by what is inside them, whatever holds it."""

from typing import Final

from ci_toolkit.compare.bytes import Changes
from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data, OpenFile
from ci_toolkit.images.disks.kinds import DISKS
from ci_toolkit.images.limits import Budget
from ci_toolkit.images.read import identify

FORMATS: Final = frozenset(known.name for known in DISKS)


def formats(before: str, after: str, changed: int) -> Difference:
    """Say that two disks are in containers of two formats, so that the CHANGED bytes say nothing of them."""
    return Difference(
        path=(), field=Field.HEADER, name="disk_format", container="disk",
        before=shape(before), after=shape(after), bytes=changed,
    )  # fmt: skip


def shape(described: str) -> str:
    """Name the format of a disk for people: "raw" where it is in no container of its own."""
    return described if described in FORMATS else "raw"


def taken_out(data: Data, budget: Budget, name: str) -> Data:
    """Return the raw disk that DATA, called NAME, is or holds. Raises UnreadableError."""
    known = identify(data)
    if known is None or known.name not in FORMATS:
        return data
    container = known.read(data, budget)
    inside = next((entry.data for entry in container.entries), None)
    if inside is None:
        reason = "; ".join(reason for _, reason in container.skipped)
        raise UnreadableError(f"{name}: {reason}", hint="Convert both images to raw first: qemu-img convert -O raw.")
    return inside


def held(data: Data) -> int:
    """Return how many bytes of DATA are in no hole, of its own or of the file that it lies in; at most so many."""
    # Nearly all files lie in one piece.
    if len(data.runs) == 1 and data.runs[0].offset is not None:
        length = data.size
    else:
        length = sum(run.length for run in data.runs if run.offset is not None)
    root = data.root
    return min(length, root.held) if isinstance(root, OpenFile) and root.held is not None else length


def is_in_place(changes: Changes | None, a: Data, b: Data) -> bool:
    """Tell whether two disks lie in the same places of both images, so that the images' own changes are theirs."""
    return changes is not None and changes.of(a, b) and a.runs == b.runs
