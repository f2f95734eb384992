"""Numbers and colours of causes."""

from dataclasses import replace

import sample_reports
from bench import differs

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.explain import explain
from ci_toolkit.compare.facts import Facts
from ci_toolkit.reports import outline
from ci_toolkit.reports.html import marks

SAMPLE = sample_reports.compared()


def differences() -> tuple[Difference, ...]:
    assert SAMPLE.comparison is not None
    return SAMPLE.comparison.differences


def test_every_difference_has_the_number_of_its_cause() -> None:
    found = outline.groups(SAMPLE.findings)
    shown = marks.of_differences(found, differences())
    for number, group in enumerate(found, 1):
        for finding in (group.finding, *group.consequences):
            assert {shown[index] for index in finding.members} == {
                marks.mark(number, group, follows=finding is not group.finding)
            }
    assert None not in shown


def test_an_older_report_without_members_is_marked_by_its_paths() -> None:
    found = outline.groups(SAMPLE.findings)
    older = outline.groups(tuple(replace(one, members=()) for one in SAMPLE.findings))
    by_path = marks.of_differences(older, differences())
    assert [mark is not None for mark in by_path] == [True] * len(differences())
    exact = marks.of_differences(found, differences())
    assert sum(a == b for a, b in zip(by_path, exact, strict=True)) > len(by_path) // 2


def test_members_that_are_not_there_are_not_minded() -> None:
    findings = tuple(replace(one, members=(10**9, *one.members)) for one in SAMPLE.findings)
    assert None not in marks.of_differences(outline.groups(findings), differences())


def test_the_unknown_has_a_colour_of_its_own_and_so_have_the_first_eight() -> None:
    (unknown,) = outline.groups(explain((differs("x", Field.TARGET, "1", "2"),), Facts()))
    (known,) = outline.groups(explain((differs("x", Field.MODE, 0o644, 0o600),), Facts()))
    assert marks.mark(3, unknown).colour == "cx"
    assert [marks.mark(number, known).colour for number in (1, 8, 9, 90)] == ["c1", "c8", "c0", "c0"]
