"""What is remembered of a comparison, and how much of it."""

from dataclasses import replace
from pathlib import Path

from bench import differs

from ci_toolkit.compare.bytes import Changes
from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.ledger import Ledger
from ci_toolkit.images.data import ClosedFile, Data, stored, whole
from ci_toolkit.images.entry import Container

LEAF = stored(b"one"), stored(b"two")


def difference(name: str) -> Difference:
    return differs(name, Field.MODE, 1, 2)


def disk(data: Data) -> tuple[Container, Data]:
    return Container(format="ext4", entries=(), transparent=True), data


def test_no_more_is_listed_than_the_limit_and_that_there_was_more_is_known() -> None:
    ledger = Ledger(2, 2)
    for name in "ab":
        ledger.add(difference(name))
        ledger.skip((name,), "damaged")
    before = ledger.truncated, ledger.is_cut()
    ledger.add(difference("c"))
    assert (before, ledger.truncated, ledger.is_cut()) == ((False, False), True, True)
    assert [one.path for one in ledger.found] == [("a",), ("b",)]
    ledger.skip(("c",), "damaged")
    assert [one.path for one in ledger.skipped] == [("a",), ("b",)]


def test_times_do_not_crowd_out_what_else_differs() -> None:
    ledger = Ledger(3, 3)
    for name in "abcde":
        for time in (None, "ctime", "atime"):
            ledger.add(replace(differs(name, Field.MTIME, 1, 2), name=time))
    assert ledger.truncated and not ledger.is_cut()
    ledger.add(difference("z"))
    assert [(one.path, one.field) for one in ledger.found] == [(("a",), Field.MTIME)] * 3 + [(("z",), Field.MODE)]


def test_names_and_values_of_gigabytes_are_not_listed() -> None:
    """A control character takes six in JSON."""
    long = "\1" * (1 << 20)
    for made in (
        difference(long),
        differs("a", Field.TARGET, long, "x"),
        differs("a", Field.XATTR, long.encode() * 3, None),
        replace(difference("a"), path=("a" * (6 << 20), "b")),
    ):
        ledger = Ledger(1000, 1000)
        for _ in range(20):
            ledger.add(made)
        assert len(ledger.found) == 6 and ledger.truncated and ledger.is_cut()
    ledger = Ledger(1000, 1000)
    for _ in range(20):
        ledger.skip(("a",), long)
    assert len(ledger.skipped) == 2 and ledger.truncated


def test_contents_are_kept_open_where_that_is_wanted_alone() -> None:
    for wanted in (False, True):
        ledger = Ledger(2, 2, keep_contents=wanted)
        ledger.add(difference("a"))
        ledger.add(difference("b"), LEAF)
        ledger.add(difference("c"), LEAF)
        assert ledger.contents == ({1: LEAF} if wanted else {})


def test_not_too_many_unpacked_streams_are_kept_for_it(tmp_path: Path) -> None:
    ledger = Ledger(1000, 1000, keep_contents=True)
    for number in range(500):
        ledger.add(difference(f"{number}"), (stored(b"a"), stored(b"b")))
    assert 50 < len(ledger.contents) <= 100
    last = max(ledger.contents)
    ledger.add(difference("of a stream that is open anyway"), ledger.contents[last])
    assert len(ledger.found) - 1 in ledger.contents
    (tmp_path / "file").write_bytes(b"x")
    file = whole(ClosedFile(str(tmp_path / "file"), 1))
    ledger = Ledger(1000, 1000, keep_contents=True)
    for number in range(500):
        ledger.add(difference(f"{number}"), (file, whole(ClosedFile(str(tmp_path / "file"), 1))))
    assert len(ledger.contents) == 500


def test_a_difference_has_the_places_claimed_since_the_one_before() -> None:
    a, b = stored(bytes(4096)), stored(b"\1" * 4096)
    changes = Changes(a, b)
    ledger = Ledger(10, 10)
    changes.claim(a.window(4000, 50).runs)
    ledger.add(difference("before anything was mapped"))
    ledger.map(disk(a), disk(b), changes)
    changes.claim(a.window(0, 10).runs)
    changes.claim(a.window(100, 10).runs)
    ledger.add(difference("x"))
    ledger.add(difference("y"))
    assert [one.spans for one in ledger.found] == [(), ((0, 10), (100, 10)), ()]


def test_the_outermost_disk_is_the_one_that_is_mapped() -> None:
    outer, inner = stored(bytes(4096)), stored(bytes(512))
    ledger = Ledger(10, 10)
    tar = Container(format="tar", entries=())
    ledger.map((tar, outer), (tar, outer), Changes(outer, outer))
    ledger.map(disk(outer), disk(outer), Changes(outer, outer))
    ledger.map(disk(inner), disk(inner), Changes(inner, inner))
    assert ledger.disks is not None
    assert [one.size for one in ledger.disks] == [4096, 4096]
