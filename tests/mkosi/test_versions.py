"""The order of versions, by the word of dpkg."""

import random
import subprocess
from itertools import permutations

import pytest
from bench import PATH
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.mkosi.versions import is_newer

KNOWN = (
    *("1.0", "1.0~rc1", "1.0-1", "1.0-1+b1", "1.0-1~bpo12+1", "1:0.5", "1.0a", "1.0+dfsg", "1.0.0", "1.9", "1.10"),
    *("2.41-12", "2.41-12+deb13u5", "2.41-9", "0", "1.0-0", "1.0~", "1.0~~", "1.a", "1.", "01.0", "6.19.6", "6.19.10"),
)


VERSIONS = st.one_of(
    st.sampled_from(KNOWN),
    st.from_regex(r"([0-3]:)?[0-9][0-2a-c.+~-]{0,8}(-[0-9a+.~]{1,4})?", fullmatch=True).filter(
        lambda version: not version.endswith("-")
    ),
)


def ask(pairs: list[tuple[str, str]]) -> list[bool]:
    """Return of each of PAIRS whether dpkg takes the first one for the newer one."""
    script = 'while read -r a b; do dpkg --compare-versions "$a" gt "$b" && echo yes || echo no; done'
    asked = "".join(f"{a} {b}\n" for a, b in pairs)
    try:
        done = subprocess.run(
            ["sh", "-c", script], input=asked, env={"PATH": PATH}, capture_output=True, text=True, check=True
        )
    except FileNotFoundError:
        pytest.skip("there is no shell")
    if "not found" in done.stderr:
        pytest.skip("dpkg is not installed")
    assert done.stderr == ""
    return [said == "yes" for said in done.stdout.split()]


@settings(max_examples=25)
@given(st.lists(st.tuples(VERSIONS, VERSIONS), min_size=10, max_size=20))
def test_any_two_are_ordered_as_dpkg_orders_them(pairs: list[tuple[str, str]]) -> None:
    assert [(*pair, is_newer(*pair)) for pair in pairs] == [
        (*pair, said) for pair, said in zip(pairs, ask(pairs), strict=True)
    ]


def test_versions_are_ordered_as_dpkg_orders_them() -> None:
    draw = random.Random(5)
    made = ("0" + "".join(draw.choice("0019a~+.-") for _ in range(draw.randint(1, 6))) for _ in range(16))
    versions = [version for version in (*KNOWN, *made) if not version.endswith("-")]
    pairs = list(permutations(versions, 2))
    assert [(*pair, is_newer(*pair)) for pair in pairs] == [
        (*pair, said) for pair, said in zip(pairs, ask(pairs), strict=True)
    ]


@pytest.mark.parametrize("version", ["", ":", "-", "9" * 10_000, "~" * 10_000, "a:b:c-d-e", "\N{PACKAGE}", "²"])
def test_what_is_no_version_has_a_place_all_the_same(version: str) -> None:
    assert not is_newer(version, version)
    assert is_newer(version, "1.0") != is_newer("1.0", version)
