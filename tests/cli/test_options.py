from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ci_toolkit import settings
from ci_toolkit.cli.options import Building, from_settings, wishes
from ci_toolkit.errors import UsageError
from ci_toolkit.host.environment import VARIATIONS


@click.command(cls=Building)
@click.argument("directory", required=False)
@from_settings("runner", "fail-on", "output")
def example(directory: str | None, mkosi_arguments: tuple[str, ...], **given: str | None) -> None:
    """Show what was given."""
    click.echo(repr((directory, mkosi_arguments, given)))


def call(*arguments: str) -> "tuple[int, str]":
    result = CliRunner().invoke(example, arguments)
    return result.exit_code, result.output


def test_an_option_has_the_help_the_choices_and_the_default_of_its_setting() -> None:
    _, shown = call("--help")
    words = " ".join(shown.split())
    for name in ("runner", "fail-on", "output"):
        setting = next(setting for setting in settings.SETTINGS if setting.name == name)
        kind = f"[{'|'.join(setting.choices)}]" if setting.choices else setting.metavar
        assert f"--{name} {kind} {setting.help} [{setting.default}]" in words


def test_options_stand_in_the_order_of_the_settings() -> None:
    _, shown = call("--help")
    assert shown.index("--runner") < shown.index("--output") < shown.index("--fail-on")


def test_an_option_that_is_not_given_is_none_and_so_leaves_the_word_to_the_environment() -> None:
    assert call("--runner", "vm") == (0, "(None, (), {'runner': 'vm', 'output': None, 'fail_on': None})\n")


def test_a_value_that_is_no_choice_is_refused() -> None:
    code, shown = call("--runner", "moon")
    assert code == 2
    assert "'unprivileged'" in shown


@pytest.mark.parametrize(
    ("arguments", "directory", "more"),
    [
        ((), None, ()),
        (("images",), "images", ()),
        (("--",), None, ()),
        (("--", "--debug"), None, ("--debug",)),
        (("images", "--", "--output", "x", "--"), "images", ("--output", "x", "--")),
    ],
)
def test_two_dashes_end_what_is_ours(arguments: tuple[str, ...], directory: str | None, more: tuple[str, ...]) -> None:
    _, shown = call(*arguments)
    assert shown.startswith(f"({directory!r}, {more!r}, ")


def test_a_second_directory_is_no_argument_of_mkosi() -> None:
    code, shown = call("images", "more")
    assert code == 2
    assert "unexpected extra argument" in shown


def test_the_usage_tells_of_the_two_dashes() -> None:
    assert "[DIRECTORY] [-- MKOSI_ARGUMENTS]" in call("--help")[1]


def test_wishes_take_the_command_line_then_the_environment_then_the_default() -> None:
    environ = {"INPUT_OUTPUT": "theirs", "INPUT_PROFILE": "a,b", "CI_TOOLKIT_DIRECTORY": "images"}
    found = wishes(None, {"output": "ours", "profile": None}, ("--debug",), environ)
    assert (found.output, found.profiles, found.directory) == (Path("ours"), ("a", "b"), Path("images"))
    assert (found.runner, found.vary, found.mkosi_arguments) == ("auto", frozenset(VARIATIONS), ("--debug",))


@pytest.mark.parametrize(("text", "names"), [("", ()), (" a , b ,", ("a", "b")), (",", ()), ("a b", ("a b",))])
def test_profiles_are_joined_by_commas(text: str, names: tuple[str, ...]) -> None:
    assert wishes(None, {}, (), {"INPUT_PROFILE": text}).profiles == names


def test_arguments_for_mkosi_are_split_as_a_shell_splits_words() -> None:
    environ = {"INPUT_MKOSI_ARGS": "--debug --environment='A=b c' \"d e\"\nf"}
    assert wishes(None, {}, ("g",), environ).mkosi_arguments == ("--debug", "--environment=A=b c", "d e", "f", "g")


def test_an_open_quotation_is_a_usage_error_with_a_hint() -> None:
    with pytest.raises(UsageError, match="mkosi-args") as refused:
        wishes(None, {}, (), {"INPUT_MKOSI_ARGS": "'"})
    assert refused.value.hint


@pytest.mark.parametrize(
    ("given", "environ", "expected"),
    [
        ({"time_limit": "5"}, {"CI_TOOLKIT_TIME_LIMIT": "7"}, "5"),
        ({"time_limit": None}, {"INPUT_TIME_LIMIT": "7"}, "7"),
        ({}, {}, "auto"),
    ],
)
def test_a_name_of_two_words_is_found_in_the_option_and_in_the_environment(
    given: dict[str, str | None], environ: dict[str, str], expected: str
) -> None:
    assert wishes(None, given, (), environ).time_limit == expected


def test_a_time_limit_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="time-limit"):
        wishes(None, {"time_limit": "soon"}, (), {})
