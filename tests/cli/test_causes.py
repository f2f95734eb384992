"""`ci-toolkit causes`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ci_toolkit.compare.rules.table import RULES

ROOT = Path(__file__).parents[2]


def causes(*arguments: str) -> "subprocess.CompletedProcess[str]":
    argv = (sys.executable, "-m", "ci_toolkit", "causes", *arguments)
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_list_is_as_long_as_the_table() -> None:
    completed = causes()
    assert completed.returncode == 0
    assert len(completed.stdout.splitlines()) == len(RULES)


def test_one_cause_is_told_in_full_and_as_json() -> None:
    assert "RemoveFiles=/etc/machine-id" in causes("machine-id").stdout
    (record,) = json.loads(causes("--json", "machine-id").stdout)["causes"]
    assert record["identifier"] == "machine-id"


@pytest.mark.parametrize("arguments", [("nothing",), ("--json", "--markdown")])
def test_a_wrong_call_is_refused_in_a_sentence(arguments: tuple[str, ...]) -> None:
    completed = causes(*arguments)
    assert completed.returncode == 2
    assert completed.stdout == ""
    assert "error: " in completed.stderr
