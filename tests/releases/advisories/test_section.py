import re
from dataclasses import replace

import hostile
import pytest
from markdown_it import MarkdownIt

from ci_toolkit.releases.advisories import section
from ci_toolkit.releases.advisories.fix import Fix, Severity
from ci_toolkit.releases.advisories.security import Security

ONE = Fix(
    identifier="CVE-2026-2222",
    package="openssl",
    before="3.3.1-1",
    after="3.3.2-1",
    severity=Severity.CRITICAL,
    distribution="arch",
)
TWO = replace(
    ONE,
    identifier="CVE-2026-3333",
    package="linux",
    before="6.12.48-1",
    after="6.12.57-1",
    severity=Severity.UNKNOWN,
    distribution="debian",
)


def html(text: str) -> str:
    return str(MarkdownIt("commonmark").enable("table").render(text))


def test_the_section_is_a_table() -> None:
    assert section.render(Security(fixes=(ONE, TWO))) == (
        "### Security fixes\n"
        "\n"
        "The upgraded packages bring 2 security fixes (1 critical, 1 of unknown severity).\n"
        "\n"
        "| CVE | Severity | Package | Before | Now |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| [CVE-2026-2222](https://security.archlinux.org/CVE-2026-2222) | critical | `openssl` | `3.3.1-1` | "
        "`3.3.2-1` |\n"
        "| [CVE-2026-3333](https://security-tracker.debian.org/tracker/CVE-2026-3333) |  | `linux` | `6.12.48-1` | "
        "`6.12.57-1` |"
    )


def test_none_is_said_to_be_none() -> None:
    assert section.render(Security()) == "### Security fixes\n\nThe upgraded packages bring no known security fixes."
    assert section.summary(Security()) == "no known security fixes"


def test_what_could_not_be_looked_up_is_told_and_what_could_beside_it() -> None:
    gap = "The advisories of `all.json` could not be looked up."
    assert section.render(Security(gaps=(gap,))) == f"### Security fixes\n\n{gap}"
    assert section.summary(Security(gaps=(gap,))) == "not all security fixes could be looked up"
    both = section.render(Security(fixes=(ONE,), gaps=(gap,)))
    assert "1 security fix (1 critical); not all could be looked up." in both
    assert both.endswith(gap)


def test_of_very_many_the_first_are_listed() -> None:
    many = tuple(replace(ONE, identifier=f"CVE-2026-{number}") for number in range(2000, 4000))
    text = section.render(Security(fixes=many, gaps=("No.",) * 30))
    assert text.count("\n| [CVE-") == 50
    assert "and 1,950 more." in text
    assert "2,000 security fixes (2,000 critical)" in text
    assert len(text) < 10_000


@pytest.mark.parametrize("name", hostile.NAMES, ids=lambda name: ascii(name)[:24])
def test_names_out_of_an_image_are_harmless(name: str) -> None:
    fixes = (replace(ONE, package=name, before=name, after=name), ONE)
    text = section.render(Security(fixes=fixes, gaps=(f"No advisories were at hand of `{name.replace('`', '')}`.",)))
    shown = html(text)
    assert shown.count("<tr>") == 3
    assert set(re.findall(r'href="([^"]*)"', shown)) == {"https://security.archlinux.org/CVE-2026-2222"}
    bare = re.sub(r"<code>.*?</code>", "", shown, flags=re.DOTALL)
    tags = {tag.lower() for tag in re.findall(r"<(\w+)", bare)}
    assert tags <= {"h3", "p", "table", "thead", "tbody", "tr", "th", "td", "a"}
    assert "@" not in bare
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert len(text) < 5_000


def test_the_most_that_there_can_be_leaves_room_for_the_rest_of_the_notes() -> None:
    long = "\u202e" * 10_000
    fixes = tuple(
        replace(ONE, identifier=f"CVE-2026-{number}", package=long, before=long, after=long)
        for number in range(1000, 1060)
    )
    assert len(section.render(Security(fixes=fixes))) < 60_000
