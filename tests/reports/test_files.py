"""Which files came, went, grew and shrank."""

from ci_toolkit.images.entry import Kind
from ci_toolkit.images.listing import Listed
from ci_toolkit.reports import files, glance, table
from ci_toolkit.reports.change import Change
from ci_toolkit.reports.files import Files, Row


def listed(sizes: dict[str, int]) -> tuple[Listed, ...]:
    return tuple(Listed(path, Kind.FILE, size) for path, size in sizes.items())


def against(before: dict[str, int], after: dict[str, int]) -> Files:
    return files.between(listed(before), listed(after))


def shown(found: Files) -> list[str]:
    change = Change(commit=None, before=1, after=1, same_bits=False, packages=None, files=found)
    return [line for line in table.changed_files(change).splitlines() if line.startswith(("| `", "and "))]


def test_files_come_go_grow_and_shrink_with_the_most_bytes_first() -> None:
    found = against(
        {"usr/a": 10, "usr/gone": 500, "usr/grows": 100, "usr/shrinks": 9_000, "usr/same": 7},
        {"usr/a": 10, "usr/came": 70, "usr/grows": 3_100, "usr/shrinks": 1_000, "usr/same": 7},
    )
    assert found.rows == (
        Row(path="usr/shrinks", before=9_000, after=1_000),
        Row(path="usr/grows", before=100, after=3_100),
        Row(path="usr/gone", before=500, after=None),
        Row(path="usr/came", before=None, after=70),
    )
    assert (found.added, found.removed, found.grown, found.shrunk, found.all_rows) == (1, 1, 1, 1, 4)
    assert glance.changed(found) == "1 added, 1 removed, 1 larger, 1 smaller"
    assert shown(found) == [
        "| `usr/shrinks` | 9.0 kB | 1.0 kB | −8.0 kB |",
        "| `usr/grows` | 100 bytes | 3.1 kB | +3.0 kB |",
        "| `usr/gone` | 500 bytes | – | −500 bytes |",
        "| `usr/came` | – | 70 bytes | +70 bytes |",
    ]


def test_a_directory_that_is_new_is_one_row_and_so_is_one_that_went() -> None:
    found = against(
        {"boot/a": 1, "lib/modules/1/a.ko": 10, "lib/modules/1/sub/b.ko": 30, "lib/x": 1},
        {"boot/a": 1, "lib/modules/2/a.ko": 11, "lib/modules/2/sub/b.ko": 33, "lib/x": 1, "lib/one/alone": 5},
    )
    # lib/modules itself is in both lists, and a directory with one file is told by that file.
    assert found.rows == (
        Row(path="lib/modules/2/", before=None, after=44, count=2),
        Row(path="lib/modules/1/", before=40, after=None, count=2),
        Row(path="lib/one/alone", before=None, after=5),
    )
    assert (found.added, found.removed, found.all_rows) == (3, 2, 3)
    assert shown(found)[0] == "| `lib/modules/2/` (2 files) | – | 44 bytes | +44 bytes |"


def test_a_partition_with_a_version_in_its_label_is_the_same_partition() -> None:
    found = against({"1:esp/a": 1, "2:root_1.0/etc/a": 1}, {"1:esp/a": 1, "2:root_1.1/etc/a": 3, "2:root_1.1/srv/b": 2})
    assert found.rows == (
        Row(path="2:root_1.1/etc/a", before=1, after=3),
        Row(path="2:root_1.1/srv/b", before=None, after=2),
    )


def test_the_rows_of_a_new_partition_carry_its_label() -> None:
    found = against({"1:esp/a": 1}, {"1:esp/a": 1, "2:root/a": 1, "2:root/b": 2})
    assert found.rows == (Row(path="2:root/", before=None, after=3, count=2),)


def test_files_of_the_same_size_are_no_change() -> None:
    assert not against({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert shown(against({"a": 1}, {"a": 1})) == []


def test_of_very_many_the_rows_are_cut_and_the_counts_are_not() -> None:
    found = against({"keep/k": 1}, {"keep/k": 1, **{f"keep/{number:05}": number for number in range(5_000)}})
    assert (len(found.rows), found.all_rows, found.added) == (files.LIMIT_ROWS, 5_000, 5_000)
    assert found.rows[0].path == "keep/04999"
    assert shown(found)[-1] == "and 4,960 smaller changes"


def test_the_order_does_not_depend_on_that_of_the_lists() -> None:
    names = {f"d/{number}": 5 for number in range(50)}
    one = files.between(listed({"d/x": 1}), listed({"d/x": 1, **names}))
    other = files.between(listed({"d/x": 1}), tuple(reversed(listed({"d/x": 1, **names}))))
    assert one == other
