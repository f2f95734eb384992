"""What is kept of a content, against sha256sum."""

from pathlib import Path

from bench import run

from ci_toolkit.compare.contents import digest, keep
from ci_toolkit.images.data import stored
from ci_toolkit.images.limits import Budget, Limits


def sha256sum(content: bytes) -> str:
    return run("sha256sum", stdin=content).decode().split()[0]


def test_digests_are_those_of_sha256sum_in_pieces_and_over_holes(tmp_path: Path) -> None:
    large = b"0123456789abcdef" * (9 << 16)
    for content in (b"", b"x", large, large + b"end"):
        assert digest(stored(content)) == sha256sum(content)
    holed = stored(b"xy").scattered([(5, 1, 0), (1000, 1, 1)], 2000)
    assert digest(holed) == sha256sum(bytes(5) + b"x" + bytes(994) + b"y" + bytes(999))


def test_a_small_content_is_kept_whole_and_a_large_one_by_its_head() -> None:
    budget = Budget(Limits(head=10))
    small, large = keep(stored(b"0123456789"), budget), keep(stored(b"0123456789a"), budget)
    assert small.whole == b"0123456789"
    assert (large.whole, large.head, large.size) == (None, b"0123456789", 11)
    assert large.sha256 == sha256sum(b"0123456789a")


def test_no_more_is_kept_in_all_than_the_budget_allows() -> None:
    budget = Budget(Limits(head=10, kept=15))
    heads = [keep(stored(content), budget).head for content in (b"0123456789", b"0123456789", b"01234", b"0")]
    assert heads == [b"0123456789", b"", b"01234", b""]


def test_what_goes_beyond_the_budget_has_no_digest() -> None:
    budget = Budget(Limits(read=10))
    assert keep(stored(b"0123456789"), budget).sha256 == sha256sum(b"0123456789")
    told = keep(stored(b"a"), budget)
    assert (told.sha256, told.head, told.size) == ("", b"a", 1)
