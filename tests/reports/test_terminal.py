import re
import unicodedata
from dataclasses import replace

import hostile
import pytest
import sample_reports
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from ci_toolkit.reports import terminal
from ci_toolkit.reports.report import Report

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
LEAKY = sample_reports.leaky()

FIRST_SCREEN = """\
✗ Not reproducible: 20 differences, 6 causes, 1 unexplained
  examples/leaky · 96.3 % of 5,037 differing bytes explained

  1 Permissions follow the umask of the build
    umask 022
  2 A password was hashed with another salt
    RootPassword=hashed:<what one run of "openssl passwd -6" printed>
  3 A log of the build is in the image
    RemoveFiles=/var/log/alternatives.log
  4 ldconfig's auxiliary cache
    RemoveFiles=/var/cache/ldconfig/aux-cache
  5 A machine id was made during the build
    RemoveFiles=/etc/machine-id
  6 The path of the source tree is written into a file
    RemoveFiles=/etc/build-info
  7 Not explained
"""

REPRODUCIBLE = """\
✓ Reproducible: two builds, one SHA-256
0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5
  examples/debian

first build    image.raw   835 MB   92 s    0967115f2813a354…
second build   image.raw   835 MB   102 s   0967115f2813a354…

varied   hostname     image-builder → elsewhere
varied   build-path   /var/tmp/ci-toolkit/source →
                      /var/tmp/ci-toolkit/another/place/source

mkosi   27.1
"""


def test_the_first_screen_has_the_verdict_the_causes_and_what_mends_each() -> None:
    assert terminal.render(LEAKY, width=80).startswith(FIRST_SCREEN)


def test_a_small_report_as_a_whole() -> None:
    sample = sample_reports.identical()
    report = replace(sample, variations=sample.variations[:2], facts=(("mkosi", "27.1"),))
    assert terminal.render(report, width=80) == REPRODUCIBLE


def test_a_cause_has_its_lines_marked_its_remarks_and_its_paths() -> None:
    finding = replace(
        LEAKY.findings[0],
        cause="a-cause",
        title="A title",
        explanation="This is `why`.",
        fix="[Content]\nRemoveFiles=/a\n# Or not.",
        paths=tuple(f"etc/{letter}" for letter in "abcdefgh"),
        count=1_008,
        bytes=3,
    )
    text = terminal.render(replace(LEAKY, findings=(finding,), builds=(), variations=(), facts=(), notes=()))
    assert (
        """
1  A title
   a-cause · 1,008 paths, 3 bytes
   This is why.
   │ [Content]
   │ RemoveFiles=/a
   Or not.
   • etc/a
   • etc/b
   • etc/c
   • etc/d
   • etc/e
   • and 1,003 more paths
"""
        in text
    )


def test_a_consequence_stands_below_its_cause() -> None:
    assert """
   ↳ Files that hold what differs: 2 paths; also because: Permissions follow the umask of the build
     • 1:esp › EFI/Linux/debian-6.19.6.efi
""" in terminal.render(LEAKY, width=120)


def test_a_digest_is_whole_where_there_is_room() -> None:
    digest = LEAKY.builds[0].artefacts[0].sha256
    assert digest in terminal.render(LEAKY, width=120)
    assert digest not in terminal.render(LEAKY, width=80)
    assert f"{digest[:16]}…" in terminal.render(LEAKY, width=80)


@pytest.mark.parametrize("width", [40, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_window_or_ends_in_blanks(width: int) -> None:
    for report in (LEAKY, sample_reports.identical(), sample_reports.compared()):
        for line in terminal.render(report, width=width).splitlines():
            assert cell_len(line) <= width
            assert line == line.rstrip()


@pytest.mark.parametrize("width", [0, 1, 39])
def test_a_window_that_is_too_narrow_is_taken_for_one_that_is_not(width: int) -> None:
    assert terminal.render(LEAKY, width=width) == terminal.render(LEAKY, width=40)


def test_without_colour_no_escape_is_written_and_with_it_only_colours_more() -> None:
    plain = terminal.render(LEAKY, width=80)
    coloured = terminal.render(LEAKY, width=80, colour=True)
    assert "\x1b" not in plain
    assert COLOUR.search(coloured)
    assert [line.rstrip() for line in COLOUR.sub("", coloured).splitlines()] == plain.splitlines()


def test_the_verdict_is_coloured_by_what_it_is() -> None:
    assert terminal.render(LEAKY, colour=True).startswith("\x1b[1;31m✗")
    assert terminal.render(sample_reports.identical(), colour=True).startswith("\x1b[1;32m✓")


def check_is_inert(report: Report) -> None:
    for colour in (False, True):
        text = terminal.render(report, width=80, colour=colour)
        shown = COLOUR.sub("", text) if colour else text
        assert not any(unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp") for one in shown.replace("\n", ""))
        assert not re.search(r"^\s*::", text, re.MULTILINE)
        assert not re.search(r"##\w*\[", shown)


@pytest.mark.parametrize("name", hostile.NAMES, ids=lambda name: ascii(name)[:24])
def test_hostile_names_write_no_escape_but_colours(name: str) -> None:
    check_is_inert(hostile.built(name))
    check_is_inert(hostile.compared(name))


@given(st.text(max_size=30))
@settings(max_examples=25, deadline=None)
def test_names_of_any_kind_write_no_escape_but_colours(name: str) -> None:
    check_is_inert(hostile.compared(name))


def test_markup_of_rich_in_a_name_is_text() -> None:
    name = "[bold]x[/bold] :tada: [/red] [link=https://evil.example]y[/link]"
    report = replace(LEAKY, title=name, notes=(name,), facts=((name, "of a table"),))
    assert terminal.render(report, width=120).count(name) == 3


def with_words(text: str) -> Report:
    comparison = LEAKY.comparison
    assert comparison is not None
    first = replace(comparison.differences[-3], diffoscope=text)
    return replace(LEAKY, comparison=replace(comparison, differences=(first, *comparison.differences)))


def test_the_first_lines_of_what_diffoscope_says_are_shown() -> None:
    shown = terminal.render(with_words("\n".join(f"+line {number}" for number in range(100))), width=80)
    section = shown[shown.index("What diffoscope says of what is not explained") :]
    lines = [line.strip() for line in section.splitlines()[1:15]]
    assert lines == [
        "• 2:root › usr/share/app/index.json",
        *(f"+line {number}" for number in range(12)),
        "and 88 more lines",
    ]
    assert "diffoscope" not in terminal.render(LEAKY)
