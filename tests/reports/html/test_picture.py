"""The picture of both disks."""

import re
from dataclasses import replace

import pytest
import sample_reports
from html_page import Page
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.compare.comparison import Comparison
from ci_toolkit.compare.parts import Disk, Part
from ci_toolkit.reports import outline
from ci_toolkit.reports.html import picture

SAMPLE = sample_reports.compared()
GROUPS = outline.groups(SAMPLE.findings)
GIB = 1 << 30


def comparison(first: Disk, second: Disk) -> Comparison:
    assert SAMPLE.comparison is not None
    return replace(SAMPLE.comparison, disks=(first, second))


def disk(*parts: tuple[str, int, int], size: int = 4 * GIB) -> Disk:
    return Disk(
        size=size,
        parts=tuple(Part(name=name, format="ext4", offset=offset, size=length) for name, offset, length in parts),
    )


def drawn(text: str, kind: str) -> list[tuple[float, float]]:
    """Where the rectangles of KIND begin and how wide they are, in percent."""
    found = re.findall(rf'<rect class="{kind}" x="([\d.]+)%" [^>]*?width="([\d.]+)%"', text)
    return [(float(x), float(width)) for x, width in found]


def boxes(text: str) -> list[tuple[str, float, float]]:
    """The partitions of both disks: name, begin, width."""
    found = re.findall(r'<svg x="([\d.]+)%" y="0" width="([\d.]+)%".*?<title>(.*?) ext4', text)
    return [(name, float(x), float(width)) for x, width, name in found]


def with_spans(*spans: tuple[int, int]) -> tuple[outline.Group, ...]:
    return (replace(GROUPS[0], finding=replace(GROUPS[0].finding, spans=spans), consequences=()),)


def test_without_disks_there_is_no_picture() -> None:
    assert SAMPLE.comparison is not None
    assert picture.render(None, GROUPS) == ""
    assert picture.render(replace(SAMPLE.comparison, disks=None), GROUPS) == ""
    assert picture.render(comparison(Disk(size=0, parts=()), Disk(size=0, parts=())), GROUPS) == ""


def test_partitions_are_as_wide_as_they_are_large() -> None:
    half = disk(("1", 0, GIB), ("2", GIB, 3 * GIB))
    found = boxes(picture.render(comparison(half, half), GROUPS))
    assert found == [("1", 0, 25), ("2", 25, 75)] * 2


def test_a_small_partition_can_still_be_seen() -> None:
    small = disk(("1:bios", 1 << 20, 1 << 20), ("2:root", 2 << 20, 3 * GIB))
    (_, begin, width), (_, after, _) = boxes(picture.render(comparison(small, small), GROUPS))[:2]
    assert width > 1
    assert begin + width == pytest.approx(after, abs=0.01)


def test_the_same_place_is_at_the_same_place_on_disks_of_other_partitions() -> None:
    found = boxes(picture.render(comparison(disk(("1", 0, GIB)), disk(("1", 0, 2 * GIB), ("2", 2 * GIB, GIB))), GROUPS))
    assert [(name, begin) for name, begin, _ in found[:2]] == [("1", 0), ("1", 0)]
    assert found[1][2] == pytest.approx(2 * found[0][2], abs=0.01)
    assert found[2][1] == pytest.approx(found[1][2], abs=0.01)


def test_a_cause_is_marked_where_its_bytes_lie_and_in_its_colour() -> None:
    whole = disk(("1", 0, 4 * GIB))
    text = picture.render(comparison(whole, whole), with_spans((GIB, 1), (2 * GIB, GIB)))
    assert drawn(text, "c1") == [(25, 0.1), (50, 25)]
    assert drawn(text, "follows c1") == []


def test_what_only_follows_is_drawn_in_the_same_lane_but_pale() -> None:
    whole = disk(("1", 0, 4 * GIB))
    (group,) = with_spans((0, 1))
    consequence = replace(group.finding, spans=((GIB, GIB),), consequence_of=(group.finding.cause,))
    text = picture.render(comparison(whole, whole), (replace(group, consequences=(consequence,)),))
    assert drawn(text, "follows c1") == [(25, 25)]
    assert text.count('class="lane"') == 1


def test_causes_without_a_place_have_no_lane_and_lead_to_no_picture_of_nothing() -> None:
    whole = disk(("1", 0, 4 * GIB))
    text = picture.render(comparison(whole, whole), with_spans())
    assert 'class="lane"' not in text
    assert len(boxes(text)) == 2


def test_the_numbers_are_below_the_picture() -> None:
    page = Page(picture.render(SAMPLE.comparison, GROUPS))
    assert "79" in page.of("td")  # 64 and five modes of 3 bytes, as the sample has them
    assert {"vfat", "ext4", "268 MB"} <= set(page.of("td"))


def test_a_partition_that_only_one_disk_has_or_that_grew_is_told() -> None:
    page = Page(picture.render(comparison(disk(("1", 0, GIB)), disk(("1", 0, 2 * GIB), ("2", 2 * GIB, GIB))), GROUPS))
    assert {"1.1 GB → 2.1 GB", "nothing → ext4", "– → 1.1 GB"} <= set(page.of("td"))


numbers = st.integers(0, 100) | st.sampled_from((2**40, 2**63 - 1))
disks = st.builds(
    Disk,
    size=numbers,
    parts=st.lists(
        st.builds(Part, name=st.text(max_size=5), format=st.text(max_size=5), offset=numbers, size=numbers), max_size=4
    ).map(tuple),
)


@settings(deadline=None)
@given(disks, disks, st.lists(st.tuples(numbers, numbers), max_size=4))
def test_stored_nonsense_is_drawn_within_the_picture(first: Disk, second: Disk, spans: list[tuple[int, int]]) -> None:
    text = picture.render(comparison(first, second), with_spans(*spans))
    Page(text)
    for x, width in re.findall(r' x="([\d.]+)%"[^>]*? width="([\d.]+)%"', text):
        assert 0 <= float(x) <= 100
        assert float(x) + float(width) <= 100.2
