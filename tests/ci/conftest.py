"""The variables and events of whole jobs."""

from collections.abc import Callable
from pathlib import Path

import pytest

EVENTS = Path(__file__).parents[1] / "fixtures" / "events"


@pytest.fixture
def recorded() -> Callable[[str], dict[str, str]]:
    """Return what reads the environment of one recorded job, with its event file where it has one."""

    def read(name: str) -> dict[str, str]:
        lines = (EVENTS / f"{name}.env").read_text(encoding="utf-8").splitlines()
        environ = dict(line.split("=", 1) for line in lines)
        if "GITHUB_EVENT_PATH" in environ:
            event = EVENTS / f"{name}.json"
            assert event.is_file()
            environ["GITHUB_EVENT_PATH"] = str(event)
        return environ

    return read
