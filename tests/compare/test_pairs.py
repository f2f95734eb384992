"""Pairs, properties and orders, with entries as two archives of one tool would give them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.compare import pairs
from ci_toolkit.compare.difference import Field
from ci_toolkit.images.entry import Entry, Fact, Kind


def entry(path: str, **properties: object) -> Entry:
    return Entry(path=path, kind=Kind.FILE, **properties)  # type: ignore[arg-type]


def test_entries_of_one_name_are_paired_in_their_order() -> None:
    entries = [entry("a", uid=1), entry("b"), entry("a", uid=2)]
    assert pairs.keyed(entries) == {"a": entries[0], "b": entries[1], ("a", 1): entries[2]}


def test_partitions_are_paired_by_number_whatever_they_are_called() -> None:
    assert list(pairs.keyed([entry("1:esp", number=1), entry("3", number=3)])) == [1, 3]


def test_every_property_that_differs_is_told_once() -> None:
    before = entry(
        "a", mode=0o644, uid=0, gid=0, mtime_ns=1, target="x", device=(1, 3),
        times=(("atime", 1), ("same", 5)), xattrs=(("user.a", b"1"), ("user.same", b"s")),
    )  # fmt: skip
    after = entry(
        "a", mode=0o600, uid=1, gid=2, mtime_ns=2, target="y", device=(1, 5),
        times=(("atime", 2), ("same", 5)), xattrs=(("user.b", b"2"), ("user.same", b"s")),
    )  # fmt: skip
    assert list(pairs.properties(before, after)) == [
        (Field.MODE, None, 0o644, 0o600),
        (Field.UID, None, 0, 1),
        (Field.GID, None, 0, 2),
        (Field.MTIME, None, 1, 2),
        (Field.TARGET, None, "x", "y"),
        (Field.DEVICE, None, (1, 3), (1, 5)),
        (Field.MTIME, "atime", 1, 2),
        (Field.XATTR, "user.a", b"1", None),
        (Field.XATTR, "user.b", None, b"2"),
    ]
    assert list(pairs.properties(before, before)) == []


def test_the_same_attributes_in_another_order_differ_in_that_alone() -> None:
    there, back = (("user.a", b"1"), ("user.b", b"2")), (("user.b", b"2"), ("user.a", b"1"))
    found = list(pairs.properties(entry("a", xattrs=there), entry("a", xattrs=back)))
    assert found == [(Field.XATTR, pairs.XATTR_ORDER, ("user.a", "user.b"), ("user.b", "user.a"))]


def test_the_times_of_inodes_are_one_property() -> None:
    before = (("accessed", 1), ("changed", 2), ("created", 3))
    after = (("accessed", 1), ("changed", 5), ("created", 6))
    found = list(pairs.properties(entry("a", times=before), entry("a", times=after)))
    assert found == [(Field.MTIME, "changed, created", (2, 3), (5, 6))]
    only = list(pairs.properties(entry("a", times=before[:1]), entry("a", times=(("accessed", 9),))))
    assert only == [(Field.MTIME, "accessed", 1, 9)]


def test_a_fact_that_one_side_lacks_is_none_there() -> None:
    def fact(name: str, value: int) -> Fact:
        return Fact(name=name, value=value, places=((value, 1),))

    found = list(pairs.facts((fact("one", 1), fact("both", 2)), (fact("both", 3), fact("other", 4))))
    assert [(a.name, a.value, b.name, b.value) for a, b in found] == [
        ("one", 1, "one", None),
        ("both", 2, "both", 3),
        ("other", None, "other", 4),
    ]
    assert list(pairs.facts((), ())) == []


def test_only_what_both_sides_have_has_an_order() -> None:
    def named(names: str) -> dict[pairs.Key, Entry]:
        return pairs.keyed(entry(name) for name in names)

    assert pairs.order(named("axbyc"), named("abzc")) is None
    assert pairs.order(named("axbc"), named("acyb")) == (("b", "c"), ("c", "b"))
    shown = pairs.order(named("abcdefghijkl"), named("lkjihgfedcba"))
    assert shown == (tuple("abcdefgh"), tuple("lkjihgfe"))


names = st.lists(st.sampled_from("abcd"), max_size=8)


@settings(deadline=None)
@given(names, names)
def test_an_order_is_told_exactly_where_the_shared_names_come_otherwise(one: list[str], other: list[str]) -> None:
    before, after = (pairs.keyed(entry(name) for name in side) for side in (one, other))
    assert len(before) == len(one)
    shared = [[key for key in side if key in before and key in after] for side in (before, after)]
    told = pairs.order(before, after)
    assert (told is None) == (shared[0] == shared[1])
    if told is not None:
        assert told[0][0] != told[1][0]
