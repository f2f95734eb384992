"""Reads through it, against the same bytes."""

import random
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.images.ahead import Ahead
from ci_toolkit.images.data import Data, Memory, Run, stored

CONTENT = random.Random(1).randbytes(200_000)

# Nothing is kept between runs, and slow machines may be slow.
steady = settings(database=None, deadline=None)


@dataclass(slots=True, eq=False)
class Counting:
    """A root that counts how often and how much of it is read."""

    root: Memory
    reads: int = 0
    total: int = 0

    @property
    def size(self) -> int:
        return self.root.size

    def read_at(self, offset: int, length: int) -> bytes:
        self.reads += 1
        self.total += length
        return self.root.read_at(offset, length)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        self.root.read_into(buffer, offset)


def counted(content: bytes) -> tuple[Data, Counting]:
    root = Counting(Memory(content))
    return Data(root, (Run(0, len(content), 0),), len(content)), root


@steady
@given(st.lists(st.tuples(st.integers(0, len(CONTENT) + 10), st.integers(0, 100_000)), max_size=20))
def test_any_order_gives_the_same_bytes(reads: list[tuple[int, int]]) -> None:
    ahead = Ahead(stored(CONTENT))
    for offset, length in reads:
        assert ahead.read_at(offset, length) == CONTENT[offset : offset + length]


def test_headers_in_a_row_come_with_few_reads() -> None:
    data, root = counted(CONTENT)
    ahead = Ahead(data)
    assert b"".join(ahead.read_at(offset, 100) for offset in range(0, len(CONTENT), 100)) == CONTENT
    assert root.reads < 15


def test_what_lies_between_headers_is_not_read() -> None:
    data, root = counted(CONTENT)
    ahead = Ahead(data)
    for offset in range(0, len(CONTENT), 10_000):
        assert ahead.read_at(offset, 100) == CONTENT[offset : offset + 100]
    assert root.total < len(CONTENT) // 10
