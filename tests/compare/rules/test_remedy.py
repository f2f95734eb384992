"""Fixes as text to copy."""

import configparser

from bench import changed
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.compare.rules.remedy import Remedy, Where, advice, remove, render, script, setting


def test_lines_come_once_under_their_file_and_section() -> None:
    initrd = Remedy(where=Where.INITRD, section="Content", line="RemoveFiles=/a")
    shell = Remedy(where=Where.SHELL, line="umask 022")
    remedies = (
        advice("Ask."), script("rm x"), shell, initrd, setting("Content", "RemoveFiles=/b"),
        setting("Content", "RemoveFiles=/a"), setting("Content", "RemoveFiles=/a"), setting("Output", "Seed=1"),
    )  # fmt: skip
    lines = render(remedies).splitlines()
    assert lines[:5] == ["[Content]", "RemoveFiles=/b", "RemoveFiles=/a", "[Output]", "Seed=1"]
    assert [line for line in lines if line.startswith("# in ")] == [
        "# in mkosi.initrd.conf: the image's own RemoveFiles= does not reach the default initrd",
        "# in mkosi.finalize",
        "# in the shell that starts mkosi",
    ]
    assert lines[-1] == "# Ask."


def test_advice_alone_is_a_sentence_and_nothing_is_nothing() -> None:
    assert render([advice("Ask."), advice("Look.")]) == "Ask.\nLook."
    assert render([]) == ""


def test_the_first_value_of_a_setting_stands_and_variables_stand_apart() -> None:
    told = render(
        [
            setting("Output", "Seed=1"),
            setting("Output", "Seed=2"),
            setting("Build", "Environment=A=1"),
            setting("Build", "Environment=B=1"),
            setting("Build", "Environment=A=2"),
        ]
    )
    assert sorted(told.splitlines()) == ["Environment=A=1", "Environment=B=1", "Seed=1", "[Build]", "[Output]"]


@settings(deadline=None)
@given(st.lists(st.text(), max_size=4))
def test_no_name_from_an_image_adds_a_line_a_word_or_a_setting(names: list[str]) -> None:
    remedies = [remedy for name in names for remedy in remove(changed(name, b"a", b"b"))]
    text = render(remedies)
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    assert parser.sections() == (["Content"] if names else [])
    assert all(list(parser[section]) == ["RemoveFiles"] for section in parser.sections())
    assert all(line == "[Content]" or len(line.split()) == 1 for line in text.splitlines())
    assert "," not in text


def test_globs_stand_for_the_file_and_an_initrd_is_mended_where_it_is_made() -> None:
    path = ("1:esp", "EFI/Linux/linux.efi", ".initrd", "var/log/x")
    assert render(remove(changed(("3:var", "log/x"), b"a", b"b"), "/var/log/*")) == "[Content]\nRemoveFiles=/var/log/*"
    (remedy,) = remove(changed(path, b"a", b"b", container="cpio"))
    assert (remedy.where, remedy.line) == (Where.INITRD, "RemoveFiles=/var/log/x")
