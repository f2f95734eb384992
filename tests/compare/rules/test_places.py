"""Names as seen from the image's root."""

from fnmatch import fnmatchcase

import pytest
from bench import changed, differs
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.rules import places

UKI = ("1:esp", "EFI/Linux/linux.efi")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ((), ""),
        (("etc/passwd",), "etc/passwd"),
        (("./etc/passwd",), "etc/passwd"),
        (("/etc/passwd",), "etc/passwd"),
        (("2:root", "etc/passwd"), "etc/passwd"),
        (("3:var", "log/dpkg.log"), "var/log/dpkg.log"),
        (("3:VAR", "log/dpkg.log"), "var/log/dpkg.log"),
        (("3:usr-x86-64", "lib/os-release"), "usr/lib/os-release"),
        (("3:var-tmp", "file"), "var/tmp/file"),
        (("3:usr", "usr/lib/os-release"), "usr/lib/os-release"),
        (("3", "log/dpkg.log"), "log/dpkg.log"),
        (("3:varnish", "log/x"), "log/x"),
        ((*UKI, ".initrd", "etc/passwd"), "etc/passwd"),
        (("..hidden",), "..hidden"),
    ],
)
def test_a_name_begins_at_the_root_of_its_image(path: tuple[str, ...], name: str) -> None:
    assert places.name(path) == name


def test_an_initrd_is_one_only_inside_another_image() -> None:
    assert places.in_initrd((*UKI, ".initrd", "etc/passwd"))
    assert places.in_initrd(("1:esp", "arch/initramfs-linux.img", "etc/passwd"))
    assert places.in_initrd(("1:esp", "initrd.img", "etc/passwd"))
    assert not places.in_initrd(("initrd.img",))
    assert not places.in_initrd(("1:esp", "loader/initrd.conf.d"))
    assert not places.in_initrd(("1:esp", "my-initrd", "etc/passwd"))


def test_a_star_goes_across_slashes_and_nothing_matches_in_part() -> None:
    assert places.matches(("2:root", "var/log/apt/term.log"), "var/log/*")
    assert places.matches(("3:var", "log/apt/term.log"), "etc/*", "var/log/*.log")
    assert not places.matches(("2:root", "usr/var/log/x"), "var/log/*")
    assert not places.matches(("2:root", "etc/Passwd"), "etc/passwd")
    assert not places.matches(("2:root", "var/log/x"))


@given(st.lists(st.text("ab/*?[]!-", max_size=5), max_size=4), st.text("ab/\n", max_size=5))
def test_a_name_matches_what_fnmatch_says(globs: list[str], name: str) -> None:
    path = ("1:root", name)
    assert places.matches(path, *globs) == any(fnmatchcase(places.name(path), glob) for glob in globs)


def test_a_content_lies_inside_all_that_is_round_it() -> None:
    found = places.containers(changed((*UKI, ".initrd", "etc/passwd"), b"a", b"b", container="cpio"))
    assert found == ((), UKI[:1], UKI, (*UKI, ".initrd"))


def test_a_fact_of_a_container_lies_inside_it_and_a_members_fact_beside_the_member() -> None:
    label = differs(("2:root",), Field.HEADER, "a", "b", name="label")
    assert places.containers(label) == ((), ("2:root",))
    partition = differs(("2:root",), Field.HEADER, "a", "b", name="label", container="gpt")
    assert places.containers(partition) == ((),)
    disk = differs((), Field.HEADER, "a", "b", name="label", container="gpt")
    assert places.containers(disk) == ((),)


def test_a_table_or_a_section_is_a_part_of_its_file_and_a_file_system_is_not() -> None:
    database = ("2:root", "var/lib/x.db")
    assert places.file(changed((*database, "table"), b"a", b"b", container="sqlite")) == database
    assert places.file(changed((*UKI, ".cmdline"), b"a", b"b", container="pe")) == UKI
    assert places.file(changed(database, b"a", b"b", container="ext4")) == database
    assert places.file(changed((*UKI, ".initrd", "etc/x"), b"a", b"b", container="cpio"))[-1] == "etc/x"
    fact = differs(database, Field.HEADER, 1, 2, name="change_counter", container="sqlite")
    assert places.file(fact) == database


def test_what_is_inside_of_a_named_place_is_within_it() -> None:
    within = places.within(("etc/shadow", "var/log/*"))
    there = (("etc/shadow",), ("1:root", "./etc/shadow"), ("2:var", "log/a"), ("1:root", "var/log/a.gz", "inner"))
    elsewhere = ((), ("shadow",), ("1:root", "usr/etc/shadow"), ("2:home", "log/a"), ("etc/shadow-",))
    assert [within(path) for path in (*there, *elsewhere)] == [True] * len(there) + [False] * len(elsewhere)
    assert not places.within(())(("etc/shadow",))
