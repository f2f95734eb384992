import os
import subprocess
from pathlib import Path

import pytest

from ci_toolkit.host import hardware


def said(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout


def test_it_is_what_other_programs_say() -> None:
    found = hardware.read()
    assert 0 < found.processors <= int(said("nproc"))
    assert found.kernel == said("uname", "-sr").strip()
    assert found.architecture == said("uname", "-m").strip()
    total = int(said("free", "-b").splitlines()[1].split()[1])
    assert found.memory_bytes == total
    assert 0 < found.free_memory_bytes <= total


def test_processor_and_clock_are_the_kernels_names() -> None:
    found = hardware.read()
    models = {line.partition(":")[2].strip() for line in said("lscpu").splitlines() if line.startswith("Model name")}
    assert not found.model or found.model in models
    sources = Path("/sys/devices/system/clocksource/clocksource0/available_clocksource")
    assert not sources.exists() or found.clock in sources.read_text().split()


def test_a_machine_that_tells_nothing_has_no_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_PROCESSORS", tmp_path / "missing")
    monkeypatch.setattr(hardware, "_CLOCK", tmp_path / "missing")
    found = hardware.read()
    assert (found.model, found.clock) == ("", "")
