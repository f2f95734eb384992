from pathlib import Path

import pytest

from ci_toolkit.cli import main
from ci_toolkit.errors import ExitCode


def told(capfd: pytest.CaptureFixture[str]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in capfd.readouterr().out.splitlines())


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    (tmp_path / "mkosi.conf").write_text("[Content]\nPackages=base\n")
    return tmp_path


def test_what_a_step_needs_is_written_as_its_outputs(definition: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main.run(["cache-key", str(definition), "--cache", "/kept"]) == ExitCode.FINE
    outputs = told(capfd)
    assert list(outputs) == ["key", "prefix", "wider", "path"]
    assert outputs["key"].startswith(outputs["prefix"]) and outputs["prefix"].startswith(outputs["wider"])
    assert outputs["path"] == "/kept"


def test_profiles_and_arguments_have_caches_of_their_own(definition: Path, capfd: pytest.CaptureFixture[str]) -> None:
    keys = set()
    for more in ((), ("--profile", "big"), ("--", "--package=vim")):
        assert main.run(["cache-key", str(definition), *more]) == ExitCode.FINE
        keys.add(told(capfd)["key"])
    assert len(keys) == 3


def test_by_default_it_is_the_users_cache(
    definition: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/me/.cache")
    main.run(["cache-key", str(definition)])
    assert told(capfd)["path"] == "/home/me/.cache/ci-toolkit"


def test_where_no_definition_is_it_is_a_usage_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main.run(["cache-key", str(tmp_path)]) == ExitCode.USAGE
    assert "holds no mkosi.conf" in capfd.readouterr().err


@pytest.mark.parametrize(("command", "lines"), [("verify", 4), ("build", 4), ("comment", 0), ("doctor", 0)])
def test_where_the_action_builds_nothing_there_is_nothing_to_keep(
    definition: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    lines: int,
) -> None:
    monkeypatch.setenv("INPUT_COMMAND", command)
    assert main.run(["cache-key", str(definition)]) == ExitCode.FINE
    assert len(told(capfd)) == lines
