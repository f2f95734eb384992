"""A job that is cancelled in the middle of a build: nothing of it may go on, and nothing of it may stay."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration import small

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("runner")]

ROOT = Path(__file__).parents[2]


def containers(mounts: Path) -> str:
    """The engine's containers that see MOUNTS; empty where there is no engine."""
    docker = ("docker", "ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Mounts}}")
    listed = subprocess.run(("sh", "-c", '"$@" || :', "sh", *docker), capture_output=True, text=True, check=True)
    return "\n".join(line for line in listed.stdout.splitlines() if str(mounts) in line)


@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM,), (signal.SIGHUP,)])
def test_an_interrupted_build_leaves_nothing_but_the_old_output(
    tmp_path: Path, signals: tuple[signal.Signals, ...]
) -> None:
    small.custom(tmp_path / "repository", "echo in the middle; sleep 600")
    output = tmp_path / "output"
    output.mkdir()
    (output / ".ci-toolkit").touch()
    (output / "image.tar").write_text("old", encoding="utf-8")
    argv = (sys.executable, "-m", "ci_toolkit", "build", tmp_path / "repository/images", "--output", output)
    with subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=small.environ()) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if line == "in the middle\n":
                break
        assert process.poll() is None, said
        if "Runner: container" in said:
            assert containers(tmp_path)
        for number in signals:
            process.send_signal(number)
            time.sleep(0.2)
        _, rest = process.communicate(timeout=60)
    assert process.returncode == 130, rest
    assert containers(tmp_path) == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["output", "repository"]
    assert sorted(path.name for path in output.iterdir()) == [".ci-toolkit", "image.tar"]
