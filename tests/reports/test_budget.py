from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_toolkit.reports.budget import Section, fit, size_in_bytes

# Nothing here is about time, and machines are slow at times.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

HEAD = Section(text="head", rank=0)
LINES = st.text(st.sampled_from("aé\n"), min_size=1, max_size=30)
SECTIONS = st.lists(
    st.builds(Section, text=LINES, rank=st.integers(0, 3), name=st.just("part")), min_size=1, max_size=8
)


def cut(left_out: Sequence[Section]) -> str:
    return f"without {' '.join(section.name for section in left_out)}"


def section(name: str, rank: int, length: int = 10) -> Section:
    return Section(text=name * length, rank=rank, name=name)


def test_what_fits_is_joined_by_empty_lines() -> None:
    assert fit([HEAD, section("a", 2), section("b", 1)], 100, len, cut) == "head\n\naaaaaaaaaa\n\nbbbbbbbbbb\n"


def test_a_budget_that_is_met_to_the_character_cuts_nothing() -> None:
    whole = "head\n\naaaaaaaaaa\n"
    assert fit([HEAD, section("a", 1)], len(whole), len, cut) == whole
    assert fit([HEAD, section("a", 1)], len(whole) - 1, len, cut) == "head\n\nwithout a"[: len(whole) - 1] + "\n"


def test_the_highest_rank_goes_first_and_of_one_rank_the_last() -> None:
    sections = [HEAD, section("a", 1), section("b", 2), section("c", 2), section("d", 1)]
    assert fit(sections, 52, len, cut) == "head\n\naaaaaaaaaa\n\nbbbbbbbbbb\n\ndddddddddd\n\nwithout c\n"
    assert fit(sections, 51, len, cut) == "head\n\naaaaaaaaaa\n\ndddddddddd\n\nwithout b c\n"
    assert fit(sections, 41, len, cut) == "head\n\naaaaaaaaaa\n\nwithout b c d\n"


def test_where_the_head_is_too_long_only_whole_lines_of_it_stay() -> None:
    head = Section(text="one\ntwo\nthree", rank=0)
    assert fit([head, section("a", 1)], 9, len, cut) == "one\ntwo\n"
    assert fit([head, section("a", 1)], 3, len, cut) == "on\n"
    assert fit([head, section("a", 1)], 0, len, cut) == ""


@pytest.mark.parametrize(("text", "size"), [("", 0), ("abc", 3), ("é→", 5), ("😀", 4)])
def test_bytes_are_those_of_utf8(text: str, size: int) -> None:
    assert size_in_bytes(text) == size == len(text.encode())


def test_a_text_that_is_no_utf8_has_a_size_too() -> None:
    assert size_in_bytes("\ud800") == len(r"\ud800")


@RELAXED
@given(SECTIONS, st.integers(min_value=0, max_value=300))
def test_no_budget_is_exceeded_and_sections_stay_whole(sections: list[Section], budget: int) -> None:
    for measure in (len, size_in_bytes):
        text = fit(sections, budget, measure, cut)
        assert measure(text) <= budget
        whole = "\n\n".join(one.text for one in sections) + "\n"
        if measure(whole) <= budget:
            assert text == whole
        elif text.rpartition("\n\n")[2].startswith("without "):
            kept = text.rpartition("\n\n")[0]
            for one in (one for one in sections if not one.rank):
                assert one.text in kept
