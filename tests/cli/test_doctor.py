import json
import subprocess
import sys
from pathlib import Path

import pytest

from ci_toolkit.cli import main
from ci_toolkit.errors import ExitCode
from ci_toolkit.host import kvm
from ci_toolkit.host.capabilities import Capability


@pytest.fixture(autouse=True)
def no_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest that hangs would take ten seconds of every test."""
    guest = Capability(name="kvm", available=False, reason="not booted in tests", why="-", fix="-")
    monkeypatch.setattr(kvm, "probe", lambda: guest)


def doctor(*arguments: str) -> int:
    return main.run(["doctor", *arguments])


def test_json_is_all_that_goes_to_stdout(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = doctor("--json", str(tmp_path))
    document = json.loads(capfd.readouterr().out)
    assert document["schema"] == 1
    assert code == (ExitCode.FINE if document["runner"] else ExitCode.HOST)


def test_the_text_tells_the_runner_and_the_leaks(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    doctor(str(tmp_path))
    shown = capfd.readouterr().out
    assert "Runners" in shown
    assert "unprivileged" in shown
    assert "What leaks from this host" in shown
    assert "\x1b" not in shown, "a pipe gets no colour"


def test_the_ci_system_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("GITHUB_ACTIONS", "FORGEJO_ACTIONS", "GITEA_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITLAB_CI", "true")
    doctor("--json", str(tmp_path))
    assert json.loads(capfd.readouterr().out)["ci"]["provider"] == "gitlab"


def test_no_runner_is_exit_code_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ci_toolkit.runners.choose.verdicts", lambda *_: (("unprivileged", ("no",)),))
    assert doctor("--json", str(tmp_path)) == ExitCode.HOST
    assert json.loads(capfd.readouterr().out)["runner"] is None


def test_a_directory_that_is_not_there_is_a_usage_error(capfd: pytest.CaptureFixture[str]) -> None:
    assert doctor("/nonexistent") == ExitCode.USAGE
    assert "does not exist" in capfd.readouterr().err


def test_a_token_in_the_environment_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_0123456789abcdef")
    doctor("--json", str(tmp_path))
    captured = capfd.readouterr()
    assert "ghs_0123456789abcdef" not in captured.out + captured.err


def test_the_help_loads_neither_rich_nor_docker() -> None:
    script = (
        "import sys; from ci_toolkit.cli import main; main.run(['doctor', '--help']); "
        "sys.exit(sorted({'rich', 'docker'} & set(sys.modules)) or 0)"
    )
    subprocess.run((sys.executable, "-c", script), check=True, capture_output=True, timeout=60)
