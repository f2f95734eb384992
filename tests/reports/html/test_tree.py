"""The tree of all differing paths."""

import re
from dataclasses import replace
from html import unescape

from bench import changed, differs
from html_page import Page
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.explain import explain
from ci_toolkit.compare.facts import Facts
from ci_toolkit.reports import outline
from ci_toolkit.reports.html import marks, tree


def render(*differences: Difference) -> str:
    found = outline.groups(explain(differences, Facts()))
    return tree.render(differences, marks.of_differences(found, differences), found)


def paths(text: str) -> list[str]:
    """Every line of the tree with the names above it."""
    found: list[str] = []
    above: list[str] = []
    body = text[text.index('<ul class="tree"') :].replace("<wbr>", "")
    for tag, name in re.findall(
        r"(<ul[^>]*>|</ul>)|<li[^>]*>(?:<details[^>]*><summary>)?(<code>.*?</code>|<i>.*?</i>)", body
    ):
        if tag.startswith("<ul"):
            above.append("")
        elif tag:
            above.pop()
        else:
            above[-1] = unescape(re.sub("<.*?>", "", name))
            found.append("|".join(above))
    return found


def test_nothing_has_no_tree() -> None:
    assert tree.render((), [], ()) == ""


def test_directories_are_opened_step_by_step_and_chains_of_them_are_one_step() -> None:
    text = render(
        differs(("2:root", "usr/lib/modules/6.1/modules.dep"), Field.MODE, 0o644, 0o600),
        differs(("2:root", "usr/lib/modules/6.1/modules.alias"), Field.MODE, 0o644, 0o600),
        differs(("2:root", "etc/passwd"), Field.MODE, 0o644, 0o600),
        differs(("1:esp", "a.efi", ".initrd", "etc/x"), Field.MODE, 0o644, 0o600),
        differs((), Field.HEADER, "a", "b", name="disk_guid", container="gpt"),
    )
    assert paths(text) == [
        "the image itself",
        "1:esp",
        "1:esp|a.efi",
        "1:esp|a.efi|.initrd",
        "1:esp|a.efi|.initrd|etc/x",
        "2:root",
        "2:root|etc/passwd",
        "2:root|usr/lib/modules/6.1",
        "2:root|usr/lib/modules/6.1|modules.alias",
        "2:root|usr/lib/modules/6.1|modules.dep",
    ]


def test_a_line_has_each_of_its_differences_with_the_number_of_the_cause() -> None:
    text = render(
        differs(("r", "etc/motd"), Field.UID, 0, 1000),
        differs(("r", "etc/motd"), Field.MODE, 0o644, 0o600),
        changed(("r", "etc/motd"), b"one\n", b"two\n"),
    )
    (numbers,) = re.findall(r'data-c="([\d ]+)"', text)
    page = Page(text)
    assert sorted(numbers.split()) == sorted(page.of("b"))
    assert len(set(numbers.split())) == 3
    for phrase in ("uid 0 → 1000", "mode 0644 → 0600", "4 bytes, first differs at offset 0"):
        assert phrase in page.of("span")
    assert (page.of("del"), page.of("ins")) == (["- one"], ["+ two"])


def test_a_file_that_holds_what_differs_only_follows() -> None:
    page = Page(
        render(
            changed(("esp", "a.efi"), b"MZ1", b"MZ2", container="vfat", opened=True),
            differs(("esp", "a.efi", ".initrd"), Field.MODE, 0o644, 0o600, container="pe"),
        )
    )
    assert ("class", "n f c1") in page.attributes
    assert "content follows" in page.of("span")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.text(max_size=12), max_size=3), max_size=6))
def test_every_difference_is_there_once_whatever_the_names(names: list[list[str]]) -> None:
    differences = [differs(tuple(path), Field.MODE, 1, 2) for path in names]
    text = render(*differences)
    if differences:
        page = Page(text)
        counts = [len(value.split()) for name, value in page.attributes if name == "data-c"]
        assert sum(counts) == len(differences)
        anchors = [value for name, value in page.attributes if name == "id" and value.startswith("d-")]
        assert len(anchors) == len(set(anchors))


def test_a_path_of_thousands_of_steps_is_no_deeper_than_a_browser_follows() -> None:
    text = render(
        *(
            differs(("r", "/".join("ab"[n % 2 : n % 2 + 1] * depth)), Field.MODE, 1, 2)
            for n, depth in enumerate(range(1, 900))
        )
    )
    depth = deepest = 0
    for tag in re.findall(r"<(/?)ul", text):
        depth += -1 if tag else 1
        deepest = max(deepest, depth)
    assert 20 < deepest < 60
    assert sum(len(found.split()) for found in re.findall(r'data-c="([\d ]+)"', text)) == 899


def test_what_a_browser_could_not_show_is_counted() -> None:
    long = "x" * 230
    differences = [differs(("r", f"{n:06d}{long}"), Field.TARGET, f"{n}{long}", long) for n in range(9_000)]
    found = outline.groups(explain(differences, Facts()))
    text = tree.render(differences, marks.of_differences(found, differences), found)
    assert len(text) < 4_000_000
    shown = text.count('data-c="')
    assert 3_000 < shown < 9_000
    assert f"{9_000 - shown:,} more differences in report.json" in text


def test_what_diffoscope_says_is_folded_below_its_difference() -> None:
    difference = replace(
        differs(("r", "bin/app"), Field.TARGET, "a", "b"),
        diffoscope="--- a\n├── readelf\n│ -<b>old</b>\n│ +new\n│  same",
    )
    text = render(difference)
    page = Page(text)
    assert "What diffoscope says" in page.of("summary")
    assert page.of("del") == ["--- a", "│ -<b>old</b>"]
    assert page.of("ins") == ["│ +new"]
    assert "<details><summary>What diffoscope says" in text
