"""What two compressed streams have in common, which need not be unpacked."""

from ci_toolkit.compare.bytes import first_difference
from ci_toolkit.images.archives import zstd_frames
from ci_toolkit.images.data import Data
from ci_toolkit.images.limits import Budget


def without_common_parts(a: Data, b: Data, budget: Budget) -> tuple[Data, Data]:
    """Return two zstd streams without the parts that both have in one place; what follows the last part stays.

    An initrd is a row of archives, each packed by itself, of which mostly one differs: equal streams unpack to equal
    bytes. Raises UnreadableError for a damaged stream.
    """
    one, one_end = zstd_frames.parts(a, budget)
    other, other_end = zstd_frames.parts(b, budget)
    if len(one) != len(other) or len(one) < 2:
        return a, b
    differ = [not _same(a.window(*x), b.window(*y), budget) for x, y in zip(one, other, strict=True)]
    if all(differ) or not any(differ):
        return a, b
    rest = (one_end, a.size - one_end), (other_end, b.size - other_end)
    return a.gathered([*_kept(one, differ), rest[0]]), b.gathered([*_kept(other, differ), rest[1]])


def _same(a: Data, b: Data, budget: Budget) -> bool:
    if a.size != b.size:
        return False
    budget.read(a.size)
    return first_difference(a, b) is None


def _kept(parts: list[tuple[int, int]], differ: list[bool]) -> list[tuple[int, int]]:
    return [part for part, differs in zip(parts, differ, strict=True) if differs]
