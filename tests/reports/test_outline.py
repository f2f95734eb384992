from dataclasses import replace

import pytest
import sample_reports
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_toolkit.compare.comparison import Verdict
from ci_toolkit.compare.finding import Finding
from ci_toolkit.compare.rules.table import RULES
from ci_toolkit.mkosi.build import Artefact
from ci_toolkit.reports import outline
from ci_toolkit.reports.outline import Group, Outcome
from ci_toolkit.reports.report import Report

# Nothing here is about time, and machines are slow at times.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

LEAKY = sample_reports.leaky()
IDENTICAL = sample_reports.identical()
COMPARED = sample_reports.compared()
SAME = IDENTICAL.builds[0].artefacts[0].sha256


def finding(cause: str, *consequence_of: str, fix: str = "", count: int = 1, size: int = 0) -> Finding:
    return Finding(
        cause=cause,
        title=f"The {cause}",
        explanation="why",
        fix=fix,
        source="",
        paths=("a",),
        count=count,
        bytes=size,
        consequence_of=consequence_of,
    )


def fixes(*texts: str) -> tuple[Group, ...]:
    return tuple(Group(finding=finding("a", fix=text)) for text in texts)


def same_trees(report: Report) -> Report:
    """REPORT of images that are directories: no artefact bears the image's name."""
    builds = tuple(
        replace(build, artefacts=tuple(replace(one, name=f"image/{one.name}") for one in build.artefacts))
        for build in report.builds
    )
    return replace(report, builds=builds)


def test_two_builds_alike_are_reproducible() -> None:
    assert outline.outcome(IDENTICAL) is Outcome.REPRODUCIBLE
    assert outline.headline(IDENTICAL) == f"Reproducible: two builds, one SHA-256 {SAME}"


def test_more_builds_are_counted() -> None:
    report = replace(IDENTICAL, builds=IDENTICAL.builds[:1] * 3)
    assert outline.headline(report) == f"Reproducible: 3 builds, one SHA-256 {SAME}"


def test_one_build_is_only_built() -> None:
    report = replace(IDENTICAL, builds=IDENTICAL.builds[:1])
    assert outline.outcome(report) is Outcome.BUILT
    assert outline.headline(report) == f"Built: SHA-256 {SAME}"


def test_trees_are_told_by_their_number_of_files() -> None:
    report = same_trees(IDENTICAL)
    assert outline.headline(report) == "Reproducible: two builds, the same 2 files"
    assert outline.headline(replace(report, builds=report.builds[:1])) == "Built: 2 files"


def test_two_images_alike_are_identical() -> None:
    assert COMPARED.comparison is not None
    report = replace(COMPARED, verdict=Verdict.IDENTICAL, findings=())
    assert outline.headline(report) == f"Identical: both have SHA-256 {COMPARED.comparison.a.sha256}"
    plain = replace(COMPARED.comparison, a=replace(COMPARED.comparison.a, sha256=None))
    assert outline.headline(replace(report, comparison=plain)) == "Identical: the same 834,834,432 bytes"
    tree = replace(plain, differing_bytes=None)
    assert outline.headline(replace(report, comparison=tree)) == "Identical: no difference was found"


def test_what_differs_is_counted_with_its_causes() -> None:
    assert outline.headline(LEAKY) == "Not reproducible: 20 differences, 6 causes, 1 unexplained"
    assert outline.headline(COMPARED) == "Different: 20 differences, 6 causes, 1 unexplained"
    assert not outline.outcome(LEAKY).good


def test_a_cut_list_of_differences_is_a_lower_bound() -> None:
    assert COMPARED.comparison is not None
    report = replace(COMPARED, comparison=replace(COMPARED.comparison, truncated=True))
    assert outline.headline(report).startswith("Different: at least 20 differences, ")


def test_consequences_are_no_causes() -> None:
    report = replace(COMPARED, findings=(finding("umask"), finding("container", "umask")))
    assert outline.headline(report) == "Different: 20 differences, 1 cause"


def test_where_nothing_was_found_the_first_offset_is_told() -> None:
    assert COMPARED.comparison is not None
    report = replace(COMPARED, findings=())
    words = "nothing was found that tells why"
    assert outline.headline(report) == f"Different: 5,037 bytes, the first at offset 1,052,676; {words}"
    trees = replace(COMPARED.comparison, differing_bytes=None, first_offset=None)
    assert outline.headline(replace(report, comparison=trees)) == f"Different: {words}"


def test_consequences_stand_below_the_first_of_their_causes_and_the_unknown_is_last() -> None:
    unknown, umask, mtime = finding("unknown"), finding("umask"), finding("mtime")
    both, orphan = finding("container", "mtime", "umask"), finding("bookkeeping", "nobody")
    assert outline.groups((unknown, umask, mtime, both, orphan)) == (
        Group(finding=umask),
        Group(finding=mtime, consequences=(both,)),
        Group(finding=orphan),
        Group(finding=unknown),
    )


CAUSES = st.sampled_from(["unknown", "a", "b", "c"])


@RELAXED
@given(st.lists(st.builds(lambda cause, follows: finding(cause, *follows), CAUSES, st.lists(CAUSES, max_size=2))))
def test_every_finding_is_in_one_group(findings: list[Finding]) -> None:
    told = [one for group in outline.groups(findings) for one in (group.finding, *group.consequences)]
    assert sorted(map(id, told)) == sorted(map(id, findings))


def test_other_causes_are_named_by_their_titles() -> None:
    follower = finding("container", "umask", "mtime", "strange")
    assert outline.other_causes(follower, finding("umask"), {"mtime": "Times"}) == ("Times", "strange")


