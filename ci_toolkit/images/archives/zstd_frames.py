"""Where the frames of a zstd stream begin and end (RFC 8878), found without decompressing."""

from collections.abc import Callable
from functools import partial
from typing import Final

import zstandard

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.archives.padding import zeros
from ci_toolkit.images.data import Data
from ci_toolkit.images.limits import KIB, Budget

MAGIC: Final = b"\x28\xb5\x2f\xfd"
_SKIPPABLE: Final = frozenset(bytes((low, 0x2A, 0x4D, 0x18)) for low in range(0x50, 0x60))
_RLE: Final = 1
_RESERVED: Final = 3
# Blocks are of 128 KiB at most, and mostly far smaller: one read has several headers.
_AHEAD: Final = 16 * KIB
_CPIO: Final = b"070701"


def recognise(data: Data) -> bool:
    return is_frame(data.read_at(0, 4))


def is_frame(magic: bytes) -> bool:
    return magic == MAGIC or magic in _SKIPPABLE


def frame_end(data: Data, start: int, budget: Budget) -> int:
    """Return where the frame at START ends. Raises UnreadableError when it is damaged or cut."""
    budget.stream()
    head = data.read_at(start, 18)
    if head[:4] in _SKIPPABLE and len(head) >= 8:
        return _within(data, start + 8 + int.from_bytes(head[4:8], "little"))
    if head[:4] != MAGIC or len(head) < 5:
        raise UnreadableError(f"there is no zstd frame at byte {start}")
    descriptor = head[4]
    single = descriptor >> 5 & 1
    size_field = (single, 2, 4, 8)[descriptor >> 6]
    position = start + 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3] + size_field
    last = 0
    ahead, begin = b"", position
    while not last:
        budget.stream()
        raw = ahead[position - begin : position - begin + 3]
        if len(raw) < 3:
            ahead, begin = data.read_at(position, _AHEAD), position
            raw = ahead[:3]
        if len(raw) < 3:
            raise UnreadableError(f"the zstd stream ends at byte {data.size}, inside a frame: it is cut")
        header = int.from_bytes(raw, "little")
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        if kind == _RESERVED:
            raise UnreadableError(f"the zstd block at byte {position} is damaged")
        position += 3 + (1 if kind == _RLE else size)
    return _within(data, position + (4 if descriptor & 4 else 0))


def frames(data: Data, budget: Budget) -> tuple[list[tuple[int, int]], int]:
    """Return the spans (offset, length) of frames in a row, which zeros part from each other, and where all end."""
    return _rows(data, partial(frame_end, data, budget=budget), lambda _frame: False)


def parts(data: Data, budget: Budget, end: Callable[[int], int] | None = None) -> tuple[list[tuple[int, int]], int]:
    """Return the spans (offset, length) of the archives that an initrd is made of, and where all end.

    END returns where the frame at an offset ends; by default that is found out.

    One begins after zeros, and where a frame unpacks to the head of a cpio archive: the padding between two is empty
    where the first one's length fits. A frame that begins so inside an archive begins with a whole member, and may be
    taken for an archive just as well.
    """
    return _rows(data, end or partial(frame_end, data, budget=budget), partial(_begins_archive, data, budget=budget))


def first_part_end(data: Data, budget: Budget, end: Callable[[int], int]) -> int:
    """Return where the first of the archives ends that `parts` tells of, which takes the same END."""
    return _row_end(data, 0, end, partial(_begins_archive, data, budget=budget))


def _rows(
    data: Data, frame_ends: Callable[[int], int], begins: Callable[[int], bool]
) -> tuple[list[tuple[int, int]], int]:
    found: list[tuple[int, int]] = []
    end = 0
    while is_frame(data.read_at(end, 4)):
        start, end = end, _row_end(data, end, frame_ends, begins)
        found.append((start, end - start))
        end += zeros(data, end)
    return found, end


def _row_end(data: Data, start: int, frame_ends: Callable[[int], int], begins: Callable[[int], bool]) -> int:
    """Return where the row of frames at START ends: before one that BEGINS another, or what is no frame."""
    end = start
    while is_frame(data.read_at(end, 4)) and (end == start or not begins(end)):
        end = frame_ends(end)
    return end


def _begins_archive(data: Data, frame: int, budget: Budget) -> bool:
    rest = data.window(frame, data.size - frame)
    reader = zstandard.ZstdDecompressor(max_window_size=budget.limits.window).stream_reader(rest.open())
    try:
        return reader.read(len(_CPIO)) == _CPIO
    except zstandard.ZstdError:
        return False  # whoever unpacks all of it says what is wrong


def _within(data: Data, end: int) -> int:
    if end > data.size:
        raise UnreadableError(f"the zstd stream ends at byte {data.size}, inside a frame: it is cut")
    return end
