import pytest

from ci_toolkit import settings
from ci_toolkit.errors import UsageError
from ci_toolkit.settings import OUTPUTS, SETTINGS, Setting


def names(*, with_choices: bool) -> list[str]:
    return [setting.name for setting in SETTINGS if bool(setting.choices) is with_choices]


def test_every_setting_has_a_name_of_its_own_and_a_help_that_is_a_sentence() -> None:
    assert len({setting.variable for setting in SETTINGS}) == len(SETTINGS)
    assert [setting.name for setting in SETTINGS if not setting.help.endswith(".")] == []


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_an_unset_or_empty_variable_gives_the_default_which_is_one_of_the_choices(setting: Setting) -> None:
    empty = {f"INPUT_{setting.variable}": "", f"CI_TOOLKIT_{setting.variable}": "  "}
    assert settings.value(setting.name, {}) == settings.value(setting.name, empty) == setting.default
    assert not setting.choices or setting.default in setting.choices


@pytest.mark.parametrize("variable", ["INPUT_FAIL_ON", "INPUT_FAIL-ON", "CI_TOOLKIT_FAIL_ON"])
def test_every_spelling_of_an_input_is_read(variable: str) -> None:
    assert settings.value("fail-on", {variable: "never"}) == "never"


def test_our_own_variable_is_stronger_than_an_input() -> None:
    assert settings.value("output", {"INPUT_OUTPUT": "theirs", "CI_TOOLKIT_OUTPUT": "ours"}) == "ours"


def test_blanks_around_a_value_and_the_newline_of_a_yaml_block_do_not_count() -> None:
    assert settings.value("fail-on", {"INPUT_FAIL-ON": " never\n"}) == "never"


@pytest.mark.parametrize("name", names(with_choices=True))
def test_a_value_that_is_no_choice_is_refused_and_the_choices_are_named(name: str) -> None:
    with pytest.raises(UsageError) as refused:
        settings.value(name, {f"INPUT_{name.upper()}": "nonsense"})
    assert name in refused.value.message
    assert "'nonsense'" in refused.value.message
    assert refused.value.hint is not None
    setting = next(setting for setting in SETTINGS if setting.name == name)
    assert all(choice in refused.value.hint for choice in setting.choices)


@pytest.mark.parametrize("name", names(with_choices=False))
def test_any_text_goes_where_there_are_no_choices(name: str) -> None:
    assert settings.value(name, {f"INPUT_{name.upper()}": "a, b"}) == "a, b"


def test_only_the_token_is_a_secret() -> None:
    assert [setting.name for setting in SETTINGS if setting.secret] == ["token"]


def test_every_output_has_a_name_of_its_own_and_a_help_that_is_a_sentence() -> None:
    assert len({row.variable for row in OUTPUTS}) == len(OUTPUTS)
    assert [row.name for row in OUTPUTS if not row.help.endswith(".")] == []


def test_a_setting_is_of_commands_that_there_are() -> None:
    (command,) = (row for row in SETTINGS if row.name == "command")
    assert [row.name for row in SETTINGS if not set(row.commands) <= set(command.choices)] == []
    assert all(command.is_of(name) for name in command.choices)
