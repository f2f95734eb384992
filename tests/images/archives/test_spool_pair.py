"""Bytes written beside others, against the bytes that were written."""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate

from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.images.archives import spool_pair
from ci_toolkit.images.archives.spool import Spool, spooled
from ci_toolkit.images.archives.spool_pair import Beside
from ci_toolkit.images.data import Data, whole
from ci_toolkit.images.limits import Budget, Limits

pieces = st.lists(st.sampled_from([b"", b"a", b"b", bytes(4), b"aaaa", b"aaab", bytes(100), b"x" * 100]), max_size=8)
spans = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=8)


def written(one: list[bytes], other: list[bytes]) -> tuple[Data, Data]:
    first, budget = Spool(), Budget(Limits())
    with ThreadPoolExecutor(2) as pool:
        beside = pool.submit(spooled, other, budget, Beside(first))
        return pool.submit(spooled, one, budget, first).result(), beside.result()


@settings(deadline=None)
@given(pieces, pieces, spans)
def test_what_was_written_is_read(one: list[bytes], other: list[bytes], spans: list[tuple[int, int]]) -> None:
    contents = b"".join(one), b"".join(other)
    a, b = written(one, other)
    assert (a.read_at(0, a.size), b.read_at(0, b.size)) == contents
    same = spool_pair.same(a, b) or (lambda _offset, _length: False)
    for offset, length in spans:
        assert b.read_at(offset, length) == contents[1][offset : offset + length]
        if same(offset, length) and length:
            assert contents[0][offset : offset + length] == contents[1][offset : offset + length]
            assert offset + length <= min(len(contents[0]), len(contents[1]))


def test_pieces_that_both_have_are_the_same_and_take_no_place() -> None:
    noise = [os.urandom(1 << 20) for _ in range(4)]
    a, b = written(noise, [*noise[:2], b"x" * (1 << 20), noise[3]])
    same = spool_pair.same(a, b)
    assert same is not None
    starts = list(accumulate(map(len, noise), initial=0))
    assert [same(start, 1 << 20) for start in starts[:-1]] == [True, True, False, True]
    assert same(0, 2 << 20)
    assert not same((2 << 20) - 1, 2)
    assert isinstance(b.root, Beside)
    assert os.fstat(b.root.fd).st_blocks * 512 < 2 << 20


def test_only_what_was_written_beside_each_other_is_the_same() -> None:
    a, b = written([b"content"], [b"content"])
    c, _ = written([b"content"], [b"content"])
    assert spool_pair.same(a, b) is not None
    assert spool_pair.same(c, b) is None
    assert spool_pair.same(b, a) is None
    assert spool_pair.same(a.window(1, 3), b.window(2, 3)) is None
    shifted = spool_pair.same(a.window(1, 6), b.window(1, 6))
    assert shifted is not None
    assert shifted(0, 6)
    assert not shifted(0, 7)
    assert spool_pair.same(whole(Spool()), whole(Spool())) is None


def test_who_writes_less_does_not_keep_the_other_waiting() -> None:
    a, b = written([b"a"], [b"a", b"bc", b"d"])
    assert (a.read_at(0, 9), b.read_at(0, 9)) == (b"a", b"abcd")
