"""Differences together: grouping, order, consequences, and bytes that are explained."""

from dataclasses import replace

from bench import changed, differs
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.explain import explain, explained_bytes
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import PATHS_SHOWN

ESP = "1:esp"
UKI = "EFI/Linux/linux.efi"


def uki() -> tuple[Difference, ...]:
    """An ESP whose UKI holds an initrd in which one mode and one unknown file differ."""
    return (
        changed((ESP, UKI), b"MZone", b"MZtwo", container="vfat", opened=True),
        changed((ESP, UKI, ".initrd"), b"one", b"two", container="pe", opened=True),
        differs((ESP, UKI, ".initrd", "usr/lib/os-release"), Field.MODE, 0o644, 0o600, container="cpio"),
        changed((ESP, UKI, ".initrd", "usr/bin/thing"), b"one", b"two", container="cpio"),
    )


def test_nothing_has_no_findings() -> None:
    assert explain((), Facts()) == ()
    assert explained_bytes(()) == 0


def test_properties_of_one_entry_go_to_their_own_causes() -> None:
    differences = (
        differs("etc/thing", Field.MODE, 0o644, 0o600),
        differs("etc/thing", Field.MTIME, 1, 2),
        differs("etc/thing", Field.UID, 0, 42),
    )
    assert {found.cause for found in explain(differences, Facts())} == {"umask", "mtime", "ownership"}


def test_a_container_follows_from_the_causes_below_it_through_all_layers() -> None:
    told = explain(uki(), Facts())
    container = next(found for found in told if found.cause == "container")
    assert container.consequence_of == ("umask", "unknown")
    assert container.count == 2


def test_consequences_come_after_their_causes_and_the_unknown_after_the_known() -> None:
    causes = [found.cause for found in explain(uki(), Facts())]
    assert causes == ["umask", "unknown", "container"]


def test_inputs_come_before_what_they_can_bring_about() -> None:
    differences = (
        changed("var/log/thing", b"one", b"two"),
        differs("etc/thing", Field.MTIME, 1, 2),
        differs(("2:root",), Field.HEADER, "a" * 8, "b" * 8, name="uuid"),
        changed("var/lib/dpkg/status", b"Package: a\nVersion: 1\n", b"Package: a\nVersion: 2\n"),
    )
    causes = [found.cause for found in explain(differences, Facts())]
    assert causes == ["package-set", "filesystem-uuid", "mtime", "log-file"]


def test_the_unknown_says_where_it_begins() -> None:
    (told,) = explain((changed("usr/bin/thing", b"same one", b"same two"),), Facts())
    assert told.cause == "unknown"
    assert "usr/bin/thing (byte 5)" in told.explanation
    assert told.paths == ("usr/bin/thing",)
    many = explain([changed(f"usr/bin/{number}", b"one", b"two") for number in range(9)], Facts())
    assert "and 4 more" in many[0].explanation


def test_bytes_are_explained_by_named_causes_only() -> None:
    known = changed("var/log/thing", b"one", b"two")
    unknown = changed("usr/bin/thing", b"seven", b"eight")
    outer = changed("x.tar", b"three", b"four", container="directory", opened=True)
    inner = changed(("x.tar", "usr/bin/thing"), b"a", b"b", container="tar")
    findings = explain((known, unknown, outer, inner), Facts())
    assert explained_bytes(findings) == known.bytes
    assert sum(found.bytes for found in findings) == sum(d.bytes for d in (known, unknown, outer, inner))


def test_a_fix_names_each_file_once_and_the_initrd_apart() -> None:
    differences = (
        changed("var/log/b.log", b"one", b"two"),
        changed("var/log/a.log", b"one", b"two"),
        changed((ESP, UKI, ".initrd", "var/log/a.log"), b"one", b"two", container="cpio"),
        changed((ESP, UKI, ".initrd", "var/log/./a.log"), b"one", b"two", container="cpio"),
    )
    told = next(found for found in explain(differences[:3], Facts()) if found.cause == "log-file")
    assert told.fix.splitlines() == [
        "[Content]",
        "RemoveFiles=/var/log/b.log",
        "RemoveFiles=/var/log/a.log",
        "# in mkosi.initrd.conf: the image's own RemoveFiles= does not reach the default initrd",
        "[Content]",
        "RemoveFiles=/var/log/a.log",
    ]


def test_too_many_files_get_the_general_fix() -> None:
    (told,) = explain([changed(f"var/log/{number}", b"one", b"two") for number in range(50)], Facts())
    assert "RemoveFiles=/var/log/*" in told.fix.splitlines()
    assert told.count == 50


def test_no_more_paths_are_kept_than_a_reader_can_take() -> None:
    many = PATHS_SHOWN + 5
    (told,) = explain([changed(f"var/log/{number}", b"one", b"two") for number in range(many)], Facts())
    assert (len(told.paths), told.count) == (PATHS_SHOWN, many)
    assert list(told.paths) == sorted(told.paths)


steps = st.sampled_from(("1:esp", "2:root", UKI, ".initrd", "etc/shadow", "var/log/a", "etc/machine-id", "\x1b[31m"))
fields = st.sampled_from(tuple(Field))
values = st.none() | st.integers() | st.text(max_size=5) | st.binary(max_size=8)
anything = st.builds(
    Difference,
    path=st.lists(steps, max_size=4).map(tuple),
    field=fields,
    name=st.none() | st.sampled_from(("uuid", "inode table", "partition_guid", "gpt header", "first_lba")),
    container=st.sampled_from(("gpt", "ext4", "vfat", "cpio", "pe", "tar")),
    before=values,
    after=values,
    opened=st.booleans(),
    bytes=st.integers(0, 1000),
)


@given(st.lists(anything, max_size=12))
def test_whatever_differs_is_in_exactly_one_finding(differences: list[Difference]) -> None:
    findings = explain(differences, Facts())
    assert sum(found.bytes for found in findings) == sum(difference.bytes for difference in differences)
    shown = {path for found in findings for path in found.paths}
    assert len(shown) == len({difference.path for difference in differences})
    named = {found.cause for found in findings if not found.consequence_of}
    assert all(set(found.consequence_of) <= named for found in findings)
    assert explained_bytes(findings) <= sum(found.bytes for found in findings)


def test_a_finding_knows_its_differences_and_where_they_lie() -> None:
    spans = [((4096, 10),), ((0, 5), (4090, 10)), ()]
    found = [
        replace(differs(name, Field.MODE, 0o644, 0o600), spans=where)
        for name, where in zip(("a", "b", "c"), spans, strict=True)
    ]
    other = differs("d", Field.TARGET, "x", "y")
    findings = explain((found[0], other, *found[1:]), Facts())
    assert sorted((one.members, one.spans) for one in findings) == [
        ((0, 2, 3), ((0, 5), (4090, 16))),
        ((1,), ()),
    ]
