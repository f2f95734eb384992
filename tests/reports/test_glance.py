"""A report in one line."""

from dataclasses import replace

import sample_reports
import situations

from ci_toolkit.reports import glance
from ci_toolkit.reports.report import Failure

SAME = sample_reports.identical()


def test_the_first_line_is_verdict_size_and_time() -> None:
    assert glance.line(SAME) == "Reproducible · 835 MB · 102 s"
    assert glance.line(situations.identical()) == "Reproducible · 835 MB (+1.2 MB) · 102 s"
    assert glance.line(replace(SAME, builds=SAME.builds[:1])) == "Built · 835 MB · 92 s"
    assert glance.line(situations.five_causes()).startswith("Not reproducible: 18 differences, 5 causes · 835 MB")
    assert glance.line(situations.failed()) == "Not built: mkosi failed"


def test_an_exit_code_without_words_is_named() -> None:
    failure = Failure(exit_code=99, message="no")
    assert glance.line(replace(situations.failed(), failure=failure)) == "Not built: exit code 99"


def test_builds_that_ran_at_once_are_not_counted_twice() -> None:
    first, second = SAME.builds
    assert glance.elapsed((first, second)) == "102 s"  # both began at the same moment
    assert glance.elapsed((first, replace(second, started=first.started + first.seconds))) == "3 min 14 s"
    # Stored by a machine whose clock was set in between.
    assert glance.elapsed((first, replace(second, started=first.started + 1e9))) == "3 min 14 s"


def test_several_reports_have_one_line() -> None:
    assert glance.joined([SAME, SAME]) == "All 2 images are reproducible · 1.7 GB"
    assert glance.joined([SAME, replace(SAME, builds=SAME.builds[:1])]).startswith("All 2 images are as they should be")
    assert glance.joined([SAME, situations.failed()]) == "1 of 2 images is not as it should be · 835 MB"
    assert glance.joined([situations.failed()] * 2) == "2 of 2 images are not as they should be"
