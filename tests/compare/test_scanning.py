"""Scans that other processes take part in, against cmp(1); and what becomes of them when such a process ends."""

import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from mmap import mmap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from truths import opened, sparse, unequal_places

from ci_toolkit.compare import mapped
from ci_toolkit.compare.bytes import Changes
from ci_toolkit.compare.scan import Scan, count_differing
from ci_toolkit.compare.scanning import Scanning
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data, Memory, Run, whole
from ci_toolkit.images.limits import KIB, MIB

pytestmark = pytest.mark.slow

BLOCK = 4 * KIB
SIZE = 150 * MIB + 5
CHANGES = ((77, b"x"), (16 * MIB - 3, b"abcdef"), (40 * MIB, os.urandom(50_000)), (SIZE - 1, b"z"))


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, Path]:
    same = (100 * MIB, os.urandom(MIB))
    return sparse(tmp_path / "a", SIZE, same), sparse(tmp_path / "b", SIZE, same, *CHANGES)


def told(found: Scan) -> tuple[list[int], list[int], int | None]:
    return list(found.numbers), list(found.counts), found.first


def by_cmp(a: Path, b: Path, block: int = BLOCK) -> tuple[list[int], list[int], int | None]:
    places = unequal_places(a, b)
    counts = Counter(place // block for place in places)
    return sorted(counts), [counts[number] for number in sorted(counts)], min(places, default=None)


@pytest.mark.parametrize("workers", [None, 0, 1, 2])
@pytest.mark.parametrize("block", [BLOCK, 512 * KIB, 16 * MIB])
def test_blocks_are_those_of_cmp(images: tuple[Path, Path], workers: int | None, block: int) -> None:
    with opened(*images) as (one, other), closing(Scanning(one, other, SIZE, block, workers)) as scanning:
        assert scanning.has_found()
        assert told(scanning.result()) == by_cmp(*images, block)
        assert scanning.result() is scanning.result()
    assert_no_child_is_left()


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_equal_images_have_no_block(images: tuple[Path, Path], workers: int) -> None:
    with opened(images[1], images[1]) as (one, other), closing(Scanning(one, other, SIZE, BLOCK, workers)) as scanning:
        assert not scanning.has_found()
        assert told(scanning.result()) == ([], [], None)


def assert_no_child_is_left() -> None:
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_what_is_known_of_a_span_is_what_cmp_says(images: tuple[Path, Path], workers: int) -> None:
    places = unequal_places(*images)
    spans = [(start, start + length) for start in range(0, SIZE, 7 * MIB) for length in (1, 16 * MIB, 40 * MIB)]
    with opened(*images) as (one, other), closing(Scanning(one, other, SIZE, BLOCK, workers)) as scanning:
        for ended in (False, True):
            for start, end in spans:
                known = scanning.differs(start, end)
                assert known is None or known == any(start <= place < end for place in places)
            assert not ended or not workers or scanning.differs(0, SIZE)
            assert not ended or not workers or scanning.differs(60 * MIB, 100 * MIB) is False
            assert scanning.differs(0, SIZE + 1) is None
            scanning.result()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Elsewhere(Memory):
    """Bytes that are read in this process, and whose reading does something else in another one."""

    act: Callable[[], object]
    here: int = field(default_factory=os.getpid)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        if os.getpid() != self.here:
            self.act()
        buffer[:] = self.content[offset : offset + len(buffer)]


def fail() -> None:
    raise MemoryError


ENDS = {
    "fails": fail,
    "is killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "ends": lambda: os._exit(0),
    "is slow": lambda: time.sleep(0.05),
}


@pytest.mark.parametrize("act", ENDS.values(), ids=ENDS)
def test_what_a_process_leaves_undone_is_done_here(act: Callable[[], object]) -> None:
    content = bytes(40 * MIB)
    changed = bytearray(content)
    for place in range(0, len(changed), 3 * MIB):
        changed[place] = 1
    one, other = whole(Elsewhere(content, act)), whole(Memory(bytes(changed)))
    with closing(Scanning(one, other, len(content), BLOCK, workers=3)) as scanning:
        found = scanning.result()
    numbers = [place // BLOCK for place in range(0, len(changed), 3 * MIB)]
    assert told(found) == (numbers, [1] * len(numbers), 0)
    assert_no_child_is_left()


def test_a_scan_that_nobody_waits_for_is_ended() -> None:
    one = whole(Elsewhere(bytes(40 * MIB), lambda: time.sleep(600)))
    begin = time.monotonic()
    with closing(Scanning(one, whole(Memory(b"x" * 40 * MIB)), 40 * MIB, BLOCK, workers=3)) as scanning:
        assert scanning.differs(0, 40 * MIB) is None
    assert time.monotonic() - begin < 300
    assert_no_child_is_left()


def test_a_difference_is_told_before_the_scan_is_over() -> None:
    def wait() -> None:
        if next(count) == 100:
            time.sleep(600)

    count = itertools.count()
    content = bytes(40 * MIB)
    one, other = whole(Elsewhere(content, wait)), whole(Memory(b"x" + content[1:]))
    begin = time.monotonic()
    with closing(Scanning(one, other, len(content), BLOCK, workers=1)) as scanning:
        assert scanning.has_found()
        assert scanning.differs(0, 16 * MIB)
    assert time.monotonic() - begin < 300


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_ends_early_is_told_of_each_time(images: tuple[Path, Path], workers: int) -> None:
    with opened(*images) as (one, other):
        os.truncate(images[0], 90 * MIB)
        with closing(Scanning(one, other, SIZE, BLOCK, workers)) as scanning:
            for _ in range(2):
                with pytest.raises(UnreadableError, match="bytes early"):
                    scanning.result()
    assert_no_child_is_left()


def test_a_file_that_is_cut_while_it_is_mapped_ends_no_more_than_a_helping_process(
    images: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(data: Data, start: int, end: int) -> mmap:
        found = mapped_before(data, start, end)
        if start <= 100 * MIB < end:
            os.truncate(images[0], 99 * MIB)
        return found

    mapped_before = mapped._mapped
    monkeypatch.setattr(mapped, "_mapped", cut)
    ended: list[int] = []
    wait = os.waitpid

    def waiting(pid: int, options: int) -> tuple[int, int]:
        found = wait(pid, options)
        ended.append(os.waitstatus_to_exitcode(found[1]))
        return found

    with opened(*images) as (one, other), closing(Scanning(one, other, SIZE, BLOCK, workers=1)) as scanning:
        monkeypatch.setattr(os, "waitpid", waiting)
        with pytest.raises(UnreadableError, match="bytes early"):
            scanning.result()
    assert ended == [-signal.SIGBUS]


QUESTIONS: dict[str, Callable[[Changes, Data, Data], object]] = {
    "total": lambda changes, _a, _b: changes.total,
    "first": lambda changes, _a, _b: changes.first,
    "any": lambda changes, _a, _b: changes.any(),
    "at the beginning": lambda changes, a, _: changes.differs(a.window(0, 100).runs),
    "at the end": lambda changes, a, _: changes.differs(a.window(SIZE - 9, 9).runs),
    "in what is the same": lambda changes, a, _: changes.differs(a.window(100 * MIB, MIB).runs),
    "beside what differs": lambda changes, a, _: changes.differs(a.window(40 * MIB - 9, 9).runs),
    "in the same and then what is not": lambda changes, a, _: changes.differs(a.window(30 * MIB, 11 * MIB).runs),
    "in much that is the same": lambda changes, a, _: changes.differs(a.window(60 * MIB, 30 * MIB).runs),
    "in one hole": lambda changes, _a, _b: changes.differs((Run(0, SIZE, None),)),
    "claimed": lambda changes, a, _: changes.claim(a.window(16 * MIB, 25 * MIB).runs),
    "left": lambda changes, a, _: changes.left(a.runs),
    "the same": lambda changes, a, b: (same := changes.same(a, b)) and (same(0, 78), same(100 * MIB, MIB)),
    "recent": lambda changes, _a, _b: changes.recent(3),
}


def test_what_is_asked_first_does_not_matter(images: tuple[Path, Path]) -> None:
    with opened(*images) as (one, other):
        expected = {}
        total = sum(by_cmp(*images)[1])
        for name, ask in QUESTIONS.items():
            with closing(Changes(one, other)) as changes:
                assert changes.total == total
                expected[name] = ask(changes, one, other)
        for name, ask in QUESTIONS.items():
            with closing(Changes(one, other)) as changes:
                assert ask(changes, one, other) == expected[name]
                assert changes.first == CHANGES[0][0]
        assert expected["at the beginning"] and expected["at the end"]
        assert not expected["in what is the same"] and not expected["beside what differs"]
        assert expected["the same"] == (False, True)
    assert_no_child_is_left()


@pytest.mark.parametrize("ask", ["total", "claimed", "left", "the same"])
def test_claims_for_afterwards_come_before_whatever_needs_the_whole_pass(images: tuple[Path, Path], ask: str) -> None:
    with opened(*images) as (one, other), closing(Changes(one, other)) as changes:
        claimed: list[int] = []
        for offset, length in ((16 * MIB, 25 * MIB), (0, 17 * MIB)):
            changes.afterwards(partial(_claim_into, claimed, changes, one.window(offset, length)))
        assert claimed == []
        asked = QUESTIONS[ask](changes, one, other)
        places = unequal_places(*images)
        ours = [place for place in places if place < 41 * MIB]
        assert claimed == [sum(place >= 16 * MIB for place in ours), sum(place < 16 * MIB for place in ours)]
        assert ask != "claimed" or asked == 0
        changes.afterwards(partial(_claim_into, claimed, changes, one))
        assert claimed[2:] == [1]  # the last byte


def _claim_into(claimed: list[int], changes: Changes, data: Data) -> None:
    claimed.append(changes.claim(data.runs))


@given(st.integers(0, 5000).flatmap(lambda size: st.tuples(*2 * [st.binary(min_size=size, max_size=size)])))
def test_differing_bytes_are_counted_one_by_one(pair: tuple[bytes, bytes]) -> None:
    assert count_differing(*pair) == sum(x != y for x, y in zip(*pair, strict=True))


@given(st.binary(max_size=300), st.integers(0, 255))
def test_each_bit_of_a_byte_counts_once(content: bytes, bits: int) -> None:
    changed = bytes(byte ^ bits for byte in content)
    assert count_differing(content, changed) == (len(content) if bits else 0)


def test_a_content_is_looked_at_again_and_again(images: tuple[Path, Path]) -> None:
    with opened(*images) as (one, other), closing(Changes(one, other)) as changes:
        for _ in range(20):
            assert not changes.differs(one.window(100 * MIB, 10 * MIB).runs)
            assert changes.differs(one.window(37 * MIB, 4 * MIB).runs)
