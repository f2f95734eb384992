import io
import json
import os
import pty
import re
import sys
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ci_toolkit.console import Console, Fold, printable

ESCAPE = "\x1b"


class Log:
    """A console and what it wrote, stderr and stdout apart."""

    def __init__(self, fold: Fold = Fold.NONE, *, quiet: bool = False, colour: bool = False) -> None:
        self.narration = io.StringIO()
        self.results = io.StringIO()
        self.console = Console(fold, narration=self.narration, results=self.results, quiet=quiet, colour=colour)

    @property
    def lines(self) -> list[str]:
        return self.narration.getvalue().split("\n")[:-1]

    @property
    def result(self) -> str:
        return self.results.getvalue()


def step(console: Console, title: str) -> None:
    with console.step(title):
        pass


# Everything that shows text which an image, a log or a person outside may have written.
WAYS: dict[str, Callable[[Console, str], None]] = {
    "say": lambda console, text: console.say(text),
    "warn": lambda console, text: console.warn(text),
    "a warning's hint": lambda console, text: console.warn("look", hint=text),
    "error": lambda console, text: console.error(text),
    "foreign": lambda console, text: console.foreign(text),
    "point": lambda console, text: console.point(text, text, text),
    "step": lambda console, text: step(console, text),
    "result": lambda console, text: console.result(text),
}

# The commands of GitHub's runner that would do harm, as a runner registers them.
REGISTERED = "set-env|set-output|add-path|add-mask|save-state|stop-commands|error|warning|group|endgroup|debug"


def obeyed(line: str) -> list[str]:
    """The commands that GitHub's runner finds in LINE: ActionCommand.TryParseV2, else TryParse."""
    modern = re.match(rf"\s*::({REGISTERED})(?: [^:]*)?::", line)
    legacy = re.search(rf"##\[({REGISTERED})(?: [^\]]*)?\]", line)
    return [found[1] for found in (modern, legacy) if found]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fold", Fold)
@pytest.mark.parametrize(
    "text",
    [
        "::set-env name=PATH::/evil",
        " \t \u00a0\u3000::set-output name=a::b",
        "##[add-mask]e",
        "in the middle ##[set-env name=PATH]/evil",
        "###[add-path]/evil",
        "::stop-commands::x",
        "harmless\n::set-env name=PATH::/evil",
        "harmless\r::set-env name=PATH::/evil",
        "harmless\u2028::add-path::/evil\x85::add-path::/evil",
    ],
)
def test_no_text_becomes_a_workflow_command(way: str, fold: Fold, text: str) -> None:
    log = Log(fold)
    WAYS[way](log.console, text)
    found = [name for line in re.split(r"[\r\n]", log.narration.getvalue() + log.result) for name in obeyed(line)]
    warned = {way: ["warning"] for way in ("warn", "a warning's hint", "point")}
    own = {"step": ["group", "endgroup"], "error": ["error"], **warned}
    assert found == (own.get(way, []) if fold is Fold.GITHUB else [])


def test_the_oracle_of_these_tests_knows_a_command() -> None:
    assert obeyed("  ::set-env name=a::b") == ["set-env"]
    assert obeyed("x ##[add-mask]b") == ["add-mask"]


