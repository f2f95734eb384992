"""The order of versions, by the word of pacman's own library, which vercmp calls."""

import ctypes
import ctypes.util
from collections.abc import Callable
from itertools import permutations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ci_toolkit.mkosi import alpm

KNOWN = (
    *("1.0", "1.0-1", "1.0-1.1", "1.0-2", "1:0.5-1", "0:1.0-1", "1.0a", "1.0alpha", "1.0b", "1.0beta", "1.0rc1"),
    *("1.0.a", "1.0.1", "1.0.", "1.0..1", "1.", "1", "01.0", "1_0", "1.0+r2", "r12.abc", "20240101", ":1.0", "1.0-"),
    *("6.19.6.arch1-1", "6.19.10.arch1-1", "2.41+r9+ga900dbaf0f0c-1", "2.41+r48+g5cb575ca9a3d-1", "-", "0", "~1"),
)
VERSIONS = st.one_of(
    st.sampled_from(KNOWN),
    st.from_regex(r"([0-9]:)?[0-9a-c.+_~]{1,8}(-[0-9a.]{1,3})?", fullmatch=True),
    st.text("0019ab.+-:_~", min_size=1, max_size=12),
)


@pytest.fixture(scope="module")
def truth() -> Callable[[str, str], int]:
    name = ctypes.util.find_library("alpm")
    if name is None:
        pytest.skip("pacman's libalpm is not installed")
    compare = ctypes.CDLL(name).alpm_pkg_vercmp
    compare.argtypes, compare.restype = (ctypes.c_char_p, ctypes.c_char_p), ctypes.c_int
    return lambda one, two: int(compare(one.encode(), two.encode()))


def sign(number: int) -> int:
    return (number > 0) - (number < 0)


def test_versions_are_ordered_as_pacman_orders_them(truth: Callable[[str, str], int]) -> None:
    pairs = list(permutations(KNOWN, 2))
    assert [(*pair, sign(alpm.compare(*pair))) for pair in pairs] == [(*pair, sign(truth(*pair))) for pair in pairs]


@given(one=VERSIONS, two=VERSIONS)
@example(one="1.0.", two="1.0.a")
@example(one="a.", two="a")
@example(one="1a", two="1.1")
def test_any_two_are_ordered_as_pacman_orders_them(truth: Callable[[str, str], int], one: str, two: str) -> None:
    assert sign(alpm.compare(one, two)) == sign(truth(one, two))
    assert alpm.is_newer(one, two) == (truth(one, two) > 0)


@pytest.mark.parametrize("version", ["", ":", "-", "9" * 10_000, "a:b:c-d-e", "\N{PACKAGE}", "²", "\udcff"])
def test_what_is_no_version_has_a_place_all_the_same(version: str) -> None:
    assert not alpm.is_newer(version, version)
    assert alpm.compare(version, "1.0") == -alpm.compare("1.0", version) != 0
