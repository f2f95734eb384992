import pytest

from doors import marked

TEXT = """\
inputs:
  # doors: inputs
  old: 1
  # doors: end
more:
<!-- doors: table -->
<!-- doors: end -->
"""


def test_each_part_is_written_as_far_in_as_the_line_that_names_it() -> None:
    written = marked.rewritten(TEXT, {"inputs": lambda: "new:\n  deep: 2\n", "table": lambda: "| a |\n"})
    assert written == TEXT.replace("  old: 1\n", "  new:\n    deep: 2\n").replace("table -->\n", "table -->\n| a |\n")


def test_what_was_written_is_written_the_same_again() -> None:
    parts = {"inputs": lambda: "new: 1", "table": lambda: "| a |"}
    once = marked.rewritten(TEXT, parts)
    assert marked.rewritten(once, parts) == once


def test_the_parts_of_a_file_are_known_by_name() -> None:
    assert marked.names(TEXT) == ["inputs", "table"]


@pytest.mark.parametrize(
    ("text", "told"), [("# doors: other\n# doors: end\n", "other"), ("# doors: inputs\nrest\n", "does not end")]
)
def test_a_part_that_nobody_knows_or_ends_is_an_error(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        marked.rewritten(text, {"inputs": lambda: "new"})