def test_commands_of_azure_and_teamcity_are_shown_and_not_obeyed() -> None:
    log = Log()
    log.console.say("x ##vso[task.setvariable variable=a]b ##teamcity[buildStop] ## [a heading](link)")
    assert log.lines == [r"x \u0023#vso[task.setvariable variable=a]b \u0023#teamcity[buildStop] ## [a heading](link)"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fold", Fold)
def test_no_text_becomes_a_section_marker_or_a_terminal_escape(way: str, fold: Fold) -> None:
    log = Log(fold)
    WAYS[way](log.console, f"{ESCAPE}[0Ksection_start:1:evil\r{ESCAPE}[0KTitle\x9b2J{ESCAPE}]0;t\x07")
    written = log.narration.getvalue() + log.result
    assert not re.search(r"section_start:1:evil\r|\x9b|\x07|\x1b\]", written)
    own = 4 if fold is Fold.GITLAB and way == "step" else 0
    assert written.count(ESCAPE) == own


def test_a_json_result_keeps_its_data_whatever_names_it_holds() -> None:
    name = f"::set-env::##[add-mask]x{ESCAPE}[2J\x7f\x9b\u202e\U000e0041é\udcff"
    for ensure_ascii in (True, False):
        log = Log(Fold.GITHUB)
        log.console.result(json.dumps({"name": name}, ensure_ascii=ensure_ascii))
        assert json.loads(log.result) == {"name": name}
        assert not obeyed(log.result)


def test_a_result_keeps_its_lines_tabs_and_colours() -> None:
    log = Log()
    log.console.result(f"a\tb\n{ESCAPE}[1;31mred{ESCAPE}[0m é ▸")
    assert log.result == f"a\tb\n{ESCAPE}[1;31mred{ESCAPE}[0m é ▸\n"


def test_a_result_goes_to_stdout_and_all_else_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.result("found")
    console.say("looking")
    console.warn("careful", hint="look twice")
    assert capsys.readouterr() == ("found\n", "looking\nwarning: careful\n  look twice\n")


def test_a_result_that_the_terminal_cannot_show_is_shown_as_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    Console().result("é ▸")
    assert raw.getvalue() == b"\\xe9 \\u25b8\n"


def test_foreign_output_is_between_stop_commands_and_its_token() -> None:
    log = Log(Fold.GITHUB)
    with log.console.foreign_output():
        log.console.foreign("::set-env name=a::b\r\n")
    first, shown, last = log.lines
    token = first.removeprefix("::stop-commands::")
    assert re.fullmatch("[0-9a-f]{32}", token)
    assert (shown, last) == (r"\u003a:set-env name=a::b", f"::{token}::")


def test_the_token_of_stop_commands_is_another_one_each_time() -> None:
    log = Log(Fold.GITHUB)
    for _ in range(2):
        with log.console.foreign_output():
            pass
    assert len(set(log.lines)) == 4


@pytest.mark.parametrize("end", [RuntimeError, KeyboardInterrupt])
def test_commands_work_again_after_an_exception(end: type[BaseException]) -> None:
    log = Log(Fold.GITHUB)
    with pytest.raises(end), log.console.foreign_output():
        raise end
    log.console.error("failed")
    token = log.lines[0].removeprefix("::stop-commands::")
    assert log.lines[1:] == [f"::{token}::", "::error::failed"]


def test_a_warning_inside_foreign_output_is_readable_though_no_command_works_there() -> None:
    log = Log(Fold.GITHUB)
    with log.console.foreign_output(), log.console.foreign_output():
        log.console.warn("careful", hint="look")
    assert log.lines[1:3] == ["warning: careful", "  look"]
    assert len(log.lines) == 4


def test_a_secret_learnt_inside_foreign_output_is_announced_after_it() -> None:
    log = Log(Fold.GITHUB)
    with log.console.foreign_output():
        log.console.mask("hunter22")
        log.console.foreign("password hunter22")
    assert log.lines[1] == "password ***"
    assert log.lines[3:] == ["::add-mask::hunter22"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fold", Fold)
@pytest.mark.parametrize("secret", ["hunter22", "tab\there", 'quo"te\\', "ünïcode", "bell\x07", "100%sure", "##[x]"])
def test_a_secret_is_masked_on_every_way_out(way: str, fold: Fold, secret: str) -> None:
    log = Log(fold)
    log.console.mask(secret)
    said = len(log.narration.getvalue())
    WAYS[way](log.console, f"before {secret} after")
    written = log.narration.getvalue()[said:] + log.result
    assert "before *** after" in written
    assert secret not in written


def test_a_secret_in_a_json_result_is_masked_in_its_quoted_form() -> None:
    log = Log()
    log.console.mask('quo"te\\ü')
    log.console.result(json.dumps('quo"te\\ü') + json.dumps('quo"te\\ü', ensure_ascii=False))
    assert log.result == '"***""***"\n'


def test_each_line_of_a_long_secret_is_masked_and_short_ones_are_no_secret() -> None:
    log = Log(Fold.GITHUB)
    log.console.mask("-----BEGIN-----\nMIIE\nab\n  padded  \n")
    log.console.say("-----BEGIN-----\nMIIE\nab\npadded")
    assert log.lines == [
        "::add-mask::-----BEGIN-----", "::add-mask::MIIE", "::add-mask::padded", "***", "***", "ab", "***",
    ]  # fmt: skip


def test_a_secret_that_holds_another_is_masked_whole() -> None:
    log = Log()
    log.console.mask("abcd")
    log.console.mask("abcdefgh")
    log.console.say("abcdefgh abcd")
    assert log.lines == ["*** ***"]


def test_only_github_is_told_of_a_secret() -> None:
    for fold in (Fold.NONE, Fold.GITLAB):
        log = Log(fold)
        log.console.mask("hunter22")
        assert log.lines == []


def test_an_annotation_of_github_is_one_line_with_its_data_escaped() -> None:
    log = Log(Fold.GITHUB)
    log.console.error("100%\nsecond", hint="third\nfourth")
    assert log.lines == ["::error::100%25%0Asecond%0Athird%0Afourth"]


@pytest.mark.parametrize("fold", Fold)
def test_an_empty_message_is_no_traceback(fold: Fold) -> None:
    log = Log(fold)
    log.console.warn("")
    log.console.say("")
    log.console.foreign("")
    assert len(log.lines) == 3


def test_a_quiet_console_shows_only_results_and_what_is_wrong() -> None:
    log = Log(quiet=True)
    with log.console.step("Step"), log.console.foreign_output():
        log.console.say("said")
        log.console.foreign("foreign")
    log.console.warn("wrong")
    log.console.result("result")
    assert (log.lines, log.result) == (["warning: wrong"], "result\n")


def test_a_step_folds_in_github_and_ends_also_after_an_exception() -> None:
    log = Log(Fold.GITHUB)
    with pytest.raises(RuntimeError), log.console.step("100%\nof it"):
        raise RuntimeError
    assert log.lines[:2] == [r"::group::100%25\x0aof it", "::endgroup::"]


def test_a_step_is_a_section_of_gitlab_whose_end_names_its_start() -> None:
    log = Log(Fold.GITLAB)
    with log.console.step("Build"):
        pass
    start = re.fullmatch(r"\x1b\[0Ksection_start:(\d+):([\w.-]+)\r\x1b\[0KBuild", log.lines[0])
    end = re.fullmatch(r"\x1b\[0Ksection_end:(\d+):([\w.-]+)\r\x1b\[0K", log.lines[1])
    assert start and end and start[2] == end[2]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ASCII", "plain ASCII"),
        ("Ünïcode 漢字 ▸ 🙂", "Ünïcode 漢字 ▸ 🙂"),
        ("no-break\u00a0blank, as French has it\u202f!", "no-break\u00a0blank, as French has it\u202f!"),
        ("a\nb\tc", r"a\x0ab\x09c"),
        (f"{ESCAPE}[31m", r"\x1b[31m"),
        ("\x7f\x80\x9b\x9f", r"\x7f\x80\x9b\x9f"),
        ("a\u202eb\u2066c\u2069\u061c", r"a\u202eb\u2066c\u2069\u061c"),
        ("z\u200be\u200dr\u2060o\ufeff\u00ad\u180e\u3164\ufe0f", r"z\u200be\u200dr\u2060o\ufeff\xad\u180e\u3164\ufe0f"),
        ("tag \U000e0041", r"tag \U000e0041"),
        (b"not \xff UTF-8".decode(errors="surrogateescape"), r"not \xff UTF-8"),
        ("lone \ud800", r"lone \ud800"),
        ("two\u2028lines\u2029here\x85", r"two\u2028lines\u2029here\x85"),
    ],
)
def test_what_hides_or_moves_text_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(alphabet=st.characters(codec=None)))
@settings(max_examples=200, deadline=None)
@example("".join(map(chr, range(0x300))))
def test_printable_text_is_one_line_without_control_characters(text: str) -> None:
    shown = printable(text)
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert len(shown.splitlines()) <= 1
    assert printable(shown) == shown
    shown.encode()


