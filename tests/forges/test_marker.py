"""The hidden mark."""

import pytest

from ci_toolkit.forges.marker import carry, is_carried, mark


@pytest.mark.parametrize(
    "name", ["a --> <script>", "--", "a\nb", "\N{PACKAGE}", "", "x" * 500, "\udcff", "<!--", "a>b"]
)
def test_a_mark_is_one_html_comment_on_one_line_whatever_the_name(name: str) -> None:
    marker = mark(name)
    inside = marker.removeprefix("<!-- ").removesuffix(" -->")
    assert marker == f"<!-- {inside} -->"
    assert not set(inside) & set("<>\n\r")
    assert "--" not in inside
    assert marker.isascii()
    assert len(marker) < 160


def test_names_that_read_alike_have_marks_of_their_own() -> None:
    names = [("a", "b"), ("a b",), ("a-b",), ("a", "b", ""), ("", "a", "b"), ("b", "a"), ("\N{PACKAGE}",), ()]
    assert len({mark(*name) for name in names}) == len(names)


def test_one_name_has_one_mark_for_ever() -> None:
    """A release that changes it would leave a second comment on every open change."""
    assert mark("examples/debian", "Images / verify") == (
        "<!-- ci-toolkit report b3de3c71911c2668 examples-debian-Images-verify -->"
    )


def test_a_mark_is_found_at_the_beginning_only() -> None:
    marker = mark("a")
    assert is_carried(marker, carry(marker, "text"))
    assert is_carried(marker, f"\r\n{marker}\r\ntext")
    assert not is_carried(marker, f"> {marker}")
    assert not is_carried(marker, carry(mark("b"), marker))
