import pytest

from ci_toolkit.errors import ExitCode, UnreadableError
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits, LongNameError


def test_entries_and_their_names_are_counted_together() -> None:
    budget = Budget(Limits(members=3))
    for path in ("a", "bb", "ccc"):
        budget.member(path, 1)
    with pytest.raises(BeyondLimitError, match="more than 3 entries in all"):
        budget.member("d")


def test_names_and_attributes_share_one_limit() -> None:
    budget = Budget(Limits(metadata=1000))
    budget.member("12345", 200)
    budget.attribute(200)
    with pytest.raises(BeyondLimitError, match="names and attributes of more than 1000 bytes in all"):
        budget.member("x")


def test_names_count_at_their_size_in_memory() -> None:
    """Python keeps all of a name in as many bytes as its widest character takes."""
    budget = Budget(Limits(metadata=3000))
    budget.member("x" * 1000)
    with pytest.raises(BeyondLimitError, match="in all"):
        budget.member("x" * 999 + "\N{FIRE}")


def test_a_name_as_long_as_allowed_is_allowed() -> None:
    budget = Budget(Limits(path=10))
    budget.member("x" * 10)
    with pytest.raises(LongNameError, match="a name of 11 characters"):
        budget.member("x" * 11)


@pytest.mark.parametrize("what", ["decompress", "read"])
def test_bytes_are_counted_over_all_calls(what: str) -> None:
    spend = getattr(Budget(Limits(decompressed=100, read=100)), what)
    spend(60)
    spend(40)
    with pytest.raises(BeyondLimitError, match="more than 100 bytes in all"):
        spend(1)


def test_what_was_decompressed_may_be_read_several_times() -> None:
    budget = Budget(Limits(read=0))
    budget.decompress(100)
    budget.read(800)
    with pytest.raises(BeyondLimitError, match="contents come to more than 800 bytes in all"):
        budget.read(1)


def test_small_images_may_ask_for_less() -> None:
    limits = Limits()
    small, large = limits.scaled(10_000), limits.scaled(64 << 30)
    assert large == limits
    assert small.read < limits.read and small.decompressed < limits.decompressed and small.streams < limits.streams
    assert small.members < limits.members
    assert small.differences < limits.differences and small.times < limits.times
    few = Limits(members=4, read=5, decompressed=6, streams=7, differences=8, times=9)
    assert few.scaled(10_000) == few


def test_all_files_of_two_images_may_differ() -> None:
    """A file takes a block where it is not compressed; with few of them, each may differ in several ways."""
    files = 20_000
    limits = Limits().scaled(2 * files * 4096)
    assert limits.differences == Limits().differences and limits.times == Limits().times
    assert Limits().scaled(2 * 500 * 4096).differences > 10_000


def test_two_images_of_very_many_files_are_read_whole() -> None:
    """A file takes a block and an inode where it is not compressed, and a third of that where it is."""
    files = 300_000
    limits = Limits().scaled(2 * files * 4352 // 3)
    budget = Budget(limits)
    for number in range(2 * files):
        budget.member(f"usr/lib/python3/dist-packages/package/module/{number}/__init__.py")


def test_streams_are_counted() -> None:
    budget = Budget(Limits(streams=2))
    budget.stream()
    budget.stream()
    with pytest.raises(BeyondLimitError, match="more than 2 parts in all"):
        budget.stream()


def test_what_is_kept_is_the_head_of_each_content_while_there_is_room() -> None:
    budget = Budget(Limits(head=10, kept=25))
    assert [budget.keep(size) for size in (100, 7, 9, 8, 100, 1)] == [10, 7, 0, 8, 0, 0]


def test_beyond_a_limit_an_input_counts_as_unreadable() -> None:
    assert issubclass(BeyondLimitError, UnreadableError)
    assert BeyondLimitError("x").exit_code is ExitCode.UNREADABLE
