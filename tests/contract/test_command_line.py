"""What users may rely on: the verbs and the exit codes."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ci_toolkit.cli.main import VERBS
from ci_toolkit.errors import ExitCode

ROOT = Path(__file__).parents[2]


def toolkit(*arguments: str) -> "subprocess.CompletedProcess[str]":
    argv = (sys.executable, "-m", "ci_toolkit", *arguments)
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_help_names_every_verb_and_what_it_does() -> None:
    completed = toolkit("--help")
    assert completed.returncode == 0
    words = " ".join(completed.stdout.split())
    assert [verb for verb, (_, told) in VERBS.items() if f" {verb} {told}" not in words] == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_a_command_of_its_name_with_a_help_of_its_own(verb: str) -> None:
    command = importlib.import_module(VERBS[verb][0]).command
    assert isinstance(command, click.Command)
    assert command.name == verb
    assert command.help


def test_every_verb_but_the_actions_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [verb for verb in VERBS if verb != "action" and f"ci-toolkit {verb}" not in readme] == []


def test_the_help_loads_nothing_that_takes_time() -> None:
    script = (
        "import sys; from ci_toolkit.cli import main; code = main.run(['--help']); "
        "slow = {'rich', 'docker', 'dissect', 'github', 'gitlab', 'requests', 'sigstore'}; "
        "print(sorted(slow & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    completed = subprocess.run((sys.executable, "-c", script), cwd=ROOT, capture_output=True, text=True, check=True)
    assert completed.stderr.strip() == "[]"


def test_the_readme_tells_every_exit_code() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = readme.partition("Exit codes: ")[2].partition("\n\n")[0].replace("\n", " ")
    codes = [int(number) for number in re.findall(r"(?:^| · )(\d+) ", told)]
    assert codes == [code.value for code in ExitCode]


def test_an_error_names_its_exit_code_in_the_file_of_errors() -> None:
    """The drawing at the head of errors.py is what people read first."""
    errors = importlib.import_module("ci_toolkit.errors")
    drawn = re.findall(r"[├└]── (\w+) +(\d+) ", errors.__doc__ or "")
    assert len(drawn) == len(errors.ToolkitError.__subclasses__())
    assert [(name, int(code)) for name, code in drawn] == [
        (error.__name__, error.exit_code.value) for error in errors.ToolkitError.__subclasses__()
    ]
