"""Permissions, as files get them under real umasks."""

from dataclasses import replace
from pathlib import Path

import pytest
from bench import cause, differs, finding, run, shows

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.host.environment import NORMAL


def mode(directory: Path, umask: str, command: str) -> int:
    """The mode that COMMAND gives to "made" under UMASK."""
    place = directory / umask
    place.mkdir()
    run("sh", "-c", f"umask {umask}; {command}", cwd=place)
    return (place / "made").stat().st_mode & 0o7777


@pytest.mark.parametrize("command", ["touch made", "mkdir made"])
@pytest.mark.parametrize("umasks", [("022", "077"), ("022", "002"), ("000", "022"), ("027", "022")])
@shows("umask", by="sh")
def test_modes_that_a_umask_left_are_the_umasks(tmp_path: Path, umasks: tuple[str, str], command: str) -> None:
    first, second = (mode(tmp_path, umask, command) for umask in umasks)
    difference = differs("usr/lib/modules/6.12/modules.dep", Field.MODE, first, second)
    assert cause(difference) == "umask"
    environments = [replace(NORMAL, umask=int(umask, 8)) for umask in umasks]
    told = finding(difference, Facts(first=environments[0], second=environments[1]))
    assert told.cause == "umask"
    assert all(umask in told.explanation for umask in umasks)
    assert "umask 022" in told.fix


@pytest.mark.parametrize("modes", [(0o644, 0o755), (0o755, 0o644), (0o644, 0o444), (0o644, 0o4644), (0o600, 0o066)])
def test_modes_that_no_umask_leaves_are_not_the_umasks(modes: tuple[int, int]) -> None:
    assert cause(differs("etc/thing", Field.MODE, *modes)) != "umask"


def test_a_mode_that_the_known_umasks_do_not_explain_is_unknown() -> None:
    same = Facts(first=NORMAL, second=NORMAL)
    assert cause(differs("etc/thing", Field.MODE, 0o644, 0o600), same) == "unknown"
    swapped = Facts(first=replace(NORMAL, umask=0o077), second=NORMAL)
    assert cause(differs("etc/thing", Field.MODE, 0o644, 0o600), swapped) == "unknown"
