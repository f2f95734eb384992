"""Rules for a file at a place."""

from bench import NO_FACTS, changed, differs

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.rules.droppings import dropping
from ci_toolkit.compare.rules.remedy import advice, render

PLAIN = dropping(identifier="x", title="X", explanation="Why.", globs=("var/x/*", "var/y"), source="")
ELF = dropping(
    identifier="elf", title="ELF", explanation="Why.", globs=("var/x/*",), source="", magics=(b"\x7fELF", b"MZ"),
    removes=("/var/x",), extra=(advice("Ask."),),
)  # fmt: skip


def remedy(difference: Difference, *, of_elf: bool = False) -> str:
    rule = ELF if of_elf else PLAIN
    assert rule.remedies is not None
    return render(rule.remedies(difference, NO_FACTS))


def test_a_file_is_recognised_by_its_place() -> None:
    assert PLAIN.recognise(changed("var/x/a/b", b"1", b"2"), NO_FACTS)
    assert PLAIN.recognise(changed(("3:var", "y"), b"1", b"2"), NO_FACTS)
    assert not PLAIN.recognise(changed("var/y/a", b"1", b"2"), NO_FACTS)


def test_a_content_must_begin_with_one_of_the_magics_on_both_sides() -> None:
    assert ELF.recognise(changed("var/x/a", b"MZ1", b"MZ2"), NO_FACTS)
    assert not ELF.recognise(changed("var/x/a", b"MZ1", b"\x7fELF2"), NO_FACTS)
    assert not ELF.recognise(changed("var/x/a", b"MZ1", b"2"), NO_FACTS)


def test_a_file_of_one_image_alone_is_recognised_and_nothing_else_is() -> None:
    for sides in ((None, "file"), ("file", None)):
        assert ELF.recognise(differs("var/x/a", Field.PRESENCE, *sides), NO_FACTS)
    for kind in ("directory", "symlink"):
        assert not ELF.recognise(differs("var/x/a", Field.PRESENCE, None, kind), NO_FACTS)


def test_what_is_removed_is_the_file_or_what_says_it_better() -> None:
    assert remedy(changed("var/x/a", b"1", b"2")) == "[Content]\nRemoveFiles=/var/x/a"
    assert remedy(changed("var/x/a", b"MZ1", b"MZ2"), of_elf=True) == "[Content]\nRemoveFiles=/var/x\n# Ask."


def test_what_is_removed_is_the_file_also_where_a_part_of_it_differs() -> None:
    part = changed(("2:root", "var/x/a", "libraries"), b"1", b"2", container="aux-cache")
    assert PLAIN.recognise(part, NO_FACTS)
    assert remedy(part) == "[Content]\nRemoveFiles=/var/x/a"


def test_the_general_fix_names_every_place() -> None:
    assert PLAIN.cause.fix == "[Content]\nRemoveFiles=/var/x/*\nRemoveFiles=/var/y"
    assert ELF.cause.fix == "[Content]\nRemoveFiles=/var/x\n# Ask."