@pytest.mark.parametrize(
    ("fix", "lines", "remarks"),
    [
        ("", "", ()),
        ("Sort the members.\nOr do not.", "", ("Sort the members.", "Or do not.")),
        ("[Content]\nRemoveFiles=/a\n# Or not.", "[Content]\nRemoveFiles=/a", ("Or not.",)),
        ("# in mkosi.finalize\nsed -i x\n# Or not.", "# in mkosi.finalize\nsed -i x", ("Or not.",)),
        ("# Only a remark.", "", ("Only a remark.",)),
    ],
)
def test_a_fix_has_lines_to_copy_and_remarks(fix: str, lines: str, remarks: tuple[str, ...]) -> None:
    assert outline.fix_parts(fix) == (lines, remarks)


@pytest.mark.parametrize(
    ("fix", "lines", "left_out", "advice"),
    [
        ("", (), 0, ""),
        ("Sort the members.\nOr do not.", (), 0, "Sort the members."),
        ("[Content]\nRemoveFiles=/a\n# Or not.", ("RemoveFiles=/a",), 0, ""),
        ("[A]\na=1\n[B]\nb=2\nc=3\nd=4", ("a=1", "b=2"), 2, ""),
        ("# in the shell that starts mkosi\numask 022  # why", ("umask 022",), 0, ""),
        ("# Only a remark.", (), 0, "Only a remark."),
    ],
)
def test_a_fix_in_short_is_what_acts(fix: str, lines: tuple[str, ...], left_out: int, advice: str) -> None:
    assert outline.fix_in_short(fix) == (lines, left_out)
    assert outline.advice_in_short(fix) == advice


def test_every_rule_that_has_a_fix_has_it_in_short_too() -> None:
    for rule in RULES:
        lines, _ = outline.fix_in_short(rule.cause.fix)
        assert bool(rule.cause.fix) == bool(lines or outline.advice_in_short(rule.cause.fix)), rule.cause.identifier


def test_fixes_in_one_piece_have_each_section_and_each_line_once() -> None:
    joined = outline.joined_fix(
        fixes(
            "[Content]\nRemoveFiles=/a\n# Or not.",
            "Advice alone.",
            "# in mkosi.finalize\nsed -i x",
            "[Build]\nEnvironment=TZ=UTC\n[Content]\nRemoveFiles=/a\nRemoveFiles=/b",
            "# in mkosi.finalize\nsed -i y",
        )
    )
    assert joined == (
        "[Build]\nEnvironment=TZ=UTC\n[Content]\nRemoveFiles=/a\nRemoveFiles=/b\n"
        "# in mkosi.finalize\nsed -i x\nsed -i y"
    )


def test_one_fix_alone_is_not_told_twice() -> None:
    assert outline.joined_fix(fixes("[Content]\nRemoveFiles=/a", "Advice.", "")) == ""


def test_names_of_what_came_out_differently_are_sorted_and_hold_what_is_missing() -> None:
    first, second = LEAKY.builds
    assert outline.differing_artefacts(LEAKY.builds) == ("image.raw",)
    more = replace(second, artefacts=(*second.artefacts, Artefact(name="extra", size=1, sha256="0" * 64)))
    assert outline.differing_artefacts((first, more)) == ("extra", "image.raw")


@pytest.mark.parametrize(
    ("explained", "total", "expected"),
    [
        (0, 5, "none of 5 differing bytes explained"),
        (5, 5, "all of 5 differing bytes explained"),
        (9, 5, "all of 5 differing bytes explained"),
        (1, 1, "all of 1 differing byte explained"),
        (1, 3, "33.3 % of 3 differing bytes explained"),
        (1, 1_000_000, "0.1 % of 1,000,000 differing bytes explained"),
        (999_999, 1_000_000, "99.9 % of 1,000,000 differing bytes explained"),
        (0, 0, None),
    ],
)
def test_coverage_is_never_all_of_a_part_nor_none_of_something(
    explained: int, total: int, expected: str | None
) -> None:
    assert COMPARED.comparison is not None
    comparison = replace(COMPARED.comparison, differing_bytes=total)
    assert outline.coverage(replace(COMPARED, comparison=comparison, explained_bytes=explained)) == expected


def test_where_bytes_were_not_counted_no_coverage_is_told() -> None:
    assert COMPARED.comparison is not None
    assert outline.coverage(IDENTICAL) is None
    assert outline.coverage(replace(COMPARED, comparison=replace(COMPARED.comparison, differing_bytes=None))) is None


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (834_834_432, "835 MB"),
        (10**15, "1,000.0 TB"),
    ],
)
def test_sizes_are_told_with_three_digits(number: int, expected: str) -> None:
    assert outline.size(number) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.0, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (92.4, "92 s"), (119.6, "2 min 00 s"), (3_725, "62 min 05 s")],
)
def test_durations_are_told_as_exactly_as_they_matter(seconds: float, expected: str) -> None:
    assert outline.duration(seconds) == expected


def test_ordinals_go_on() -> None:
    assert [outline.ordinal(index) for index in (0, 1, 3, 4, 15)] == ["first", "second", "fourth", "5th", "16th"]


def test_numbers_take_their_noun_with_them() -> None:
    assert [outline.counted(number, "path") for number in (0, 1, 1_204)] == ["0 paths", "1 path", "1,204 paths"]
    assert outline.extent(finding("a", count=2)) == "2 paths"
    assert outline.extent(finding("a", count=1, size=3)) == "1 path, 3 bytes"
