"""What a build changed against an earlier one."""

from dataclasses import replace

import pytest
import sample_reports
import situations

from ci_toolkit.mkosi.manifest import Package
from ci_toolkit.reports import baseline, change, glance, markdown, table
from ci_toolkit.reports.change import Change, Moved, Packages
from ci_toolkit.reports.report import Report

REPORT = sample_reports.identical()


def package(name: str, version: str, architecture: str = "amd64") -> Package:
    return Package(name=name, version=version, architecture=architecture)


def against(base: Report, report: Report) -> Change:
    assert baseline.is_of(base, report)
    return baseline.between(base, report)


def test_packages_come_go_and_get_other_versions() -> None:
    before = [package("a", "1"), package("b", "1"), package("c", "2"), package("d", "1")]
    after = [package("a", "1"), package("b", "2"), package("c", "1"), package("e", "1")]
    found = change.packages(before, after)
    assert found == Packages(
        added=(package("e", "1"),),
        removed=(package("d", "1"),),
        moved=(
            Moved(name="b", architecture="amd64", before="1", after="2"),
            Moved(name="c", architecture="amd64", before="2", after="1"),
        ),
    )
    assert [one.down for one in found.moved] == [False, True]
    assert glance.moved(found) == "1 added, 1 removed, 1 upgraded, 1 downgraded"
    assert glance.moved_in_short(found) == "+1 −1 ↑1 ↓1"


def test_of_two_kernels_the_one_that_stays_is_no_change() -> None:
    found = change.packages([package("linux", "1"), package("linux", "2")], [package("linux", "2")])
    assert found == Packages(removed=(package("linux", "1"),))


def test_a_package_of_another_architecture_is_another_package() -> None:
    found = change.packages([package("libc6", "1")], [package("libc6", "1"), package("libc6", "1", "i386")])
    assert found == Packages(added=(package("libc6", "1", "i386"),))


def test_the_same_packages_are_no_change() -> None:
    assert not change.packages(sample_reports.PACKAGES, reversed(sample_reports.PACKAGES))


def test_the_same_bits_are_told_from_the_same_size() -> None:
    same = against(REPORT, REPORT)
    assert (same.grown, same.same_bits, glance.grown(same)) == (0, True, "the same bits")
    other = against(replace(sample_reports.leaky(), title=REPORT.title), REPORT)
    assert (other.grown, other.same_bits, glance.grown(other)) == (0, False, "the same size")


@pytest.mark.parametrize(
    ("before", "after", "shown", "share"),
    [
        (1_000_000, 1_500_000, "+500 kB", "+50.0 %"),
        (1_500_000, 1_000_000, "−500 kB", "−33.3 %"),
        (10_000_000_000, 10_000_000_001, "+1 bytes", "less than 0.1 %"),
        (0, 12, "+12 bytes", ""),
    ],
)
def test_a_size_changes_by_bytes_and_by_percent(before: int, after: int, shown: str, share: str) -> None:
    found = Change(commit=None, before=before, after=after, same_bits=False, packages=None)
    assert (glance.grown(found), glance.percent(found)) == (shown, share)


@pytest.mark.parametrize(
    "base",
    [
        replace(REPORT, title="examples/other"),
        replace(REPORT, variant="arm64"),
        replace(REPORT, builds=()),
        situations.failed(),
    ],
    ids=["title", "variant", "no build", "failed"],
)
def test_nothing_is_said_against_a_report_of_something_else(base: Report) -> None:
    assert not baseline.is_of(base, REPORT)


def test_without_a_manifest_nothing_is_said_of_packages() -> None:
    base = replace(REPORT, builds=tuple(replace(build, packages=None) for build in REPORT.builds))
    assert against(base, REPORT).packages is None
    assert "| 5 |" in table.images([replace(REPORT, changes=(against(base, REPORT),))])


def test_a_long_list_of_packages_is_cut_with_what_is_least_likely_meant_first() -> None:
    found = Packages(
        removed=(package("gone", "1"),),
        moved=tuple(Moved(name=f"p{n:04}", architecture="all", before="1", after="2") for n in range(500)),
    )
    text = table.packages(Change(commit=None, before=1, after=1, same_bits=False, packages=found))
    assert text.splitlines()[5] == "| `gone` | `1` | removed |"
    assert "and 301 more packages" in text


def test_against_several_baselines_each_has_a_line_with_its_name() -> None:
    report = situations.identical()
    base, old = (replace(one, name=name) for one, name in zip(report.changes * 2, ("main", "v1|2"), strict=True))
    released = replace(old, before=old.after * 2, packages=None)
    (row,) = table.images([replace(report, changes=(base, released))]).splitlines()[2:]
    cells = [cell.strip().replace("\N{NO-BREAK SPACE}", " ") for cell in row.strip("|").split("|")]
    assert cells[3] == r"`main`: +1.2 MB (+0.1 %)<br>`v1\x7c2`: −835 MB (−50.0 %)"
    assert cells[4] == "5<br>`main`: +1 −2 ↑1 ↓1"
    text = markdown.render(replace(report, changes=(base, released)))
    assert "compared with `main` `8f14e45fceea`, `v1\\x7c2` `8f14e45fceea`" in text
    assert "Since `main`:\n\n<details>\n<summary>Packages: 1 added, 2 removed, 1 upgraded, 1 downgraded</s" in text
    assert "Since `v1\\x7c2`:\n\n<details>\n<summary>Files: 4,014 added, 4,015 removed, 1 larger, 1 smaller</s" in text
