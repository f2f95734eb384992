import json
import subprocess
import sys
from pathlib import Path

from ci_toolkit.host import child
from ci_toolkit.process import Command, Completed


def test_a_module_of_the_package_is_found_from_anywhere(tmp_path: Path) -> None:
    script = "from ci_toolkit.host import child; print(child.run('ci_toolkit.host.workspaces', '/', seconds=20).stdout)"
    found = subprocess.run(
        (sys.executable, "-c", script), cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(found.stdout)["path"] == "/"


def test_a_checkout_cannot_slip_a_module_in(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('taken over')\n", encoding="utf-8")
    script = (
        "from ci_toolkit.host import child; print(child.run('ci_toolkit.host.workspaces', '/', seconds=20).exit_code)"
    )
    found = subprocess.run(
        (sys.executable, "-P", "-c", script), cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout == "0\n"


def ended(exit_code: int, stderr: str = "") -> str:
    command = Command(argv=("probe",))
    return child.how_it_ended(Completed(command=command, exit_code=exit_code, stdout="", stderr=stderr), 8)


def test_each_way_to_end_has_its_reason() -> None:
    assert ended(124) == "no answer within 8 s"
    assert ended(127, "python: not found\n") == "python: not found"
    assert ended(128 + 31) == "the probe was ended by signal 31"
    assert ended(1, "Traceback:\n  line\nValueError: odd\n") == "the probe failed with exit code 1: ValueError: odd"
    assert ended(1) == "the probe failed with exit code 1: no message"


def test_a_probe_that_hangs_is_ended() -> None:
    found = child.run("http.server", "0", "--bind", "127.0.0.1", seconds=1)
    assert child.how_it_ended(found, 1) == "no answer within 1 s"