def test_a_terminal_that_was_closed_stops_no_work() -> None:
    reader, writer = pty.openpty()
    os.close(reader)
    with pytest.raises(OSError, match="Input/output error"):
        os.write(writer, b"nobody is there")
    with os.fdopen(writer, "w", encoding="utf-8") as terminal:
        console = Console(narration=terminal, results=terminal)
        console.say("working")
        console.result("the result")


def test_our_own_words_have_colours_where_they_are_shown_and_foreign_ones_do_not() -> None:
    log = Log(Fold.GITLAB, colour=True)
    log.console.error("no \x1b[32mgreen", hint="see there")
    log.console.warn("careful")
    with log.console.step("Build"):
        pass
    shown = log.narration.getvalue()
    assert shown.startswith(
        "\x1b[1;31merror:\x1b[0m no \\x1b[32mgreen\n  see there\n\x1b[1;33mwarning:\x1b[0m careful\n"
    )
    assert "\x1b[0K\x1b[1mBuild\x1b[0m\n" in shown


def test_an_annotation_has_no_colours() -> None:
    log = Log(Fold.GITHUB, colour=True)
    log.console.error("no")
    assert log.narration.getvalue() == "::error::no\n"


def test_what_is_mended_in_a_file_is_shown_beside_it() -> None:
    log = Log(Fold.GITHUB)
    log.console.point("images/a,b/mkosi.conf", "100 %: a log", "one::\nRemoveFiles=/var/log")
    expected = "::warning file=images/a%2Cb/mkosi.conf,title=100 %25%3A a log::one::%0ARemoveFiles=/var/log"
    assert log.lines == [expected]


def test_elsewhere_it_is_a_warning() -> None:
    log = Log(Fold.GITLAB)
    log.console.point("mkosi.conf", "a log", "one")
    assert log.lines == ["warning: mkosi.conf: a log", "  one"]
